"""The end of a gateway that is still being used."""

from __future__ import annotations

import logging

import aiohttp
import pytest

from tests.adapters.scripted_backend import THREAD_ID, Gate, ScriptedBackend, make_run_event
from threadbridge.settings import Settings
from threadbridge_adapters.gateway import open_gateway, serve_in_thread


async def test_an_open_stream_is_given_up_after_a_while_and_the_backend_closed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    backend = ScriptedBackend([make_run_event("created"), Gate()])
    gateway = open_gateway(Settings(simulate=True), open_backend=backend.open_backend)
    headers = {"OpenAI-Beta": "assistants=v2"}

    async with aiohttp.ClientSession(headers=headers) as http:
        with serve_in_thread(gateway, drain_seconds=0.1) as url, caplog.at_level(logging.DEBUG):
            response = await http.post(f"{url}/threads/{THREAD_ID}/runs", json={"stream": True})
            first = await response.content.readline()
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()

    assert first == b"event: thread.run.created\n"
    assert backend.stream_closed.is_set()
    assert backend.close_count == 1
    assert [record.exc_info for record in caplog.records if record.exc_info] == []


async def test_a_gateway_whose_backend_cannot_be_opened_raises_where_it_was_started() -> None:
    async def open_backend(_: Settings) -> ScriptedBackend:
        raise OSError("the disk is full")

    opened = open_gateway(Settings(simulate=True), open_backend=open_backend)  # type: ignore[arg-type]

    with pytest.raises(OSError, match="the disk is full"), serve_in_thread(opened):
        pytest.fail("served without a backend")

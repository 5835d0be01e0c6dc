"""The services of the benchmarks respond as real services do."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest
from benchmarks._service_client import open_client

from benchmarks import _legacy_source, _processes, _upstream


@pytest.fixture(scope="module")
def responses() -> Iterator[openai.OpenAI]:
    with _processes.run_upstream() as upstream, openai.OpenAI(base_url=upstream.url, api_key="any") as client:
        yield client


def test_the_sdk_parses_a_whole_response(responses: openai.OpenAI) -> None:
    response = responses.responses.create(model="gpt-4o", input="Say something long.")

    assert (response.status, response.output_text) == ("completed", _upstream.WORD * _upstream.DELTAS)


@pytest.mark.parametrize("text", ["Say something long.", f"Say something long, {_upstream.PACED_MARKER}."])
def test_a_streamed_response_has_all_its_events_in_order(responses: openai.OpenAI, text: str) -> None:
    with responses.responses.create(model="gpt-4o", input=text, stream=True) as stream:
        numbers = [event.sequence_number for event in stream]

    assert numbers == list(range(_upstream.EVENTS))


def test_the_cpu_time_of_a_server_grows_with_its_work(responses: openai.OpenAI) -> None:
    with _processes.run_upstream() as server, openai.OpenAI(base_url=server.url, api_key="any") as client:
        before = server.read_cpu_seconds()
        client.responses.create(model="gpt-4o", input="Say something long.")

        assert server.read_cpu_seconds() > before


async def test_the_legacy_source_returns_complete_and_consistent_threads() -> None:
    path = f"/threads/{_legacy_source.format_thread_id(7)}"
    with _processes.run_server(_legacy_source.COMMAND) as source:
        async with open_client(source.url) as client:
            thread = await client.request("GET", path)
            messages = (await client.request("GET", f"{path}/messages?limit=100&order=asc"))["data"]
            runs = (await client.request("GET", f"{path}/runs?limit=100&order=asc"))["data"]
            [step] = (await client.request("GET", f"{path}/runs/{runs[3]['id']}/steps"))["data"]

    assert {message["thread_id"] for message in messages} == {thread["id"]}
    assert [message["run_id"] for message in messages[1::2]] == [run["id"] for run in runs]
    assert (step["run_id"], step["thread_id"]) == (runs[3]["id"], thread["id"])

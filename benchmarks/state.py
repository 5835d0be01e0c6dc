"""The bytes that a run sends on a thread of 10,000 messages compared with one of 10, if the service has the history.

Measured in this process on the responses backend. The upstream counts the bytes it receives and responds immediately.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, get_args

import orjson

from benchmarks._request_context import CONTEXT
from benchmarks._results import Row, make_ratio_row
from benchmarks._sample_sizes import Effort
from benchmarks._upstream import make_completed_response
from threadbridge.api_types import CreateMessageBody, JsonObject, MessageObject
from threadbridge.context_window.tokens import add_token_counts, estimate_tokens
from threadbridge.engine.context import NullUpstream
from threadbridge.ports import Backend, Entry, Session, Store, UpstreamResponse
from threadbridge.runtime.clock_and_ids import new_id
from threadbridge.settings import HistoryMode, Settings
from threadbridge_adapters.composition import assemble_backend
from threadbridge_adapters.stores import open_store

BOUND = 1.1
SHORT_THREAD = 10
RUNS = 20
#: Larger than both threads: a truncated thread would be sent completely in every state mode.
WINDOW = 10_000_000
#: Messages per transaction while the threads are prepared.
BATCH_SIZE = 5_000
POLL_SECONDS = 0.005

_MESSAGE: CreateMessageBody = {"role": "user", "content": "A message of the usual length. " * 4}


class _CountingUpstream(NullUpstream):
    """An upstream that stores nothing and accepts every id."""

    def __init__(self) -> None:
        self.bytes_sent = 0
        self._response: dict[str, Any] = make_completed_response(deltas=10)
        self._numbers = count(1)

    async def create_response(self, body: bytes) -> UpstreamResponse:
        self.bytes_sent += len(body)
        return UpstreamResponse({**self._response, "id": f"resp_{next(self._numbers):050}"})

    async def request(self, method: str, path: str, body: JsonObject | None = None) -> JsonObject:  # noqa: ARG002  the port's signature
        self.bytes_sent += len(orjson.dumps(body))
        return {"id": f"conv_{next(self._numbers):048}"}


async def _fill_thread(backend: Backend, store: Store, messages: int) -> str:
    thread_id = str((await backend.create_thread(CONTEXT, {}))["id"])
    written: MessageObject = await backend.create_message(CONTEXT, thread_id, _MESSAGE)

    def append(start: int, session: Session) -> None:
        numbers = range(start, min(start + BATCH_SIZE, messages))
        entries = [Entry(message={**written, "id": new_id("msg")}) for _ in numbers]
        session.append_entries(thread_id, add_token_counts(entries, estimate_tokens))

    for start in range(1, messages, BATCH_SIZE):
        await store.write(partial(append, start), tenant="default")
    return thread_id


async def _run_to_completion(backend: Backend, thread_id: str, assistant_id: str) -> None:
    run = await backend.create_run(
        CONTEXT, thread_id, {"assistant_id": assistant_id, "additional_messages": [_MESSAGE]}
    )
    while run["status"] in ("queued", "in_progress"):
        await asyncio.sleep(POLL_SECONDS)
        run = (await backend.retrieve_run(CONTEXT, thread_id, run["id"])).run
    if run["status"] != "completed":
        raise RuntimeError(f"the run is {run['status']}: {run['last_error']}")


async def _measure_run_bytes(backend: Backend, store: Store, upstream: _CountingUpstream, messages: int) -> float:
    """Bytes sent by a run after the first one, which sends the whole thread."""
    assistant = await backend.create_assistant(CONTEXT, {"model": "gpt-4o", "instructions": "Be brief."})
    thread_id = await _fill_thread(backend, store, messages)
    await _run_to_completion(backend, thread_id, assistant["id"])
    before = upstream.bytes_sent
    for _ in range(RUNS):
        await _run_to_completion(backend, thread_id, assistant["id"])
    return (upstream.bytes_sent - before) / RUNS


async def _measure_row(history: HistoryMode, effort: Effort, path: Path) -> Row:
    settings = Settings.model_validate({"history": history, "truncation": {"context_tokens": WINDOW}})
    store, upstream = await open_store(f"sqlite:///{path}"), _CountingUpstream()
    backend = assemble_backend(settings, store=store, upstream=upstream)
    try:
        pair = (
            await _measure_run_bytes(backend, store, upstream, effort.long_thread),
            await _measure_run_bytes(backend, store, upstream, SHORT_THREAD),
        )
    finally:
        await backend.aclose()
    name = f"bytes a run sends on {effort.long_thread} messages, {history}"
    return make_ratio_row(name, "B", [pair], beside=f"{SHORT_THREAD} messages", bound=BOUND)


def measure(effort: Effort, directory: Path, log: Callable[[str], None]) -> list[Row]:
    """Rows for bytes sent. The number is deterministic, so it is measured once."""
    modes = [mode for mode in get_args(HistoryMode) if mode != "local"]
    log(f"running on threads of {effort.long_thread} messages, {' and '.join(modes)}")
    return [asyncio.run(_measure_row(mode, effort, directory / f"{mode}.db")) for mode in modes]

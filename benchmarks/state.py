"""The bytes that a run sends on a thread of 10,000 messages beside one of 10, where the service keeps the history.

In this process, through the responses backend. The upstream counts what it is sent and answers at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, get_args

import orjson

from benchmarks._effort import Effort
from benchmarks._rows import Row, compared
from benchmarks._upstream import completed
from threadbridge.context_window.token_counts import add_token_counts, estimate_tokens
from threadbridge.engine.null_upstream import NullUpstream
from threadbridge.ports import Backend, Entry, Session, Store, UpstreamResponse, Wire
from threadbridge.runtime.clock_and_ids import new_id
from threadbridge.settings import HistoryMode, Settings
from threadbridge_adapters.composition import assemble
from threadbridge_adapters.stores import open_store

BOUND = 1.1
SHORT_THREAD = 10
RUNS = 20
#: Beyond it a thread is cut, and sent whole whatever the service keeps.
WINDOW = 10_000_000
#: Messages written at once while the threads are made ready.
AT_ONCE = 5_000
SECONDS_BETWEEN_LOOKS = 0.005

_MESSAGE: Wire = {"role": "user", "content": "A message of the usual length. " * 4}


class _Upstream(NullUpstream):
    """Keeps nothing and believes everything."""

    def __init__(self) -> None:
        self.sent = 0
        self._answer: dict[str, Any] = completed(deltas=10)
        self._numbers = count(1)

    async def create_response(self, body: bytes) -> UpstreamResponse:
        self.sent += len(body)
        return UpstreamResponse({**self._answer, "id": f"resp_{next(self._numbers):050}"})

    async def request(self, method: str, path: str, body: Wire | None = None) -> Wire:  # noqa: ARG002  the port's signature
        self.sent += len(orjson.dumps(body))
        return {"id": f"conv_{next(self._numbers):048}"}


async def _thread(backend: Backend, store: Store, messages: int) -> str:
    thread_id = str((await backend.create_thread({}))["id"])
    written = await backend.create_message(thread_id, _MESSAGE)

    def append(start: int, session: Session) -> None:
        numbers = range(start, min(start + AT_ONCE, messages))
        entries = [Entry(message={**written, "id": new_id("msg")}) for _ in numbers]
        session.append_entries(thread_id, add_token_counts(entries, estimate_tokens))

    for start in range(1, messages, AT_ONCE):
        await store.write(partial(append, start), tenant="default")
    return thread_id


async def _run(backend: Backend, thread_id: str, assistant_id: str) -> None:
    run = await backend.create_run(thread_id, {"assistant_id": assistant_id, "additional_messages": [_MESSAGE]})
    while run["status"] in ("queued", "in_progress"):
        await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
        run = (await backend.retrieve_run(thread_id, run["id"])).run
    if run["status"] != "completed":
        raise RuntimeError(f"the run is {run['status']}: {run['last_error']}")


async def _bytes_of_runs(backend: Backend, store: Store, upstream: _Upstream, messages: int) -> float:
    """Bytes sent by a run, after the first one, which sends all there is."""
    assistant = await backend.create_assistant({"model": "gpt-4o", "instructions": "Be brief."})
    thread_id = await _thread(backend, store, messages)
    await _run(backend, thread_id, assistant["id"])
    before = upstream.sent
    for _ in range(RUNS):
        await _run(backend, thread_id, assistant["id"])
    return (upstream.sent - before) / RUNS


async def _row(history: HistoryMode, effort: Effort, path: Path) -> Row:
    settings = Settings.model_validate({"history": history, "truncation": {"context_tokens": WINDOW}})
    store, upstream = await open_store(f"sqlite:///{path}"), _Upstream()
    backend = assemble(settings, store=store, upstream=upstream)
    try:
        pair = (
            await _bytes_of_runs(backend, store, upstream, effort.long_thread),
            await _bytes_of_runs(backend, store, upstream, SHORT_THREAD),
        )
    finally:
        await backend.aclose()
    name = f"bytes a run sends on {effort.long_thread} messages, {history}"
    return compared(name, "B", [pair], beside=f"{SHORT_THREAD} messages", bound=BOUND)


def measure(effort: Effort, directory: Path, say: Callable[[str], None]) -> list[Row]:
    """The rows on bytes. What is sent does not vary, so once is enough."""
    kept = [mode for mode in get_args(HistoryMode) if mode != "local"]
    say(f"running on threads of {effort.long_thread} messages, {' and '.join(kept)}")
    return [asyncio.run(_row(mode, effort, directory / f"{mode}.db")) for mode in kept]

"""A run that sends the last 20 messages of a thread of 10,000, compared with one on a thread of 10.

Measured in this process on the responses backend itself, without the constant cost of HTTP.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import _processes
from benchmarks._request_context import CONTEXT
from benchmarks._results import Row, make_ratio_row
from benchmarks._sample_sizes import Effort
from threadbridge.api_types import CreateMessageBody, CreateRunBody
from threadbridge.ports import Backend
from threadbridge.settings import Settings, UpstreamSettings
from threadbridge_adapters.composition import open_backend

BOUND = 1.2
SHORT_THREAD = 10
LAST_MESSAGES = 20
#: Messages per transaction while the threads are prepared.
BATCH_SIZE = 100
SECONDS_TO_FINISH = 0.5


def _make_message(number: int) -> CreateMessageBody:
    return {
        "role": "user" if number % 2 == 0 else "assistant",
        "content": f"Message {number}, of the usual length. " * 4,
    }


async def _fill_thread(backend: Backend, messages: int) -> str:
    thread_id = str((await backend.create_thread(CONTEXT, {}))["id"])
    for start in range(0, messages, BATCH_SIZE):
        numbers = range(start, min(start + BATCH_SIZE, messages))
        await asyncio.gather(*(backend.create_message(CONTEXT, thread_id, _make_message(number)) for number in numbers))
    return thread_id


async def _measure_runs_cpu(backend: Backend, threads: list[str], body: CreateRunBody) -> float:
    """CPU milliseconds of this process per run, from its creation until it is retrieved as completed."""
    before = time.process_time()
    for thread_id in threads:
        run = await backend.create_run(CONTEXT, thread_id, body)
        await asyncio.sleep(SECONDS_TO_FINISH)
        status = (await backend.retrieve_run(CONTEXT, thread_id, run["id"])).run["status"]
        if status != "completed":
            raise RuntimeError(f"the run is {status} after {SECONDS_TO_FINISH} s")
    return (time.process_time() - before) / len(threads) * 1e3


async def _measure_pairs(backend: Backend, effort: Effort) -> list[tuple[float, float]]:
    assistant = await backend.create_assistant(CONTEXT, {"model": "gpt-4o", "instructions": "Be brief."})
    body: CreateRunBody = {
        "assistant_id": assistant["id"],
        "truncation_strategy": {"type": "last_messages", "last_messages": LAST_MESSAGES},
    }
    long_thread = await _fill_thread(backend, effort.long_thread)
    await _measure_runs_cpu(backend, [await _fill_thread(backend, SHORT_THREAD), long_thread], body)
    pairs: list[tuple[float, float]] = []
    for _ in range(effort.repeats):
        short_threads = [await _fill_thread(backend, SHORT_THREAD) for _ in range(effort.long_thread_runs)]
        on_long = await _measure_runs_cpu(backend, [long_thread] * effort.long_thread_runs, body)
        on_short = await _measure_runs_cpu(backend, short_threads, body)
        pairs.append((on_long, on_short))
    return pairs


async def _measure(effort: Effort, url: str, store: Path) -> list[tuple[float, float]]:
    upstream = UpstreamSettings.model_validate({"base_url": url, "api_key": "sk-benchmark"})
    backend = await open_backend(Settings(store=f"sqlite:///{store}", upstream=upstream))
    try:
        return await _measure_pairs(backend, effort)
    finally:
        await backend.aclose()


def measure(effort: Effort, directory: Path, log: Callable[[str], None]) -> list[Row]:
    """Rows for long threads."""
    log(f"writing a thread of {effort.long_thread} messages")
    with _processes.run_upstream() as upstream:
        pairs = asyncio.run(_measure(effort, upstream.url, directory / "store.db"))
    name = f"run with last_messages {LAST_MESSAGES} on {effort.long_thread} messages, CPU"
    return [make_ratio_row(name, "ms/run", pairs, beside=f"{SHORT_THREAD} messages", bound=BOUND)]

"""Runs through the gateway compared with LiteLLM's pass-through of `/v1/responses` and with direct requests.

A gateway's cost is the CPU time of its process and children. The sides are measured alternately on the same upstream.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import _litellm, _processes, _upstream
from benchmarks._litellm import MODEL
from benchmarks._processes import Server
from benchmarks._results import Row, make_delay_row, make_ratio_row
from benchmarks._sample_sizes import Effort
from benchmarks._service_client import ServiceClient, open_client

#: CPU of the gateway over CPU of LiteLLM's pass-through.
STREAMED_BOUND = 1 / 8
WHOLE_BOUND = 1 / 4
#: Milliseconds by which a first delta may be later than without a gateway.
FIRST_DELTA_BOUND = 5.0

PROMPT = "Say something long."
PACED_PROMPT = f"Say something long, {_upstream.PACED_MARKER}."
#: Runs created in sequence before the first one is retrieved.
BATCH = 20
SECONDS_TO_FINISH = 0.5


@dataclass(frozen=True, slots=True)
class Side:
    """One connection to the upstream: direct or through a gateway."""

    server: Server
    client: ServiceClient
    assistant_id: str = ""

    async def measure_cpu(self, work: Awaitable[object]) -> float:
        """CPU seconds of the server during `work`."""
        before = self.server.read_cpu_seconds()
        await work
        return self.server.read_cpu_seconds() - before

    async def create_thread(self, text: str) -> str:
        """A new thread with one user message."""
        created = await self.client.request("POST", "/threads", {"messages": [{"role": "user", "content": text}]})
        return str(created["id"])


async def stream_runs(ours: Side, threads: Sequence[str]) -> list[float]:
    """Stream a run on each thread; returns the seconds to the first delta."""
    body = {"assistant_id": ours.assistant_id, "stream": True}
    streams = [
        await ours.client.stream(f"/threads/{thread}/runs", body, delta=b"event: thread.message.delta")
        for thread in threads
    ]
    if not all(
        stream.body.rstrip().endswith(b"[DONE]") and b"thread.run.completed" in stream.body for stream in streams
    ):
        raise RuntimeError("a streamed run did not complete")
    return [stream.seconds_to_first_delta for stream in streams]


async def _stream_responses(side: Side, text: str, count: int) -> list[float]:
    """Stream responses directly or through LiteLLM; returns the seconds to the first delta."""
    body = {"model": MODEL, "input": text, "stream": True}
    streams = [await side.client.stream("/responses", body, delta=b"response.output_text.delta") for _ in range(count)]
    if not all(b"response.completed" in stream.body for stream in streams):
        raise RuntimeError("a streamed response did not complete")
    return [stream.seconds_to_first_delta for stream in streams]


async def poll_runs(ours: Side, threads: Sequence[str]) -> None:
    """Create a run on each thread, wait until it should be complete, then retrieve it once."""
    for start in range(0, len(threads), BATCH):
        batch = threads[start : start + BATCH]
        body = {"assistant_id": ours.assistant_id}
        runs = [await ours.client.request("POST", f"/threads/{thread}/runs", body) for thread in batch]
        await asyncio.sleep(SECONDS_TO_FINISH)
        for run in runs:
            current = await ours.client.request("GET", f"/threads/{run['thread_id']}/runs/{run['id']}")
            if current["status"] != "completed":
                raise RuntimeError(f"run {run['id']} is {current['status']} after {SECONDS_TO_FINISH} s")


async def _create_responses(side: Side, count: int) -> None:
    for _ in range(count):
        await side.client.request("POST", "/responses", {"model": MODEL, "input": PROMPT})


async def _measure_streamed_cpu(ours: Side, litellm: Side, effort: Effort, text: str, name: str) -> Row:
    pairs: list[tuple[float, float]] = []
    for _ in range(effort.repeats):
        threads = [await ours.create_thread(text) for _ in range(effort.streams)]
        events = effort.streams * _upstream.EVENTS
        our_cpu = await ours.measure_cpu(stream_runs(ours, threads))
        its_cpu = await litellm.measure_cpu(_stream_responses(litellm, text, effort.streams))
        pairs.append((our_cpu / events * 1e6, its_cpu / events * 1e6))
    return make_ratio_row(name, "us/event", pairs, beside="LiteLLM", bound=STREAMED_BOUND)


async def _measure_whole_cpu(ours: Side, litellm: Side, effort: Effort) -> Row:
    pairs: list[tuple[float, float]] = []
    for _ in range(effort.repeats):
        threads = [await ours.create_thread(PROMPT) for _ in range(effort.runs)]
        our_cpu = await ours.measure_cpu(poll_runs(ours, threads))
        its_cpu = await litellm.measure_cpu(_create_responses(litellm, effort.runs))
        pairs.append((our_cpu / effort.runs * 1e3, its_cpu / effort.runs * 1e3))
    return make_ratio_row("whole run, CPU", "ms/run", pairs, beside="LiteLLM", bound=WHOLE_BOUND)


async def _measure_first_delta(ours: Side, direct: Side, effort: Effort) -> Row:
    pairs: list[tuple[float, float]] = []
    for _ in range(effort.repeats * effort.streams):
        [our_time] = await stream_runs(ours, [await ours.create_thread(PACED_PROMPT)])
        [direct_time] = await _stream_responses(direct, PACED_PROMPT, 1)
        pairs.append((our_time * 1e3, direct_time * 1e3))
    return make_delay_row("streamed run, first delta", pairs, beside="direct", bound=FIRST_DELTA_BOUND)


async def _open_gateway_side(stack: AsyncExitStack, upstream: Server, directory: Path) -> Side:
    server = stack.enter_context(_processes.run_gateway(upstream.url, directory / "store.db"))
    client = await stack.enter_async_context(open_client(server.url))
    assistant = await client.request("POST", "/assistants", {"model": MODEL, "instructions": "Be brief."})
    side = Side(server, client, str(assistant["id"]))
    await stream_runs(side, [await side.create_thread(PROMPT)])
    await poll_runs(side, [await side.create_thread(PROMPT)])
    return side


async def _open_litellm_side(stack: AsyncExitStack, upstream: Server, directory: Path) -> Side:
    _litellm.install()
    server = stack.enter_context(_litellm.run_proxy(upstream.url, directory))
    side = Side(server, await stack.enter_async_context(open_client(server.url)))
    await _stream_responses(side, PROMPT, 3)
    await _create_responses(side, 3)
    return side


async def _measure(effort: Effort, directory: Path, log: Callable[[str], None]) -> list[Row]:
    async with AsyncExitStack() as stack:
        upstream = stack.enter_context(_processes.run_upstream())
        direct = Side(upstream, await stack.enter_async_context(open_client(upstream.url)))
        ours = await _open_gateway_side(stack, upstream, directory)
        rows = [await _measure_first_delta(ours, direct, effort)]
        try:
            litellm = await _open_litellm_side(stack, upstream, directory)
        except _litellm.LiteLLMUnavailable as error:
            log(f"skipped the comparison with LiteLLM: {error}")
            return rows
        log(f"LiteLLM {_litellm.read_version()}")
        return [
            await _measure_streamed_cpu(ours, litellm, effort, PROMPT, "streamed run, CPU, events at once"),
            await _measure_streamed_cpu(ours, litellm, effort, PACED_PROMPT, "streamed run, CPU, events one by one"),
            *rows,
            await _measure_whole_cpu(ours, litellm, effort),
        ]


def measure(effort: Effort, directory: Path, log: Callable[[str], None]) -> list[Row]:
    """Rows for the gateway; without the comparison with LiteLLM if it is not available."""
    return asyncio.run(_measure(effort, directory, log))

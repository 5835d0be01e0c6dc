"""Two checkouts of this project compared in one run. `python -m benchmarks.compare BEFORE [--quick] [--json]`

BEFORE is the path of another checkout with its own environment (`.venv`). Both gateways run at the same time, on their
own stores and in front of the same upstream, and are measured alternately.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from benchmarks import _processes, _upstream
from benchmarks._processes import Server
from benchmarks._results import Row, make_ratio_row
from benchmarks._sample_sizes import QUICK, Effort
from benchmarks._service_client import open_client
from benchmarks._table import format_table
from benchmarks.gateway import PACED_PROMPT, PROMPT, Side, poll_runs, stream_runs

#: CPU of the gateway over that of the other checkout.
TURN_BOUND, EVENT_BOUND, READ_BOUND, WRITE_BOUND = 1.0, 1.0, 1.02, 1.05
#: Requests of one side before the other is measured: the speed of machines changes within seconds.
BLOCK = 25

Work = Callable[[Side], Awaitable[int]]


async def _start(stack: AsyncExitStack, checkout: Path, upstream: Server, directory: Path, name: str) -> Side:
    server = stack.enter_context(
        _processes.run_gateway(upstream.url, directory / f"{name}.db", script=checkout / ".venv/bin/threadbridge")
    )
    client = await stack.enter_async_context(open_client(server.url))
    assistant = await client.request("POST", "/assistants", {"model": "gpt-4o", "instructions": "Be brief."})
    side = Side(server, client, str(assistant["id"]))
    await poll_runs(side, [await side.create_thread(PROMPT) for _ in range(5)])
    await stream_runs(side, [await side.create_thread(PROMPT) for _ in range(2)])
    return side


def _make_works(thread_ids: dict[str, str]) -> dict[str, tuple[str, float, Work]]:
    """The measured works: each returns the number of units that it did."""

    async def turn(side: Side) -> int:
        threads = [await side.create_thread(PROMPT) for _ in range(BLOCK)]
        await poll_runs(side, threads)
        return len(threads)

    async def stream(side: Side, prompt: str) -> int:
        threads = [await side.create_thread(prompt) for _ in range(2)]
        await stream_runs(side, threads)
        return len(threads) * _upstream.EVENTS

    async def read(side: Side) -> int:
        path = f"/threads/{thread_ids[side.server.url]}/messages"
        for _ in range(4 * BLOCK):
            await side.client.request("GET", path)
        return 4 * BLOCK

    async def write(side: Side) -> int:
        path = f"/threads/{await side.create_thread(PROMPT)}/messages"
        for _ in range(4 * BLOCK):
            await side.client.request("POST", path, {"role": "user", "content": "One more."})
        return 4 * BLOCK

    return {
        "gateway, whole turn, CPU": ("us/turn", TURN_BOUND, turn),
        "gateway, streamed events at once, CPU": ("us/event", EVENT_BOUND, lambda side: stream(side, PROMPT)),
        "gateway, streamed events one by one, CPU": ("us/event", EVENT_BOUND, lambda side: stream(side, PACED_PROMPT)),
        "gateway, list of messages, CPU": ("us/request", READ_BOUND, read),
        "gateway, new message, CPU": ("us/request", WRITE_BOUND, write),
    }


async def _measure_units(side: Side, work: Work) -> float:
    """CPU microseconds of the gateway per unit."""
    before = side.server.read_cpu_seconds()
    units = await work(side)
    return (side.server.read_cpu_seconds() - before) / units * 1e6


async def _measure_gateways(before: Path, effort: Effort, directory: Path, names: Sequence[str]) -> list[Row]:
    async with AsyncExitStack() as stack:
        upstream = stack.enter_context(_processes.run_upstream())
        ours = await _start(stack, _processes.ROOT, upstream, directory, "ours")
        other = await _start(stack, before, upstream, directory, "before")
        thread_ids = {side.server.url: await side.create_thread(PROMPT) for side in (ours, other)}
        rows: list[Row] = []
        for name, (unit, bound, work) in _make_works(thread_ids).items():
            if names and not any(part in name for part in names):
                continue
            pairs: list[tuple[float, float]] = []
            for repeat in range(4 * effort.repeats):
                first, second = (ours, other) if repeat % 2 else (other, ours)
                costs = {id(first): await _measure_units(first, work), id(second): await _measure_units(second, work)}
                pairs.append((costs[id(ours)], costs[id(other)]))
            rows.append(make_ratio_row(name, unit, pairs, beside="before", bound=bound))
            print(name, f"{rows[-1].result:.3f}", file=sys.stderr, flush=True)
        return rows


def main() -> int:
    """Measure and print; 1 if a bound is exceeded."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    parser.add_argument("before", type=Path, help="the other checkout, with its environment in .venv")
    parser.add_argument("names", nargs="*", help="only rows whose name contains one of these")
    parser.add_argument("--quick", action="store_true", help="a few requests each, as a smoke test")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="threadbridge-benchmark-") as directory:
        rows = asyncio.run(
            _measure_gateways(
                arguments.before.resolve(), QUICK if arguments.quick else Effort(), Path(directory), arguments.names
            )
        )
    print(json.dumps([row.to_json() for row in rows], indent=2) if arguments.json else format_table(rows))
    return 0 if all(row.holds for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

"""The longest gap of a stream while another client of the same gateway appends a message of 16 MiB."""

from __future__ import annotations

import asyncio
import statistics
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import orjson

from benchmarks import _processes
from benchmarks._results import Row
from benchmarks._sample_sizes import Effort
from benchmarks._service_client import ServiceClient, open_client
from benchmarks.gateway import MODEL, PACED_PROMPT

#: Milliseconds without an event, of an upstream that sends one every millisecond.
BOUND = 50.0
#: The largest body that the gateway accepts by default.
BODY_BYTES = 16 * 1024 * 1024


async def _measure_gap(client: ServiceClient, assistant_id: str) -> float:
    """The longest time in milliseconds between two pieces of a stream, without the start of the run and its end."""
    thread = await client.request("POST", "/threads", {"messages": [{"role": "user", "content": PACED_PROMPT}]})
    body = {"assistant_id": assistant_id, "stream": True}
    times = [
        at
        async for at, piece in client.iterate_pieces(f"/threads/{thread['id']}/runs", body)
        if b"thread.message.delta" in piece
    ]
    return max(later - earlier for earlier, later in pairwise(times)) * 1e3


async def _measure_longest_gap(url: str, appending: bool) -> float:
    """The longest gap of the streams that run, one after the other, until the message is stored."""
    async with open_client(url) as client:
        assistant = await client.request("POST", "/assistants", {"model": MODEL, "instructions": "Be brief."})
        await _measure_gap(client, str(assistant["id"]))
        if not appending:
            return await _measure_gap(client, str(assistant["id"]))
        thread = await client.request("POST", "/threads", {})
        command = (sys.executable, "-m", "benchmarks.large_message", url, str(thread["id"]))
        process = await asyncio.create_subprocess_exec(*command, cwd=_processes.ROOT)
        gaps: list[float] = []
        while process.returncode is None:
            gaps.append(await _measure_gap(client, str(assistant["id"])))
        if process.returncode != 0:
            raise RuntimeError("the message could not be appended")
        return max(gaps)


async def _append(url: str, thread_id: str) -> None:
    """Append the message. Runs in its own process, so that it does not delay the reader of the stream."""
    frame = orjson.dumps({"role": "user", "content": ""})
    sentence = "All work and no play makes Jack a dull boy. "
    content = (sentence * (BODY_BYTES // len(sentence) + 1))[: BODY_BYTES - len(frame)]
    await asyncio.sleep(0.2)  # until a stream has begun
    async with open_client(url) as client:
        await client.request("POST", f"/threads/{thread_id}/messages", {"role": "user", "content": content})


def measure(effort: Effort, directory: Path, log: Callable[[str], None]) -> list[Row]:
    """The row for the longest gap."""
    gaps: list[float] = []
    usual_gaps: list[float] = []
    with (
        _processes.run_upstream() as upstream,
        _processes.run_gateway(upstream.url, directory / "store.db") as gateway,
    ):
        for _ in range(effort.repeats):
            usual_gaps.append(asyncio.run(_measure_longest_gap(gateway.url, appending=False)))
            gaps.append(asyncio.run(_measure_longest_gap(gateway.url, appending=True)))
    log("longest gaps: " + ", ".join(f"{gap:.0f} ms" for gap in gaps))
    name = "longest gap of a stream while 16 MiB are appended"
    ours, other = statistics.median(gaps), statistics.median(usual_gaps)
    return [Row(name, "ms", ours, other, "nothing appended", "value", BOUND)]


if __name__ == "__main__":
    asyncio.run(_append(*sys.argv[1:]))

"""Loads and mirrors that are killed at any moment, against a service that limits, fails, is late and breaks off."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.asgi_server import serve_app
from tests.migrate.load.quirky_threads import ThreadParts, make_message, make_run, make_step, make_thread, write_archive
from tests.reliability.scenario import Evidence, Fault
from threadbridge_adapters.simulator import Simulator
from threadbridge_adapters.simulator import app as build_app
from threadbridge_migrate.mirror.conversation_ledger import open_ledger

#: Threads and messages of an archive, and kills until a load or mirror is completed and compared.
LOAD_THREADS, MIRROR_THREADS, MESSAGES = 600, 20, 30
KILLS_PER_ARCHIVE = 5

#: The share of requests that fail, and seconds of a late answer.
FAULT_SHARE, LATE_SECONDS = 0.1, 0.2

_MAIN = "from threadbridge_migrate.cli.application import main; main()"
_ENVIRONMENT = {"THREADBRIDGE_UPSTREAM__API_KEY": "sk-test-0123456789", "PATH": "/usr/bin:/bin"}


def kill_loads_and_mirrors(evidence: Evidence, kills: int, seed: int) -> None:
    """Kill `kills` processes, half of them loads and half mirrors; compare what the completed ones wrote."""
    asyncio.run(_perform(evidence, kills, random.Random(seed)))


async def _perform(evidence: Evidence, kills: int, rng: random.Random) -> None:
    while evidence.tried < kills:
        count = min(KILLS_PER_ARCHIVE, kills - evidence.tried)
        with tempfile.TemporaryDirectory() as folder:
            await _kill_loads(evidence, Path(folder), count, rng)
        count = min(KILLS_PER_ARCHIVE, kills - evidence.tried)
        with tempfile.TemporaryDirectory() as folder:
            await _kill_mirrors(evidence, Path(folder), count, rng)


def _make_threads(count: int) -> list[ThreadParts]:
    threads: list[ThreadParts] = []
    for n in range(count):
        thread_id = f"thread_{n:04}"
        messages = [make_message(thread_id, m, f"line {m}") for m in range(MESSAGES)]
        runs = [make_run(thread_id, m) for m in range(3)]
        steps = [make_step(run, 1, {"type": "tool_calls", "tool_calls": []}) for run in runs]
        threads.append((make_thread(thread_id), messages, runs, steps))
    return threads


async def _kill_loads(evidence: Evidence, folder: Path, count: int, rng: random.Random) -> None:
    archive = write_archive(folder / "archive", _make_threads(LOAD_THREADS))
    store = f"sqlite:///{folder}/threads.db"
    for _ in range(count):
        await _run(["load", str(archive), "--store", store], kill_after=rng.uniform(0.3, 1.5))
        evidence.tried += 1
    code, output = await _run(["load", str(archive), "--store", store])
    if code not in (0, 5):
        evidence.report(Fault.UNFINISHED, f"the last load ends with {code}: {output}")
    code, output = await _run(["check", str(archive), store])
    if code != 0:
        evidence.report(Fault.LOST, f"after loads: {output}")


async def _kill_mirrors(evidence: Evidence, folder: Path, count: int, rng: random.Random) -> None:
    archive = write_archive(folder / "archive", _make_threads(MIRROR_THREADS))
    store = f"sqlite:///{folder}/threads.db"
    await _run(["load", str(archive), "--store", store])
    simulator = Simulator()
    async with serve_app(_UnreliableApp(build_app(simulator), rng)) as url:
        command = ["mirror", "--store", store, "--upstream", f"{url}/v1"]
        for _ in range(count):
            await _run(command, kill_after=rng.uniform(0.5, 2.0))
            evidence.tried += 1
        code, output = await _run(command)
    if code not in (0, 5):
        evidence.report(Fault.UNFINISHED, f"the last mirror ends with {code}: {output}")
        return
    expected = [f"line {m}" for m in range(MESSAGES)]
    with open_ledger(folder / "threads.db.mirror.jsonl") as ledger:
        if len(ledger.records) != MIRROR_THREADS:
            evidence.report(Fault.LOST, f"the ledger has {len(ledger.records)} threads")
        for record in ledger.records.values():
            page = simulator.conversations.list_items(record.conversation, {"limit": "100", "order": "asc"})
            lines = [item["content"][0]["text"] for item in page["data"]]
            if lines != expected:
                fault = Fault.DOUBLED if len(lines) > len(set(lines)) else Fault.LOST
                evidence.report(fault, f"{record.thread} has {lines}")


async def _run(words: list[str], *, kill_after: float | None = None) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _MAIN, *words, env=_ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), kill_after)
    except TimeoutError:
        process.kill()
        output, _ = await process.communicate()
    return process.returncode, output.decode()


class _UnreliableApp:
    """An application of which a share of the requests fails, before or after it has performed them."""

    def __init__(self, app: Any, rng: random.Random) -> None:
        self._app = app
        self._rng = rng

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or self._rng.random() >= FAULT_SHARE:
            await self._app(scope, receive, send)
            return
        match self._rng.choice(["limited", "failed", "late", "lost", "broken"]):
            case "limited":
                await _respond(send, 429, b'{"error":{"message":"Slow down","code":"rate_limit_exceeded"}}')
            case "failed":
                await _respond(send, 500, b'{"error":{"message":"The server had an error"}}')
            case "late":
                await asyncio.sleep(LATE_SECONDS)
                await self._app(scope, receive, send)
            case outcome:
                await self._app(scope, receive, _discard)
                await (_respond(send, 502, b"") if outcome == "lost" else _respond(send, 200, b'{"object":"li'))


async def _respond(send: Any, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"retry-after", b"0")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _discard(_message: Any) -> None:
    """Drop the answer of the application."""

"""A disk that is full for a while: the limit of the gateway's process on the size of files stands for it."""

from __future__ import annotations

import asyncio
import random
import resource
import subprocess
import tempfile
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import openai
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.gateway_process import GatewayProcess
from tests.reliability.kills import LIFE_SETTINGS
from tests.reliability.ledger import Ledger, ThreadRecord
from tests.reliability.scenario import Evidence, Fault
from threadbridge_adapters.gateway import serve_in_thread
from threadbridge_adapters.simulator import Simulator
from threadbridge_adapters.simulator import app as create_simulator_app

CLIENTS = 4
FULL_SECONDS = 1.0
#: Requests to the model for each run and each time the disk was full: the turn that could not be stored, and its
#: repetitions after the pauses of the recovery.
MAX_MODEL_REQUESTS = 4


class CountingService:
    """The simulator, which counts requests for responses."""

    def __init__(self) -> None:
        self._app = create_simulator_app(Simulator())
        self._lock = threading.Lock()
        self.responses = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/v1/responses":
            with self._lock:
                self.responses += 1
        await self._app(scope, receive, send)


def fill_disk(evidence: Evidence, times: int, seed: int) -> None:
    """Let every write of the gateway fail for a second, `times` times, while clients use it."""
    with tempfile.TemporaryDirectory() as folder, _count_responses() as (service, upstream):
        settings = {**LIFE_SETTINGS, "THREADBRIDGE_STORE": f"sqlite:///{Path(folder) / 'threads.db'}"}
        gateway = GatewayProcess("--upstream", upstream, settings=settings, log=subprocess.DEVNULL)
        try:
            asyncio.run(_fill_disk(evidence, times, random.Random(seed), gateway))
        finally:
            gateway.close()
        most = MAX_MODEL_REQUESTS * (evidence.amounts["runs"] + 1)
        evidence.amounts["model requests"] = service.responses
        if service.responses > most:
            evidence.report(Fault.DOUBLED, f"{service.responses} requests to the model instead of at most {most}")


@contextmanager
def _count_responses() -> Generator[tuple[CountingService, str]]:
    service = CountingService()

    @asynccontextmanager
    async def open_service() -> AsyncGenerator[ASGIApp]:
        yield service

    with serve_in_thread(open_service()) as url:
        yield service, url


async def _fill_disk(evidence: Evidence, times: int, rng: random.Random, gateway: GatewayProcess) -> None:
    ledger = Ledger(evidence)
    async with openai.AsyncOpenAI(base_url=gateway.base_url, api_key="any", max_retries=0, timeout=60) as client:
        assistant = await client.beta.assistants.create(model="gpt-4o")
        stop = asyncio.Event()
        users = [asyncio.create_task(_use_gateway(f"c{n}", client, assistant.id, ledger, stop)) for n in range(CLIENTS)]
        for _ in range(times):
            await asyncio.sleep(rng.uniform(0.1, 0.5))
            _limit_file_size(gateway, rng.choice([0, 4096, 65_536, 1_000_000]))
            await asyncio.sleep(FULL_SECONDS)
            _limit_file_size(gateway, resource.RLIM_INFINITY)
            evidence.tried += 1
        await asyncio.sleep(0.2)
        stop.set()
        await asyncio.gather(*users)
        await ledger.verify(client)


def _limit_file_size(gateway: GatewayProcess, size: int) -> None:
    resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


async def _use_gateway(
    name: str, client: openai.AsyncOpenAI, assistant_id: str, ledger: Ledger, stop: asyncio.Event
) -> None:
    """Create threads with a message and a run until the scenario stops. Requests may fail with 500 and above."""
    number = 0
    while not stop.is_set():
        number += 1
        text = f"SLOW 0.02\nSAY number {number} of {name}"
        try:
            record = ThreadRecord((await client.beta.threads.create()).id)
            ledger.threads.append(record)
            record.unanswered[text] += 1
            await client.beta.threads.messages.create(record.id, role="user", content=text)
            record.unanswered[text] -= 1
            record.acknowledged[text] += 1
            record.unanswered_runs += 1
            stream: Any = await client.beta.threads.runs.create(record.id, assistant_id=assistant_id, stream=True)
            last = "nothing"
            async for event in stream:
                last = event.event
            if not last.startswith("thread.run."):
                ledger.evidence.report(Fault.UNTERMINATED, f"a stream of {record.id} ends with {last}")
        except openai.APIStatusError as error:
            ledger.evidence.amounts[f"HTTP {error.status_code}"] += 1
            if error.status_code < 500:
                ledger.evidence.report(Fault.UNEXPECTED, f"HTTP {error.status_code}: {error.message}")
        except openai.APIError:
            ledger.evidence.amounts["failed streams"] += 1
        await asyncio.sleep(0.05)

"""`kill -9` of gateways at random moments, while clients write messages and perform runs."""

from __future__ import annotations

import asyncio
import random
import subprocess
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import openai
from openai.types.beta import FunctionToolParam
from openai.types.beta.threads import Run

from tests.gateway_process import GatewayProcess
from tests.reliability.ledger import Ledger, ThreadRecord, submit_outputs
from tests.reliability.scenario import Evidence, Fault
from threadbridge_adapters.openai_http.httpx_compat import STREAM_ERRORS

T = TypeVar("T")

CLIENTS = 6
#: The seconds from a restart to the next kill, at most.
MAX_LIFE_SECONDS = 0.6
#: The seconds that a client pauses between two threads, at most.
MAX_PAUSE_SECONDS = 0.3
#: Repeats of a request whose response was lost: the first after half a second, so that a restart fits in.
REPEATS = 8
LIFE_SETTINGS = {
    "OPENAI_API_KEY": "any",
    "THREADBRIDGE_LIMITS__LEASE_SECONDS": "1",
    "THREADBRIDGE_LIMITS__RUN_EXPIRY_SECONDS": "86400",
}
WEATHER: FunctionToolParam = {"type": "function", "function": {"name": "get_weather"}}
#: What the SDK raises for a connection that was refused or lost, also in a stream.
LOST_CONNECTIONS: tuple[type[Exception], ...] = (openai.APIConnectionError, *STREAM_ERRORS)
_TERMINAL_EVENTS = tuple(
    f"thread.run.{status}" for status in ("completed", "failed", "incomplete", "cancelled", "expired")
)


def kill_one_process(evidence: Evidence, kills: int, seed: int) -> None:
    """Kill a gateway and start it again, `kills` times."""
    asyncio.run(_kill(evidence, kills, random.Random(seed), processes=1, repeats=0))


def kill_one_of_two_processes(evidence: Evidence, kills: int, seed: int) -> None:
    """Kill one of two gateways that share a store, so that the other one takes over its runs."""
    asyncio.run(_kill(evidence, kills, random.Random(seed), processes=2, repeats=0))


def kill_with_repeating_clients(evidence: Evidence, kills: int, seed: int) -> None:
    """Kill a gateway whose clients repeat a request that got no response, as the openai SDK does by default."""
    asyncio.run(_kill(evidence, kills, random.Random(seed), processes=1, repeats=REPEATS))


async def _kill(evidence: Evidence, kills: int, rng: random.Random, *, processes: int, repeats: int) -> None:
    ledger = Ledger(evidence)
    with tempfile.TemporaryDirectory() as folder, _start_gateways(Path(folder), processes) as gateways:
        async with _open_clients([gateways[n % processes].base_url for n in range(CLIENTS)], repeats) as clients:
            assistant = await clients[0].beta.assistants.create(model="gpt-4o", tools=[WEATHER])
            stop = asyncio.Event()
            users = [
                User(f"c{n}", client, assistant.id, ledger, random.Random(rng.random()), stop)
                for n, client in enumerate(clients)
            ]
            tasks = [asyncio.create_task(user.use_gateway()) for user in users]
            for _ in range(kills):
                await asyncio.sleep(rng.uniform(0.02, MAX_LIFE_SECONDS))
                gateway = rng.choice(gateways)
                gateway.kill()
                await asyncio.to_thread(gateway.start)
                evidence.tried += 1
            stop.set()
            await asyncio.gather(*tasks)
            await ledger.verify(clients[-1])
            if repeats:
                await _verify_thread_count(clients[0], ledger)


@contextmanager
def _start_gateways(folder: Path, count: int) -> Generator[list[GatewayProcess]]:
    settings = {**LIFE_SETTINGS, "THREADBRIDGE_STORE": f"sqlite:///{folder / 'threads.db'}"}
    gateways: list[GatewayProcess] = []
    try:
        for _ in range(count):
            gateways.append(GatewayProcess("--simulate", settings=settings, log=subprocess.DEVNULL))
        yield gateways
    finally:
        for gateway in gateways:
            gateway.close()


@asynccontextmanager
async def _open_clients(urls: list[str], repeats: int) -> AsyncGenerator[list[openai.AsyncOpenAI]]:
    clients = [openai.AsyncOpenAI(base_url=url, api_key="any", max_retries=repeats) for url in urls]
    try:
        yield clients
    finally:
        await asyncio.gather(*(client.close() for client in clients))


async def _verify_thread_count(client: openai.AsyncOpenAI, ledger: Ledger) -> None:
    """Every request for a thread was answered in the end, so there is one thread for each."""
    count, after = 0, None
    while True:
        page: Any = await client.get(
            "/threads",
            cast_to=object,
            options={"headers": {"OpenAI-Beta": "assistants=v2"}, "params": {"limit": 100, "after": after or ""}},
        )
        count += len(page["data"])
        if not page["has_more"]:
            break
        after = page["last_id"]
    for _ in range(count - len(ledger.threads)):
        ledger.evidence.report(Fault.DOUBLED, f"{count} threads instead of {len(ledger.threads)}")


@dataclass
class User:
    """A client that creates threads, writes and performs runs, and carries on after a lost response."""

    name: str
    client: openai.AsyncOpenAI
    assistant_id: str
    ledger: Ledger
    rng: random.Random
    stop: asyncio.Event
    _texts: int = field(default=0)

    async def use_gateway(self) -> None:
        """One thread after the other, until the scenario stops."""
        while not self.stop.is_set():
            try:
                await self._use_thread()
            except LOST_CONNECTIONS:
                await asyncio.sleep(0.05)
            except openai.APIStatusError as error:
                self.ledger.evidence.report(Fault.UNEXPECTED, f"HTTP {error.status_code}: {error.message}")
            await asyncio.sleep(self.rng.uniform(0, MAX_PAUSE_SECONDS))

    async def _use_thread(self) -> None:
        # Without a key a repeated request for a thread creates another one (docs/reference/repeated-requests.md).
        key = {"Idempotency-Key": f"{self.name} {self.rng.getrandbits(64)}"}
        record = ThreadRecord((await self.client.beta.threads.create(extra_headers=key)).id)
        self.ledger.threads.append(record)
        await self._write_message(record, self._choose_text())
        if self.rng.random() < 0.3:  # the same message twice, on purpose
            await self._write_message(record, f"SAY {self.name} again")
            await self._write_message(record, f"SAY {self.name} again")
        if self.rng.random() < 0.5:
            await self._perform_run(record)
        else:
            await self._stream_run(record)
        await self._write_message(record, self._choose_text())

    def _choose_text(self) -> str:
        """A text that no other message has, which the simulator answers at once, slowly, or with a call."""
        self._texts += 1
        directive = self.rng.choice(["SAY {}", "SLOW 0.05\nSAY one two three {}", "CALL get_weather {{}}\n{}"])
        return directive.format(f"number {self._texts} of {self.name}")

    async def _write_message(self, record: ThreadRecord, text: str) -> None:
        await self._request(
            self.client.beta.threads.messages.create(record.id, role="user", content=text), record.unanswered, text
        )
        record.acknowledged[text] += 1

    async def _request(self, request: Awaitable[T], unanswered: Counter[str], text: str) -> T:
        try:
            return await request
        except openai.APIConnectionError:
            unanswered[text] += 1
            raise

    async def _perform_run(self, record: ThreadRecord) -> None:
        runs = self.client.beta.threads.runs
        try:
            run = await runs.create(record.id, assistant_id=self.assistant_id)
        except openai.APIConnectionError:
            record.unanswered_runs += 1
            raise
        record.run_ids.add(run.id)
        await self._finish_run(run)

    async def _finish_run(self, run: Run) -> None:
        """Submit outputs until the run is terminal. The response to a repeated request may wait for them already."""
        while run.status in ("queued", "in_progress", "requires_action"):
            if run.required_action is not None:
                await submit_outputs(self.client, run)
            await asyncio.sleep(0.02)
            run = await self.client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)

    async def _stream_run(self, record: ThreadRecord) -> None:
        name, run_id = "", None
        try:
            stream: Any = await self.client.beta.threads.runs.create(
                record.id, assistant_id=self.assistant_id, stream=True
            )
            async for event in stream:
                name = event.event
                if run_id is None and name == "thread.run.created":
                    run_id = event.data.id
                    record.run_ids.add(run_id)
        except LOST_CONNECTIONS:
            record.unanswered_runs += run_id is None
            raise
        if name not in (*_TERMINAL_EVENTS, "thread.run.requires_action"):
            self.ledger.evidence.report(Fault.UNTERMINATED, f"a stream of {record.id} ends with {name!r}")
        if name == "thread.run.requires_action" and run_id is not None:
            await self._finish_run(await self.client.beta.threads.runs.retrieve(run_id, thread_id=record.id))

"""kill -9 at any point loses no accepted message and doubles none: a real process, really killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import openai
import pytest
from openai.types.beta.threads import Run
from openai.types.beta.threads.message_create_params import Attachment
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from threadbridge_adapters.gateway import serve_in_thread as serving_here
from threadbridge_adapters.simulator import Simulator
from threadbridge_adapters.simulator import app as simulator_app

LEASE_SECONDS = "1"
#: Nothing a run or a request begins is left alone for longer than this many seconds. A run that is to outlive a kill is
#: begun without: starting a process takes as long where the machine is busy.
BRIEFLY = {
    f"THREADBRIDGE_LIMITS__{name}": seconds
    for name, seconds in {
        "ABANDONED_SECONDS": "1",
        "RUN_EXPIRY_SECONDS": "5",
        "SUPPLY_SECONDS": "1",
        "BUSY_WAIT_SECONDS": "0",
    }.items()
}


class Gateway:
    """`threadbridge serve` on a store file, which may be killed and started again."""

    def __init__(self, store: Path, *, upstream: str | None = None, **environment: str) -> None:
        behind = ["--simulate"] if upstream is None else ["--upstream", upstream]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "THREADBRIDGE_"))}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "threadbridge_adapters.cli", "serve", *behind, "--port", "0"],
            env={
                **kept,
                "OPENAI_API_KEY": "any",
                "THREADBRIDGE_STORE": f"sqlite:///{store}",
                "THREADBRIDGE_LIMITS__LEASE_SECONDS": LEASE_SECONDS,
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        url = self.process.stdout.readline().removeprefix("Listening on ").strip()
        self.client = openai.OpenAI(base_url=url, api_key="any", max_retries=0)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.close()

    def close(self) -> None:
        self.client.close()
        self.process.terminate()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def serving(store: Path, *, upstream: str | None = None, **environment: str) -> Generator[Gateway]:
    gateway = Gateway(store, upstream=upstream, **environment)
    try:
        yield gateway
    finally:
        gateway.close()


def eventually(reached: Callable[[], bool]) -> None:
    for _ in range(200):
        if reached():
            return
        time.sleep(0.05)
    raise AssertionError("it does not come to that")


def finished(gateway: Gateway, run: Run) -> Run:
    """Poll for a while; the run may have to be taken up by the new process first."""
    found = run
    for _ in range(200):
        found = gateway.client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)
        if found.status not in ("queued", "in_progress"):
            return found
        time.sleep(0.05)
    raise AssertionError(f"the run is still {found.status}")


@pytest.mark.parametrize(
    ("seconds_before_the_kill", "history"), [(0.0, "local"), (0.15, "chained"), (0.6, "conversation")]
)
def test_a_killed_gateway_finishes_its_runs_after_the_restart(
    tmp_path: Path, seconds_before_the_kill: float, history: str
) -> None:
    store = tmp_path / "threads.db"
    with serving(store, THREADBRIDGE_HISTORY=history) as gateway:
        beta = gateway.client.beta
        assistant = beta.assistants.create(model="gpt-4o")
        runs: list[Run] = []
        for n in range(8):
            thread = beta.threads.create(messages=[{"role": "user", "content": f"SLOW 0.05\nSAY answer number {n}"}])
            runs.append(beta.threads.runs.create(thread.id, assistant_id=assistant.id))
        time.sleep(seconds_before_the_kill)
        gateway.kill()

    with serving(store, THREADBRIDGE_HISTORY=history) as gateway:
        ended = [finished(gateway, run) for run in runs]
        threads = [gateway.client.beta.threads.messages.list(run.thread_id, order="asc").data for run in runs]

    said = [
        [part.text.value for message in thread for part in message.content if part.type == "text"] for thread in threads
    ]
    assert [run.status for run in ended] == ["completed"] * 8
    assert said == [[f"SLOW 0.05\nSAY answer number {n}", f"answer number {n}"] for n in range(8)]


def contents(store: Path) -> list[Path]:
    """Every file in the directory of contents, whole or not."""
    return [path for path in store.with_name(f"{store.name}.files").rglob("*") if path.is_file()]


def test_a_gateway_killed_between_keeping_a_file_and_writing_its_turn_leaves_no_content_without_a_file(
    tmp_path: Path,
) -> None:
    store = tmp_path / "threads.db"
    with serving(store) as gateway:
        beta = gateway.client.beta
        assistant = beta.assistants.create(model="gpt-4o", tools=[{"type": "code_interpreter"}])
        text = "SLOW 0.05\nPYTHON save()\nWRITES sums.csv 1,2\nDRAWS chart.png\nSAY one two three [[sums.csv]] four"
        thread = beta.threads.create(messages=[{"role": "user", "content": text}])
        stream = beta.threads.runs.create(thread.id, assistant_id=assistant.id, stream=True)
        next(event for event in stream if event.event == "thread.message.delta")
        eventually(lambda: bool(contents(store)))
        gateway.kill()
    left_behind = {path.name for path in contents(store)}

    with serving(store, **BRIEFLY) as gateway:
        [run] = gateway.client.beta.threads.runs.list(thread.id).data
        ended = finished(gateway, run)
        files = gateway.client.files.list(purpose="assistants_output").data
        fetched = {gateway.client.files.content(file.id).content for file in files}
        eventually(lambda: not left_behind & {path.name for path in contents(store)})
    assert ended.status == "completed"
    assert b"1,2" in fetched
    assert sorted(path.read_bytes() for path in contents(store)) == sorted(fetched)


class Withholding:
    """A service that makes a vector store and does not say so before it may."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.made, self.may_say = threading.Event(), threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        makes = scope["type"] == "http" and (scope["method"], scope["path"]) == ("POST", "/v1/vector_stores")

        async def withheld(message: Message) -> None:
            self.made.set()
            while not self.may_say.is_set():
                await asyncio.sleep(0.01)
            await send(message)

        await self._app(scope, receive, withheld if makes else send)


@contextmanager
def withholding() -> Generator[tuple[Withholding, str]]:
    service = Withholding(simulator_app(Simulator()))

    @asynccontextmanager
    async def opened() -> AsyncGenerator[ASGIApp]:
        yield service

    with serving_here(opened()) as url:
        try:
            yield service, url
        finally:
            service.may_say.set()


def test_a_vector_store_whose_gateway_was_killed_before_it_heard_of_it_is_removed_by_the_next(tmp_path: Path) -> None:
    store = tmp_path / "threads.db"
    with (
        withholding() as (service, url),
        openai.OpenAI(base_url=url, api_key="any", max_retries=0) as behind,
        ThreadPoolExecutor(1) as asking,
    ):
        theirs = behind.files.create(file=("foods.txt", b"Filip likes cake."), purpose="assistants")
        with serving(store, upstream=url) as gateway:
            threads = gateway.client.beta.threads
            thread_id = threads.create().id
            attached: Attachment = {"file_id": theirs.id, "tools": [{"type": "file_search"}]}
            asked = asking.submit(threads.messages.create, thread_id, role="user", content="Hi", attachments=[attached])
            assert service.made.wait(10)
            gateway.kill()
        refused = asked.exception(10)
        service.may_say.set()
        left_behind = len(behind.vector_stores.list().data)

        with serving(store, upstream=url, **BRIEFLY) as gateway:
            eventually(lambda: not behind.vector_stores.list().data)
            written = gateway.client.beta.threads.messages.list(thread_id).data

    assert isinstance(refused, openai.APIConnectionError)
    assert (left_behind, written) == (1, [])

"""kill -9 at any point loses no accepted message and doubles none: a real process, really killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import openai
import pytest
from openai.types.beta.threads import Run

LEASE_SECONDS = "1"


class Gateway:
    """`threadbridge serve` on a store file, which may be killed and started again."""

    def __init__(self, store: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "THREADBRIDGE_"))}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "threadbridge_adapters.cli", "serve", "--simulate", "--port", "0"],
            env={
                **kept,
                "THREADBRIDGE_STORE": f"sqlite:///{store}",
                "THREADBRIDGE_LIMITS__LEASE_SECONDS": LEASE_SECONDS,
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
def serving(store: Path) -> Generator[Gateway]:
    gateway = Gateway(store)
    try:
        yield gateway
    finally:
        gateway.close()


def finished(gateway: Gateway, run: Run) -> Run:
    """Poll for a while; the run may have to be taken up by the new process first."""
    found = run
    for _ in range(200):
        found = gateway.client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)
        if found.status not in ("queued", "in_progress"):
            return found
        time.sleep(0.05)
    raise AssertionError(f"the run is still {found.status}")


@pytest.mark.parametrize("seconds_before_the_kill", [0.0, 0.15, 0.6])
def test_a_killed_gateway_finishes_its_runs_after_the_restart(tmp_path: Path, seconds_before_the_kill: float) -> None:
    store = tmp_path / "threads.db"
    with serving(store) as gateway:
        beta = gateway.client.beta
        assistant = beta.assistants.create(model="gpt-4o")
        runs: list[Run] = []
        for n in range(8):
            thread = beta.threads.create(messages=[{"role": "user", "content": f"SLOW 0.05\nSAY answer number {n}"}])
            runs.append(beta.threads.runs.create(thread.id, assistant_id=assistant.id))
        time.sleep(seconds_before_the_kill)
        gateway.kill()

    with serving(store) as gateway:
        ended = [finished(gateway, run) for run in runs]
        threads = [gateway.client.beta.threads.messages.list(run.thread_id, order="asc").data for run in runs]

    said = [
        [part.text.value for message in thread for part in message.content if part.type == "text"] for thread in threads
    ]
    assert [run.status for run in ended] == ["completed"] * 8
    assert said == [[f"SLOW 0.05\nSAY answer number {n}", f"answer number {n}"] for n in range(8)]

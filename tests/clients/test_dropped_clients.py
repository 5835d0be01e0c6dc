"""Clients that nobody closes leave no thread, no open file and no task behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this platform has no list of open files")

PROGRAM = """
import asyncio, gc, os, sys, threading, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)
import openai, threadbridge

STORE = sys.argv[2]

def neutral():
    threadbridge.connect(simulate=True, store=STORE).threads.create()

def sdk():
    threadbridge.wrap(openai.OpenAI(api_key="sk-test"), simulate=True, store=STORE).beta.threads.create()

async def async_neutral():
    client = await threadbridge.aconnect(simulate=True, store=STORE)
    await client.threads.create()

async def async_sdk():
    client = threadbridge.wrap(openai.AsyncOpenAI(api_key="sk-test"), simulate=True, store=STORE)
    await client.beta.threads.create()

def count():
    return threading.active_count(), len(os.listdir("/proc/self/fd"))

async def drop_clients(use):
    async def drop(times):
        for _ in range(times):
            used = use()
            if used is not None:
                await used
        gc.collect()
    await drop(1)
    await settle(lambda: False, 0.3)
    before = count()
    await drop(10)
    # The thread pool of the loop may start a thread meanwhile; each client that is kept would be another.
    await settle(lambda: all(now < then + 5 for now, then in zip(count(), before)), 10)
    print(all(now < then + 5 for now, then in zip(count(), before)), count(), before)

async def settle(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        gc.collect()
        await asyncio.sleep(0.02)

asyncio.run(drop_clients({"neutral": neutral, "sdk": sdk, "aneutral": async_neutral, "asdk": async_sdk}[sys.argv[1]]))
"""


def run_program(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("store", ["file", "memory"])
@pytest.mark.parametrize("kind", ["neutral", "sdk", "aneutral", "asdk"])
def test_clients_that_nobody_closes_are_collected(tmp_path: Path, kind: str, store: str) -> None:
    done = run_program(PROGRAM, kind, str(tmp_path / "threads.db") if store == "file" else ":memory:")

    assert done.stdout.startswith("True"), (done.stdout, done.stderr)


STREAM = """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
import gc, threadbridge

def open_stream():
    client = threadbridge.connect(simulate=True)
    thread = client.threads.create(messages=[{"role": "user", "content": "SLOW 1\\nSAY one two three four"}])
    assistant = client.assistants.create(model="gpt-4o")
    return client.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id)

with open_stream() as stream:
    gc.collect()
    names = [event.event for event in stream]
print(names[-1])
"""


def test_a_stream_outlives_the_last_reference_to_its_client() -> None:
    done = run_program(STREAM)

    assert (done.stdout, done.stderr) == ("thread.run.completed\n", "")

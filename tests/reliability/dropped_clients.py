"""Clients that nobody closes: what of them stays in threads, open files and memory."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.reliability.scenario import Evidence, Fault

#: Threads and open files of the loop's own thread pool, which may grow meanwhile.
ALLOWED_THREADS, ALLOWED_FILES = 4, 4
#: Growth of the resident memory over one batch of clients. Each client that is kept holds about a megabyte.
ALLOWED_MEGABYTES = 24
_SECONDS = 600.0

_PROGRAM = """
import asyncio, gc, json, os, sys, threading, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)
import openai, threadbridge

count, folder = int(sys.argv[1]), sys.argv[2]

def use_neutral(store):
    threadbridge.connect(simulate=True, store=store).threads.create()

def use_sdk(store):
    threadbridge.openai_client(simulate=True, store=store).beta.threads.create()

def use_wrapped(store):
    threadbridge.wrap(openai.OpenAI(api_key="any"), simulate=True, store=store).beta.threads.create()

def use_async(store):
    async def use():
        await threadbridge.async_openai_client(simulate=True, store=store).beta.threads.create()
    asyncio.run(use())

def drop_batch():
    for number in range(count):
        use = (use_neutral, use_sdk, use_wrapped, use_async)[number % 4]
        use(":memory:" if number % 8 < 4 else os.path.join(folder, "threads.db"))

def measure():
    for _ in range(100):
        gc.collect()
        time.sleep(0.02)
        if threading.active_count() <= 4:
            break
    pages = int(open("/proc/self/statm").read().split()[1])
    return threading.active_count(), len(os.listdir("/proc/self/fd")), pages * os.sysconf("SC_PAGE_SIZE") // 2**20

drop_batch()
before = measure()
drop_batch()
print(json.dumps([before, measure()]))
"""


def drop_clients(evidence: Evidence, clients: int, seed: int) -> None:
    """Use clients of every kind and drop them, two batches of `clients`; the second must leave nothing."""
    if not Path("/proc/self/statm").exists():
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", _PROGRAM, str(clients), folder]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    evidence.tried += clients
    if done.returncode != 0:
        evidence.report(Fault.UNEXPECTED, f"the program ended with {done.returncode}: {done.stderr[-500:]}")
        return
    before, after = json.loads(done.stdout)
    allowed = (ALLOWED_THREADS, ALLOWED_FILES, ALLOWED_MEGABYTES)
    for what, first, second, room in zip(("threads", "open files", "MB"), before, after, allowed, strict=True):
        if second > first + room:
            evidence.report(Fault.UNEXPECTED, f"{second} {what} after {clients} clients, {first} before them")

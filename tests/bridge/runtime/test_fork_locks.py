"""Locks that no other thread holds when the process forks."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")

PREAMBLE = """
import os, threading, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from threadbridge.runtime import fork_locks
from threadbridge.runtime.fork_locks import ForkLock

entered = threading.Event()

def child_acquires(*locks):
    pid = os.fork()
    if pid == 0:
        os._exit(0 if all(lock.try_acquire() for lock in locks) else 1)
    return os.waitpid(pid, 0)[1] == 0
"""


def run_program(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", PREAMBLE + program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_fork_waits_until_a_lock_is_free() -> None:
    done = run_program(
        """
lock, busy = ForkLock(), True

def work():
    global busy
    with lock:
        entered.set()
        time.sleep(0.2)
        busy = False

thread = threading.Thread(target=work)
thread.start()
entered.wait()
print(child_acquires(lock), busy)
thread.join()
print(lock.try_acquire())
"""
    )

    assert (done.stdout, done.stderr) == ("True False\nTrue\n", "")


def test_a_lock_that_is_held_for_ever_delays_a_fork_for_a_bounded_time() -> None:
    done = run_program(
        """
fork_locks.FORK_WAIT_SECONDS = 0.1
lock = ForkLock()

def work():
    with lock:
        entered.set()
        time.sleep(60)

threading.Thread(target=work, daemon=True).start()
entered.wait()
print(child_acquires(lock), lock.try_acquire())
"""
    )

    assert (done.stdout, done.stderr) == ("True False\n", "")


def test_a_lock_created_during_a_fork_waits_for_its_end() -> None:
    done = run_program(
        """
events = []

def work():
    with ForkLock():
        events.append("worked")

def before():
    thread.start()
    time.sleep(0.1)
    events.append("forked")

thread = threading.Thread(target=work)
lock = ForkLock(before)
child_acquires(lock)
thread.join()
print(events)
"""
    )

    assert (done.stdout, done.stderr) == ("['forked', 'worked']\n", "")

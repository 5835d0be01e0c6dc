"""Processes that share a file, are killed in the middle, fork, or end without a word."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.stored_objects import thread
from threadbridge.errors import StoreError
from threadbridge.ports import ObjectKind, Session, Store
from threadbridge_adapters.stores import open_store

ROOT = Path(__file__).parents[3]
WRITER = "tests.adapters.stores.writing_process"


def python(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def script(text: str, *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a short program."""
    with python("-c", text, *arguments) as process:
        out, err = process.communicate(timeout=30)
    return process.returncode, out, err


def written(session: Session) -> list[str]:
    page = session.get_page(ObjectKind.THREAD, limit=1_000_000, order="asc")
    return [body["id"] for body in page.data]


def message_counts(session: Session, names: Sequence[str]) -> Counter[int]:
    return Counter(len(session.list_entries(name)) for name in names)


@pytest.mark.parametrize("acknowledged", [1, 40, 300])
async def test_a_killed_process_loses_nothing_it_acknowledged(tmp_path: Path, acknowledged: int) -> None:
    path = str(tmp_path / "threads.db")
    with python("-m", WRITER, path, "w") as process:
        assert process.stdout is not None
        promised = [process.stdout.readline().strip() for _ in range(acknowledged)]
        process.kill()
        promised += process.stdout.read().split("\n")[:-1]

    store = await open_store(path)
    found = await store.read(written, tenant="t")
    counts = await store.read(lambda session: message_counts(session, found), tenant="t")
    await store.aclose()

    assert process.returncode == -9
    assert set(promised) <= set(found)
    assert len(found) == len(set(found)) < len(promised) + 64
    assert counts == {3: len(found)}


async def test_two_processes_create_and_write_one_file_at_once(tmp_path: Path) -> None:
    path = str(tmp_path / "threads.db")
    with python("-m", WRITER, path, "a", "200") as one, python("-m", WRITER, path, "b", "200") as two:
        outputs = [process.communicate(timeout=60) for process in (one, two)]

    store = await open_store(path)
    found = await store.read(written, tenant="t")
    await store.aclose()

    assert [(process.returncode, err) for process, (_, err) in zip((one, two), outputs, strict=True)] == [(0, "")] * 2
    assert sorted(found) == sorted(f"{name}_{n}" for name in "ab" for n in range(200))


LOCKING = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
"""


async def test_a_file_that_stays_locked_fails_the_write_and_not_the_reads(tmp_path: Path) -> None:
    path = tmp_path / "threads.db"
    store = await open_store(f"sqlite:///{path}?busy_timeout=0.05")
    with python("-c", LOCKING, str(path)) as process:
        assert process.stdout is not None
        process.stdout.readline()

        with pytest.raises(StoreError) as raised:
            await add_thread(store, "thread_1")
        seen = await store.read(written, tenant="t")
        process.communicate("\n")
    await add_thread(store, "thread_2")
    found = await store.read(written, tenant="t")
    await store.aclose()

    assert raised.value.message == (
        f"The store {path} could not be written (database is locked); another process is writing for too long; "
        "stop it, or raise busy_timeout in the store's URL."
    )
    assert seen == []
    assert found == ["thread_2"]


async def add_thread(store: Store, id_: str) -> None:
    await store.write(lambda session: session.add(ObjectKind.THREAD, thread(id_)), tenant="t")


FORKING = """
import asyncio, os, sys, warnings
from tests.stored_objects import thread
from threadbridge.ports import ObjectKind
from threadbridge_adapters.stores import open_store
warnings.simplefilter("ignore", DeprecationWarning)  # forking beside threads is the very thing tried here

def add(store, name):
    return store.write(lambda session: session.add(ObjectKind.THREAD, thread(name)), tenant="t")

async def opened():
    store = await open_store(sys.argv[1])
    await add(store, "parent_before")
    return store

async def child():
    await add(store, "child")
    count = len((await store.read(lambda s: s.get_page(ObjectKind.THREAD, limit=9, order="asc"), tenant="t")).data)
    await store.aclose()
    print("child saw", count, flush=True)

async def parent():
    await add(store, "parent_after")
    await store.aclose()

store = asyncio.run(opened())
pid = os.fork()
if pid == 0:
    try:
        asyncio.run(child())
    except Exception as error:
        print(type(error).__name__, error, flush=True)
    sys.exit(0)
os.waitpid(pid, 0)
asyncio.run(parent())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
async def test_a_forked_child_and_its_parent_both_go_on_with_the_file(tmp_path: Path) -> None:
    path = str(tmp_path / "threads.db")

    code, out, err = script(FORKING, path)

    store = await open_store(path)
    found = await store.read(written, tenant="t")
    await store.aclose()
    assert (code, out, err) == (0, "child saw 2\n", "")
    assert found == ["parent_before", "child", "parent_after"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
def test_a_store_in_memory_stays_with_the_parent(tmp_path: Path) -> None:
    code, out, err = script(FORKING, ":memory:")

    assert (code, err) == (0, "")
    assert out.startswith("StoreError The store is closed")


ABANDONING = """
import asyncio, sys
from tests.stored_objects import thread
from threadbridge.ports import ObjectKind
from threadbridge_adapters.stores import open_store

async def main():
    global store
    store = await open_store(sys.argv[1])
    await store.read(lambda session: session.get(ObjectKind.THREAD, "thread_1"), tenant="t")
    for n in range(100):
        asyncio.ensure_future(store.write(lambda s, n=n: s.add(ObjectKind.THREAD, thread(f"thread_{n}")), tenant="t"))
    await asyncio.sleep(0)

asyncio.run(main())
"""


async def test_a_process_that_forgets_its_store_ends_and_its_writes_are_kept(tmp_path: Path) -> None:
    path = str(tmp_path / "threads.db")

    code, out, err = script(ABANDONING, path)

    store = await open_store(path)
    found = await store.read(written, tenant="t")
    await store.aclose()
    assert (code, out, err) == (0, "", "")
    assert found == [f"thread_{n}" for n in range(100)]


FORKING_IN_TRANSACTIONS = """
import asyncio, os, sys, threading, warnings
from tests.stored_objects import thread
from threadbridge.ports import ObjectKind
from threadbridge_adapters.stores import open_store
warnings.simplefilter("ignore", DeprecationWarning)

def add(name, **options):
    return store.write(lambda session: session.add(ObjectKind.THREAD, thread(name)), tenant="t", **options)

def count():
    return store.read(lambda s: len(s.get_page(ObjectKind.THREAD, limit=10_000, order="asc").data), tenant="t")

async def keep_writing(name, large):
    number = 0
    while not stopping.is_set():
        await add(f"{name}_{number}", large=large)
        await count()
        number += 1
        started.set()
    return number

async def child(number):
    await add(f"child_{number}")
    await add(f"child_large_{number}", large=True)
    await count()

def write(name, large):
    written[name] = asyncio.run(keep_writing(name, large))

started, stopping, written = threading.Event(), threading.Event(), {}
store = asyncio.run(open_store(sys.argv[1]))
threads = [threading.Thread(target=write, args=(f"parent_{large}", large)) for large in (False, True)]
for each in threads:
    each.start()
started.wait()
codes = []
for number in range(10):
    pid = os.fork()
    if pid == 0:
        import signal
        signal.alarm(20)
        asyncio.run(child(number))
        os._exit(0)
    codes.append(os.waitpid(pid, 0)[1])
stopping.set()
for each in threads:
    each.join()

async def end():
    print(codes == [0] * 10, await count() == sum(written.values()) + 20)
    await store.aclose()

asyncio.run(end())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
def test_children_forked_while_other_threads_write_work_and_nothing_is_lost(tmp_path: Path) -> None:
    code, out, err = script(FORKING_IN_TRANSACTIONS, str(tmp_path / "threads.db"))

    assert (code, out, err) == (0, "True True\n", "")


CLOSED_AT_FORK = """
import asyncio, os, sys, warnings
from tests.stored_objects import thread
from threadbridge.ports import ObjectKind
from threadbridge_adapters.stores import open_store
warnings.simplefilter("ignore", DeprecationWarning)

async def use():
    global store
    store = await open_store(sys.argv[1])
    for large in (False, True):
        await store.write(lambda s: s.add(ObjectKind.THREAD, thread(f"thread_{large}")), tenant="t", large=large)
        await store.read(lambda s: s.get(ObjectKind.THREAD, "thread_1"), tenant="t")

def list_open_files():
    paths = [os.path.realpath(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")]
    return sum(path.startswith(os.path.realpath(sys.argv[1])) for path in paths)

asyncio.run(use())
print(list_open_files() > 0, flush=True)
pid = os.fork()
if pid == 0:
    print(list_open_files(), flush=True)
    os._exit(0)
os.waitpid(pid, 0)
"""


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this platform has no list of open files")
def test_a_child_inherits_no_open_file_of_the_store(tmp_path: Path) -> None:
    code, out, err = script(CLOSED_AT_FORK, str(tmp_path / "threads.db"))

    assert (code, out, err) == (0, "True\n0\n", "")


SWITCHING = """
import asyncio, sys, threading
from tests.stored_objects import thread
from threadbridge.ports import ObjectKind
from threadbridge_adapters.stores import open_store
from threadbridge_adapters.stores.sqlite.transactions import TransactionRequest

def add(name):
    return store.write(lambda session: session.add(ObjectKind.THREAD, thread(name)), tenant="t", large=True)

async def main():
    global store
    store = await open_store(sys.argv[1])
    store.reset_after_fork()
    start, others = threading.Thread.start, []
    def switch(started):
        threading.Thread.start = start
        request = TransactionRequest(lambda s: s.add(ObjectKind.THREAD, thread("second")), tenant="t", writes=True)
        others.append(store.scheduler.writer.submit(request))
        start(started)
    threading.Thread.start = switch
    await add("first")
    await others[0]
    await store.aclose()
    print("both written")

asyncio.run(main())
"""


def test_a_start_of_a_worker_that_lets_another_caller_run_blocks_neither(tmp_path: Path) -> None:
    # Under gevent the start of a thread switches to other greenlets of the same thread.
    code, out, err = script(SWITCHING, str(tmp_path / "threads.db"))

    assert (code, out, err) == (0, "both written\n", "")

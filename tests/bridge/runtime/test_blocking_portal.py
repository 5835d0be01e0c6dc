from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor

import pytest

from threadbridge.runtime._at_once import begin, may_wait
from threadbridge.runtime.blocking_portal import READ_AHEAD, Portal, portal


class Counting:
    """Yields numbers up to a bound; knows how far it was read and whether it was closed."""

    def __init__(self, end: int, *, fail: Exception | None = None) -> None:
        self.read = 0
        self.closed = threading.Event()
        self._end = end
        self._fail = fail

    def __aiter__(self) -> AsyncIterator[int]:
        return self._numbers()

    async def _numbers(self) -> AsyncIterator[int]:
        try:
            for number in range(self._end):
                self.read += 1
                yield number
            if self._fail is not None:
                raise self._fail
        finally:
            self.closed.set()


async def echo(value: str) -> str:
    await asyncio.sleep(0)
    return value


async def test_a_result_comes_back_even_inside_a_running_loop() -> None:
    assert portal().run(echo("hello")) == "hello"


def test_what_a_coroutine_raises_is_raised_to_the_caller() -> None:
    async def fail() -> None:
        raise LookupError("nothing there")

    with pytest.raises(LookupError, match="nothing there"):
        portal().run(fail())


def test_many_threads_share_one_loop() -> None:
    async def loop_id() -> int:
        await asyncio.sleep(0.001)
        return id(asyncio.get_running_loop())

    with ThreadPoolExecutor(16) as pool:
        loops = set(pool.map(lambda _: portal().run(loop_id()), range(64)))

    assert len(loops) == 1


def test_a_call_from_the_portals_own_thread_is_refused_and_does_not_hang() -> None:
    async def ask_again() -> str:
        return portal().run(echo("never"))

    with pytest.raises(RuntimeError, match="use AsyncThreadBridge in asynchronous code"):
        portal().run(ask_again())


def test_a_coroutine_that_exits_does_not_take_the_loop_along() -> None:
    async def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        portal().run(leave())

    assert portal().run(echo("still here")) == "still here"


def test_a_caller_waits_no_longer_than_asked_and_the_work_is_cancelled() -> None:
    cancelled = threading.Event()

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(TimeoutError):
        portal().run(hang(), timeout=0.02)

    assert cancelled.wait(5)


def test_the_task_of_a_caller_who_left_is_dealt_with_as_told() -> None:
    left, finished = list["asyncio.Task[str]"](), threading.Event()

    async def work() -> str:
        await asyncio.sleep(0.05)
        finished.set()
        return "all the same"

    with pytest.raises(TimeoutError):
        portal().run(work(), timeout=0, leave=left.append)

    assert finished.wait(5)
    assert [portal().run(echo(task.result())) for task in left] == ["all the same"]


def test_what_is_begun_by_hand_gets_a_task_only_to_wait() -> None:
    async def work(*, waits: bool) -> tuple[bool, bool]:
        if waits:
            await may_wait()
            await asyncio.sleep(0)
        return asyncio.current_task() is not None, asyncio.get_running_loop() is portal().loop

    assert portal().run(work(waits=False), by_hand=True) == (False, True)
    assert portal().run(work(waits=True), by_hand=True) == (True, True)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError, ValueError),
        (SystemExit, SystemExit),
        (KeyboardInterrupt, KeyboardInterrupt),
        (asyncio.CancelledError, CancelledError),
    ],
)
def test_what_is_begun_by_hand_raises_to_its_caller_alone(
    error: type[BaseException], told: type[BaseException]
) -> None:
    async def fail() -> None:
        raise error

    with pytest.raises(told):
        portal().run(fail(), by_hand=True)

    assert portal().run(echo("still here")) == "still here"


def test_an_endless_patience_is_none_too_long_for_a_lock() -> None:
    assert portal().run(echo("hello"), timeout=float("inf")) == "hello"


async def where() -> tuple[int, bool]:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return threading.get_ident(), False
    return threading.get_ident(), True


def test_what_need_not_wait_is_done_on_the_callers_thread() -> None:
    assert portal().begin(where()) == (threading.get_ident(), False)


def test_what_may_wait_goes_on_on_the_loop_from_there() -> None:
    async def look_twice() -> list[tuple[int, bool]]:
        before = await where()
        await may_wait()
        return [before, await where()]

    before, after = portal().begin(look_twice())

    assert before == (threading.get_ident(), False)
    assert after == portal().run(where())


def test_what_may_wait_is_waited_for_no_longer_than_asked() -> None:
    async def hang() -> None:
        await may_wait()
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        portal().begin(hang(), timeout=0.02)


async def test_a_task_made_while_something_is_begun_is_an_ordinary_one() -> None:
    steps = list[str]()

    async def other() -> None:
        await may_wait()
        steps.append("other")

    async def work() -> asyncio.Task[None]:
        return asyncio.create_task(other())

    done = begin(work())
    await asyncio.sleep(0)

    assert done is not None
    assert steps == ["other"]


async def test_what_is_on_a_loop_already_may_wait_without_ado() -> None:
    turns = list[str]()

    async def other() -> None:
        turns.append("other")

    waiting = asyncio.create_task(other())
    await may_wait()
    turns.append("this")
    await waiting

    assert turns == ["this", "other"]


def test_what_is_begun_raises_to_its_caller() -> None:
    async def fail() -> None:
        raise LookupError("nothing there")

    with pytest.raises(LookupError, match="nothing there"):
        portal().begin(fail())


def test_whoever_waits_without_having_said_so_is_told_and_closed() -> None:
    closed = threading.Event()

    async def wait_for_another_loop() -> None:
        try:
            await asyncio.wrap_future(Future[None](), loop=portal().loop)
        finally:
            closed.set()

    with pytest.raises(RuntimeError, match="did not say before that it may wait"):
        portal().begin(wait_for_another_loop())

    assert closed.is_set()


async def test_a_begun_call_from_the_portals_own_thread_is_refused() -> None:
    async def ask_again() -> tuple[int, bool]:
        return portal().begin(where())

    with pytest.raises(RuntimeError, match="use AsyncThreadBridge in asynchronous code"):
        portal().run(ask_again())


def test_items_come_in_order_and_all_of_them() -> None:
    source = Counting(10 * READ_AHEAD)

    numbers = list(portal().iterate(aiter(source)))

    assert numbers == list(range(10 * READ_AHEAD))
    assert source.closed.is_set()


def test_what_the_source_raises_comes_after_what_it_yielded() -> None:
    reader = portal().iterate(aiter(Counting(3, fail=ValueError("broken"))))
    seen = list[int]()

    with pytest.raises(ValueError, match="broken"):
        seen.extend(reader)

    assert next(reader, "ended") == "ended"


def test_reading_ahead_is_bounded() -> None:
    source = Counting(10**9)
    reader = portal().iterate(aiter(source))

    next(reader)
    time.sleep(0.05)
    read = source.read
    reader.close()

    assert READ_AHEAD <= read <= 3 * READ_AHEAD


def test_closing_early_closes_the_source() -> None:
    source = Counting(10**9)
    reader = portal().iterate(aiter(source))
    next(reader)

    reader.close()

    assert source.closed.is_set()
    assert list(reader) == []


def test_dropping_a_reader_closes_the_source() -> None:
    source = Counting(10**9)
    reader = portal().iterate(aiter(source))
    next(reader)

    del reader
    gc.collect()

    assert source.closed.wait(5)


def test_closing_calls_the_closers_and_cancels_the_rest() -> None:
    own = Portal()
    closed, cancelled = threading.Event(), threading.Event()

    async def close() -> None:
        closed.set()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async def begin() -> None:
        tasks.append(asyncio.create_task(work()))
        await asyncio.sleep(0)

    tasks = list["asyncio.Task[None]"]()
    own.at_exit(close)
    own.run(begin())

    own.close(within=5)

    assert closed.is_set()
    assert cancelled.is_set()


def test_a_closer_that_never_ends_holds_nobody_up() -> None:
    own = Portal()

    async def hang() -> None:
        await asyncio.Event().wait()

    own.at_exit(hang)
    began = time.monotonic()

    own.close(within=0.1)

    assert time.monotonic() - began < 2


def test_a_forgotten_closer_is_not_called() -> None:
    own = Portal()
    called = threading.Event()

    async def close() -> None:
        called.set()

    forget = own.at_exit(close)
    forget()

    own.close(within=1)

    assert not called.is_set()


def run_python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_end_of_the_process_closes_what_was_left_open() -> None:
    done = run_python(
        "import asyncio\n"
        "from threadbridge.runtime.blocking_portal import portal\n"
        "async def close():\n"
        "    await asyncio.to_thread(print, 'closed on a worker thread')\n"
        "portal().at_exit(close)\n"
    )

    assert (done.stdout, done.stderr) == ("closed on a worker thread\n", "")


def test_an_interrupt_cancels_the_work() -> None:
    done = run_python(
        "import asyncio, os, signal, threading\n"
        "from threadbridge.runtime.blocking_portal import portal\n"
        "async def work():\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "        await asyncio.sleep(30)\n"
        "    except asyncio.CancelledError:\n"
        "        os.write(1, b'cancelled ')\n"
        "        raise\n"
        "try:\n"
        "    portal().run(work())\n"
        "except KeyboardInterrupt:\n"
        "    os.write(1, b'interrupted ')\n"
    )

    assert sorted(done.stdout.split()) == ["cancelled", "interrupted"]
    assert done.stderr == ""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_gets_a_loop_of_its_own() -> None:
    done = run_python(
        "import os\n"
        "from threadbridge.runtime.blocking_portal import portal\n"
        "async def pid(): return os.getpid()\n"
        "parent = portal()\n"
        "assert parent.run(pid()) == os.getpid()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    assert portal() is not parent\n"
        "    print(portal().run(pid()) == os.getpid(), flush=True)\n"
        "    os._exit(0)\n"
        "os.waitpid(child, 0)\n"
        "print(portal() is parent, parent.run(pid()) == os.getpid())\n"
    )

    assert (done.stdout, done.stderr) == ("True\nTrue True\n", "")

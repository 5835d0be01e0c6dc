from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest

from threadbridge.runtime.blocking_portal import READ_AHEAD_ITEMS, BlockingPortal, get_portal


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
    assert get_portal().run(echo("hello")) == "hello"


def test_what_a_coroutine_raises_is_raised_to_the_caller() -> None:
    async def fail() -> None:
        raise LookupError("nothing there")

    with pytest.raises(LookupError, match="nothing there"):
        get_portal().run(fail())


def test_many_threads_share_one_loop() -> None:
    async def loop_id() -> int:
        await asyncio.sleep(0.001)
        return id(asyncio.get_running_loop())

    with ThreadPoolExecutor(16) as pool:
        futures = [pool.submit(lambda: get_portal().run(loop_id())) for _ in range(64)]
        loops = {future.result() for future in futures}

    assert len(loops) == 1


def test_a_call_from_the_portals_own_thread_is_refused_and_does_not_hang() -> None:
    async def ask_again() -> str:
        return get_portal().run(echo("never"))

    with pytest.raises(RuntimeError, match="use AsyncThreadBridge in asynchronous code"):
        get_portal().run(ask_again())


def test_a_coroutine_that_exits_does_not_take_the_loop_along() -> None:
    async def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        get_portal().run(leave())

    assert get_portal().run(echo("still here")) == "still here"


def test_a_caller_waits_no_longer_than_asked_and_the_work_is_cancelled() -> None:
    cancelled = threading.Event()

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(TimeoutError):
        get_portal().run(hang(), timeout=0.02)

    assert cancelled.wait(5)


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (ValueError, ValueError),
        (SystemExit, SystemExit),
        (KeyboardInterrupt, KeyboardInterrupt),
        (asyncio.CancelledError, CancelledError),
    ],
)
def test_an_exception_reaches_the_caller_and_leaves_the_loop_running(
    error: type[BaseException], raised: type[BaseException]
) -> None:
    async def fail() -> None:
        raise error

    with pytest.raises(raised):
        get_portal().run(fail())

    assert get_portal().run(echo("still here")) == "still here"


def test_an_infinite_timeout_is_accepted() -> None:
    assert get_portal().run(echo("hello"), timeout=float("inf")) == "hello"


def test_items_come_in_order_and_all_of_them() -> None:
    source = Counting(10 * READ_AHEAD_ITEMS)

    numbers = list(get_portal().iterate(aiter(source)))

    assert numbers == list(range(10 * READ_AHEAD_ITEMS))
    assert source.closed.is_set()


def test_what_the_source_raises_comes_after_what_it_yielded() -> None:
    reader = get_portal().iterate(aiter(Counting(3, fail=ValueError("broken"))))
    seen = list[int]()

    with pytest.raises(ValueError, match="broken"):
        seen.extend(reader)

    assert next(reader, "ended") == "ended"


def test_reading_ahead_is_bounded() -> None:
    source = Counting(10**9)
    reader = get_portal().iterate(aiter(source))

    next(reader)
    time.sleep(0.05)
    read = source.read
    reader.close()

    assert READ_AHEAD_ITEMS <= read <= 3 * READ_AHEAD_ITEMS


def test_closing_early_closes_the_source() -> None:
    source = Counting(10**9)
    reader = get_portal().iterate(aiter(source))
    next(reader)

    reader.close()

    assert source.closed.is_set()
    assert list(reader) == []


def test_dropping_a_reader_closes_the_source() -> None:
    source = Counting(10**9)
    reader = get_portal().iterate(aiter(source))
    next(reader)

    del reader
    gc.collect()

    assert source.closed.wait(5)


def test_closing_calls_the_closers_and_cancels_the_rest() -> None:
    own = BlockingPortal().start()
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
    own.register_exit_callback(close)
    own.run(begin())

    own.close(timeout=5)

    assert closed.is_set()
    assert cancelled.is_set()


def test_a_closer_that_never_ends_holds_nobody_up() -> None:
    own = BlockingPortal().start()

    async def hang() -> None:
        await asyncio.Event().wait()

    own.register_exit_callback(hang)
    began = time.monotonic()

    own.close(timeout=0.1)

    assert time.monotonic() - began < 2


def test_a_forgotten_closer_is_not_called() -> None:
    own = BlockingPortal().start()
    called = threading.Event()

    async def close() -> None:
        called.set()

    forget = own.register_exit_callback(close)
    forget()

    own.close(timeout=1)

    assert not called.is_set()


def run_python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_end_of_the_process_closes_what_was_left_open() -> None:
    done = run_python(
        "import asyncio\n"
        "from threadbridge.runtime.blocking_portal import get_portal\n"
        "async def close():\n"
        "    await asyncio.to_thread(print, 'closed on a worker thread')\n"
        "get_portal().register_exit_callback(close)\n"
    )

    assert (done.stdout, done.stderr) == ("closed on a worker thread\n", "")


def test_an_interrupt_cancels_the_work() -> None:
    done = run_python(
        "import asyncio, os, signal, threading\n"
        "from threadbridge.runtime.blocking_portal import get_portal\n"
        "async def work():\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "        await asyncio.sleep(30)\n"
        "    except asyncio.CancelledError:\n"
        "        os.write(1, b'cancelled ')\n"
        "        raise\n"
        "try:\n"
        "    get_portal().run(work())\n"
        "except KeyboardInterrupt:\n"
        "    os.write(1, b'interrupted ')\n"
    )

    assert sorted(done.stdout.split()) == ["cancelled", "interrupted"]
    assert done.stderr == ""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_gets_a_loop_of_its_own() -> None:
    done = run_python(
        "import os\n"
        "from threadbridge.runtime.blocking_portal import get_portal\n"
        "async def pid(): return os.getpid()\n"
        "parent = get_portal()\n"
        "assert parent.run(pid()) == os.getpid()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    assert get_portal() is not parent\n"
        "    print(get_portal().run(pid()) == os.getpid(), flush=True)\n"
        "    os._exit(0)\n"
        "os.waitpid(child, 0)\n"
        "print(get_portal() is parent, parent.run(pid()) == os.getpid())\n"
    )

    assert (done.stdout, done.stderr) == ("True\nTrue True\n", "")


def test_a_start_of_the_thread_that_lets_another_caller_run_blocks_neither() -> None:
    # Under gevent the start of a thread switches to other greenlets of the same thread.
    done = run_python(
        "import threading\n"
        "from threadbridge.runtime.blocking_portal import get_portal\n"
        "async def answer(): return 'answered'\n"
        "start, portals = threading.Thread.start, []\n"
        "def switch(thread):\n"
        "    threading.Thread.start = start\n"
        "    portals.append(get_portal())\n"
        "    start(thread)\n"
        "threading.Thread.start = switch\n"
        "print(get_portal() is portals[0], get_portal().run(answer()))\n"
    )

    assert (done.stdout, done.stderr) == ("True answered\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_the_loop_is_between_two_callbacks_when_the_process_forks() -> None:
    done = run_python(
        "import os, time\n"
        "from threadbridge.runtime.blocking_portal import get_portal\n"
        "busy = False\n"
        "async def work():\n"
        "    global busy\n"
        "    busy = True\n"
        "    time.sleep(0.2)\n"
        "    busy = False\n"
        "import asyncio\n"
        "portal = get_portal()\n"
        "future = asyncio.run_coroutine_threadsafe(work(), portal.loop)\n"
        "while not busy: time.sleep(0.001)\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(int(busy))\n"
        "print(os.waitpid(child, 0)[1], future.result(5))\n"
    )

    assert (done.stdout, done.stderr) == ("0 None\n", "")

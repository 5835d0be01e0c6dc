"""The one event loop behind every synchronous face of this process.

Backends are asynchronous. A program that is not gets a daemon thread running an event loop, made at first use and
shared by everything synchronous: `ThreadBridge`, the SDK transport, the commands. Because it is a thread of its own,
it works inside a running loop (notebooks) as well. After `fork` the child makes itself a new one.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")

#: Seconds that the end of the process waits for what still runs on the loop.
EXIT_TIMEOUT_SECONDS = 10.0
#: Items that the producer of `Portal.iterate` may be ahead of its reader before it waits.
READ_AHEAD_ITEMS = 256


class BlockingPortal:
    """Runs coroutines on a loop in another thread, for callers in any number of threads."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self.loop = asyncio.new_event_loop()
        self._exit_callbacks: dict[int, Callable[[], Awaitable[None]]] = {}
        self._closing = False
        self._thread = threading.Thread(target=self._run_loop, name="threadbridge-portal", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T], *, timeout: float | None = None) -> T:
        """The result of a coroutine that runs on the loop; raises what it raises.

        Where the caller stops waiting, after `timeout` seconds (TimeoutError) or for an interrupt, the coroutine is
        cancelled. Raises CancelledError (of `concurrent.futures`) if it was cancelled by other code, and RuntimeError
        on the portal's own thread, where waiting could never end, or if the loop has ended.
        """
        try:
            self._check_caller()
            future = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        except RuntimeError:
            coroutine.close()
            raise
        try:
            # A lock takes no endless times.
            return future.result(None if timeout is None else min(timeout, threading.TIMEOUT_MAX))
        finally:
            future.cancel()  # does nothing to a coroutine that has ended

    def iterate(self, source: AsyncIterator[T]) -> BlockingIterator[T]:
        """Yield what `source` yields, as it comes. Closing (or dropping) the iterator closes the source.

        The source is read at once and up to `READ_AHEAD` items ahead, so that a burst costs one change of threads and
        not one per item.
        """
        self._check_caller()
        buffer = _ItemBuffer(source, self.loop)
        asyncio.run_coroutine_threadsafe(buffer.start(), self.loop)
        return BlockingIterator(buffer, partial(self._stop_buffer, buffer))

    def register_exit_callback(self, callback: Callable[[], Awaitable[None]]) -> Callable[[], None]:
        """Call `closer` on the loop when the process ends, unless the function returned here was called before."""
        key = id(callback)
        self._exit_callbacks[key] = callback

        def unregister() -> None:
            self._exit_callbacks.pop(key, None)

        return unregister

    def close(self, *, timeout: float = EXIT_TIMEOUT_SECONDS) -> None:
        """End the loop: call the closers, cancel what is left, and wait for both `within` seconds at most."""
        if self._closing or self._pid != os.getpid():
            return
        self._closing = True
        with contextlib.suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(self._drain(timeout), self.loop).result(timeout=2 * timeout)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(timeout=timeout)
        if not self._thread.is_alive():
            self.loop.close()

    async def _drain(self, timeout: float) -> None:
        callbacks = [_call_suppressing_errors(closer) for closer in self._exit_callbacks.values()]
        self._exit_callbacks.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*callbacks), timeout)
        remaining_tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in remaining_tasks:
            task.cancel()
        if remaining_tasks:
            await asyncio.wait(remaining_tasks, timeout=timeout)
        await self.loop.shutdown_asyncgens()

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self.loop)
        while True:
            try:
                self.loop.run_forever()
            except (SystemExit, KeyboardInterrupt):
                continue  # raised inside a task: its caller was told, the loop serves the others
            return

    def _check_caller(self) -> None:
        if threading.get_ident() == self._thread.ident:
            raise RuntimeError(
                "the synchronous interface was called on ThreadBridge's own event loop;"
                " use AsyncThreadBridge in asynchronous code"
            )
        if self._closing or self._pid != os.getpid():
            raise RuntimeError("this event loop has ended, or belongs to the process this one was forked from")

    def _stop_buffer(self, buffer: _ItemBuffer[Any], *, wait: bool) -> None:
        if self._closing or self._pid != os.getpid():
            return
        future = asyncio.run_coroutine_threadsafe(buffer.stop(), self.loop)
        if wait:
            self._check_caller()
            future.result()


class StopCallback(Protocol):
    """Ends the reading behind a `Reader`."""

    def __call__(self, *, wait: bool) -> None: ...


class BlockingIterator(Iterator[T]):
    """The synchronous end of an asynchronous iterator. Close it, or read it to its end."""

    def __init__(self, buffer: _ItemBuffer[T], stop: StopCallback) -> None:
        self._buffer = buffer
        self._batch: Iterator[T] = iter(())
        self._stop: StopCallback | None = stop

    def __next__(self) -> T:
        for item in self._batch:
            return item
        if self._stop is None:
            raise StopIteration
        batch: list[T] = []
        try:
            batch = self._buffer.take_batch()
        finally:
            if not batch:
                self.close()
        if not batch:
            raise StopIteration
        self._batch = iter(batch)
        return next(self._batch)

    def close(self) -> None:
        """Stop reading and close the source. May be called again."""
        self._stop_reading(wait=True)

    def __del__(self) -> None:
        # The collector runs on any thread, whatever locks it holds: waiting here could wait for ever.
        self._stop_reading(wait=False)

    def _stop_reading(self, *, wait: bool) -> None:
        stop, self._stop = self._stop, None
        self._batch = iter(())
        if stop is not None:
            stop(wait=wait)


class _ItemBuffer(Generic[T]):
    """Items on their way from the loop to a waiting thread."""

    def __init__(self, source: AsyncIterator[T], loop: asyncio.AbstractEventLoop) -> None:
        self._source = source
        self._loop = loop
        self._items: deque[T] = deque()
        self._error: BaseException | None = None
        self._ended = False
        self._condition = threading.Condition()  # guards the three above
        self._has_room = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to read, on the loop."""
        self._task = asyncio.create_task(self._fill())
        self._task.add_done_callback(self._on_task_done)

    async def stop(self) -> None:
        """Stop reading and close the source, on the loop."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task})
        close = getattr(self._source, "aclose", None)
        if close is not None:
            await close()

    def take_batch(self) -> list[T]:
        """Everything that is there, waiting for at least one item; nothing at the end. Raises what the source did."""
        with self._condition:
            while not self._items and not self._ended:
                self._condition.wait()
            batch = list(self._items)
            self._items.clear()
            error, self._error = (None, self._error) if batch else (self._error, None)
        if error is not None:
            raise error
        if len(batch) >= READ_AHEAD_ITEMS:
            self._loop.call_soon_threadsafe(self._has_room.set)
        return batch

    async def _fill(self) -> None:
        async for item in self._source:
            with self._condition:
                self._items.append(item)
                full = len(self._items) >= READ_AHEAD_ITEMS
                self._condition.notify()
            if full:
                self._has_room.clear()
                await self._has_room.wait()

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        with self._condition:
            self._error = asyncio.CancelledError() if task.cancelled() else task.exception()
            self._ended = True
            self._condition.notify()


async def _call_suppressing_errors(callback: Callable[[], Awaitable[None]]) -> None:
    """Nobody is left to tell at the end of the process, and one failure must not keep the others from closing."""
    with contextlib.suppress(Exception):
        await callback()


_lock = threading.Lock()
_current_portal: BlockingPortal | None = None
#: Portals of the process this one was forked from. Closing them here would reach into the parent's epoll set, so they
#: are kept and never touched.
_inherited_portals: list[BlockingPortal] = []


def get_portal() -> BlockingPortal:
    """The portal of this process, made at first use."""
    global _current_portal
    with _lock:
        if _current_portal is None:
            _current_portal = BlockingPortal()
            _register_before_thread_shutdown(_current_portal.close)
        return _current_portal


def _register_before_thread_shutdown(close: Callable[[], None]) -> None:
    # atexit comes after the worker threads of executors were shut down, too late for a store that writes on them.
    register: Callable[[Callable[[], None]], object] = getattr(threading, "_register_atexit", atexit.register)
    try:
        register(close)
    except RuntimeError:  # the process is ending already
        atexit.register(close)


def _reset_after_fork() -> None:
    global _current_portal, _lock
    _lock = threading.Lock()  # another thread may have held it when the process was copied
    if _current_portal is not None:
        _inherited_portals.append(_current_portal)
        _current_portal = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)

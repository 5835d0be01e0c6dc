"""The event loop behind every synchronous interface of this process.

Backends are asynchronous. For synchronous callers (`ThreadBridge`, the SDK transport, the commands) a daemon thread
runs one shared event loop, created at first use. Since it has its own thread, it also works inside a running event loop
(notebooks). After `fork`, the child creates a new one.

No lock guards the creation: under gevent the start of a thread switches to another greenlet, which would wait for a
lock of the operating system for ever if this module was imported before gevent replaced the locks.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from importlib import import_module
from typing import Any, Generic, Protocol, Self, TypeVar

from threadbridge.runtime.fork_locks import pause_at_fork

T = TypeVar("T")

#: Seconds that the end of the process waits for tasks of the loop.
EXIT_TIMEOUT_SECONDS = 10.0
#: Items that `BlockingPortal.iterate` reads ahead of its caller.
READ_AHEAD_ITEMS = 256
#: Longest pause of the loop while another thread forks.
_FORK_PAUSE_SECONDS = 60.0


class BlockingPortal:
    """Runs coroutines on an event loop in its own thread, for callers in any number of threads.

    Calls before `start` wait for it.
    """

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.loop = asyncio.new_event_loop()
        self._exit_callbacks: dict[int, Callable[[], Awaitable[None]]] = {}
        self._closing = False
        self._thread = threading.Thread(target=self._run_loop, name="threadbridge-portal", daemon=True)

    def start(self) -> Self:
        """Start the thread, once."""
        self._thread.start()
        return self

    def run(self, coroutine: Coroutine[Any, Any, T], *, timeout: float | None = None) -> T:
        """The result of a coroutine that runs on the loop; raises what it raises.

        After `timeout` seconds (TimeoutError) or an interrupt of the caller, the coroutine is cancelled. Raises
        CancelledError (of `concurrent.futures`) if other code cancelled it, and RuntimeError on the portal's own
        thread, where waiting would never end, or if the loop has ended.
        """
        try:
            self._check_caller()
            future = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        except RuntimeError:
            coroutine.close()
            raise
        try:
            # A lock accepts no longer timeout.
            return future.result(None if timeout is None else min(timeout, threading.TIMEOUT_MAX))
        finally:
            future.cancel()  # does nothing to a coroutine that has ended

    def iterate(self, source: AsyncIterator[T], *, owner: object = None) -> BlockingIterator[T]:
        """Yield the items of `source` in order. Closing or deleting the iterator closes the source.

        The iterator keeps `owner`, which closes what the source needs when it is collected.

        The source is read immediately, up to `READ_AHEAD_ITEMS` ahead, so that a burst of items costs one switch of
        threads and not one per item.
        """
        self._check_caller()
        buffer = _ItemBuffer(source, self.loop)
        asyncio.run_coroutine_threadsafe(buffer.start(), self.loop)

        def stop(*, wait: bool) -> None:
            if self._closing or self.pid != os.getpid():
                return
            future = asyncio.run_coroutine_threadsafe(buffer.stop(), self.loop)
            if wait:
                self._check_caller()
                future.result()

        return BlockingIterator(buffer, stop, owner)

    def register_exit_callback(self, callback: Callable[[], Awaitable[None]]) -> Callable[[], None]:
        """Call `callback` on the loop when the process ends. The returned function unregisters it."""
        key = id(callback)
        self._exit_callbacks[key] = callback

        def unregister() -> None:
            self._exit_callbacks.pop(key, None)

        return unregister

    def close(self, *, timeout: float = EXIT_TIMEOUT_SECONDS) -> None:
        """End the loop: await the exit callbacks and cancel the other tasks, each for `timeout` seconds at most."""
        if self._closing or self.pid != os.getpid():
            return
        self._closing = True

        async def call(callback: Callable[[], Awaitable[None]]) -> None:
            with contextlib.suppress(Exception):  # one failure must not keep the others from closing
                await callback()

        async def drain() -> None:
            callbacks = [call(callback) for callback in self._exit_callbacks.values()]
            self._exit_callbacks.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.gather(*callbacks), timeout)
            remaining_tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in remaining_tasks:
                task.cancel()
            if remaining_tasks:
                await asyncio.wait(remaining_tasks, timeout=timeout)
            await self.loop.shutdown_asyncgens()

        with contextlib.suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(drain(), self.loop).result(timeout=2 * timeout)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(timeout=timeout)
        if not self._thread.is_alive():
            self.loop.close()

    def pause(self, timeout: float) -> Callable[[], None]:
        """Stop the loop at a moment between two callbacks; the returned function lets it continue.

        After `timeout` seconds the caller waits no longer for that moment.
        """
        if self._closing or threading.get_ident() == self._thread.ident:
            return _do_nothing
        paused, resumed = threading.Event(), threading.Event()

        def pause_loop() -> None:
            paused.set()
            resumed.wait(_FORK_PAUSE_SECONDS)

        try:
            self.loop.call_soon_threadsafe(pause_loop)
        except RuntimeError:  # the loop was closed meanwhile
            return _do_nothing
        paused.wait(timeout)
        return resumed.set

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self.loop)
        while True:
            try:
                self.loop.run_forever()
            except (SystemExit, KeyboardInterrupt):
                continue  # raised in a task, whose caller receives it; the loop continues with the others
            return

    def _check_caller(self) -> None:
        if threading.get_ident() == self._thread.ident:
            raise RuntimeError(
                "the synchronous interface was called on ThreadBridge's own event loop;"
                " use AsyncThreadBridge in asynchronous code"
            )
        if self._closing or self.pid != os.getpid():
            raise RuntimeError("this event loop has ended, or belongs to the process this one was forked from")


#: Tasks of `close_later`; event loops keep only weak references to their tasks.
_closing_tasks: set[asyncio.Task[None]] = set()


def close_later(loop: asyncio.AbstractEventLoop, close: Callable[[], Awaitable[None]], *, pid: int) -> None:
    """Await `close` on a loop of the process `pid`, and do not wait for it.

    For finalizers, which run on any thread. Does nothing in another process, or if the loop is closed.
    """

    async def close_quietly() -> None:
        with contextlib.suppress(Exception):  # no caller could handle it
            await close()

    def start() -> None:
        task = loop.create_task(close_quietly())
        _closing_tasks.add(task)
        task.add_done_callback(_closing_tasks.discard)

    if pid == os.getpid():
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(start)


class StopCallback(Protocol):
    """Stops reading the source of a `BlockingIterator`, and waits for that if `wait` is set."""

    def __call__(self, *, wait: bool) -> None: ...


class BlockingIterator(Iterator[T]):
    """The synchronous end of an asynchronous iterator. Close it, or read it to its end."""

    def __init__(self, buffer: _ItemBuffer[T], stop: StopCallback, owner: object = None) -> None:
        self._owner = owner
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
        # Garbage collection runs on any thread with any locks: waiting here could deadlock.
        self._stop_reading(wait=False)

    def _stop_reading(self, *, wait: bool) -> None:
        stop, self._stop = self._stop, None
        self._batch = iter(())
        if stop is not None:
            stop(wait=wait)


class _ItemBuffer(Generic[T]):
    """Items that the loop has read and a waiting thread has not taken."""

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
        """Start reading. Called on the loop."""
        self._task = asyncio.create_task(self._fill())
        self._task.add_done_callback(self._on_task_done)

    async def stop(self) -> None:
        """Stop reading and close the source. Called on the loop."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task})
        close = getattr(self._source, "aclose", None)
        if close is not None:
            await close()

    def take_batch(self) -> list[T]:
        """All buffered items, after waiting for at least one; empty at the end. Raises what the source raised."""
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


#: The portal of this process, if there is one.
_portals: dict[str, BlockingPortal] = {}
_CURRENT = "current"
#: Portals of the process from which this one was forked. They stay referenced and unused: deleting them would close
#: them, and change the epoll set of the parent.
_inherited_portals: list[BlockingPortal] = []


def get_portal() -> BlockingPortal:
    """The portal of this process, created at first use."""
    portal = _portals.get(_CURRENT)
    if portal is not None:
        return portal
    created = BlockingPortal()
    portal = _portals.setdefault(_CURRENT, created)
    if portal is not created:  # another thread was faster
        created.loop.close()
        return portal
    # Functions of `atexit` are called after the shutdown of worker threads, too late for a store on such a one.
    # Those of `threading` are called last registered first: before the shutdown, which this import registers.
    import_module("concurrent.futures.thread")
    register: Callable[[Callable[[], None]], object] = getattr(threading, "_register_atexit", atexit.register)
    try:
        register(created.close)
    except RuntimeError:  # the process is already ending
        atexit.register(created.close)
    try:
        return created.start()
    except RuntimeError:  # no thread can be started now; a later call may succeed
        _portals.pop(_CURRENT, None)
        raise


def _do_nothing() -> None:
    """There is no loop to continue."""


def _pause_portal(timeout: float) -> Callable[[], None]:
    portal = _portals.get(_CURRENT)
    return _do_nothing if portal is None else portal.pause(timeout)


def _reset_after_fork() -> None:
    portal = _portals.pop(_CURRENT, None)
    if portal is not None:
        _inherited_portals.append(portal)


pause_at_fork(_pause_portal)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)

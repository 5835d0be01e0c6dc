"""Locks that no other thread holds when the process forks.

A child of `fork` has only the thread that forked. A lock that another thread held stays locked in it, and a library
that another thread was executing (SQLite, an import) stays in the middle of a call. `fork` therefore waits, for a
bounded time, until no `ForkLock` is held and the loops that registered `pause_at_fork` have stopped.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from types import TracebackType
from weakref import WeakValueDictionary

#: Seconds that a fork waits for other threads. Afterwards the process forks all the same.
FORK_WAIT_SECONDS = 5.0


class ForkLock:
    """A lock, as a context manager, that a fork waits for. `before_fork` is called while the fork holds it."""

    def __init__(self, before_fork: Callable[[], None] | None = None) -> None:
        self.before_fork = before_fork
        self._lock = threading.Lock()
        _locks[id(self)] = self

    def __enter__(self) -> None:
        while True:
            self._lock.acquire()
            gate = _gate
            if gate is None:
                return
            self._lock.release()  # a fork has started, which may not know this lock
            gate.wait(FORK_WAIT_SECONDS)

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._lock.release()

    def try_acquire(self) -> bool:
        """Acquire the lock without waiting; `release` it afterwards."""
        if not self._lock.acquire(blocking=False):
            return False
        if _gate is not None:
            self._lock.release()
            return False
        return True

    def release(self) -> None:
        """Release the lock after `try_acquire`."""
        self._lock.release()

    def acquire_for_fork(self, timeout: float) -> bool:
        """Acquire the lock in the thread that forks."""
        return self._lock.acquire(timeout=timeout)

    def replace(self) -> None:
        """In a child: be a lock that nothing holds."""
        self._lock = threading.Lock()


#: Stops a loop of another thread within `timeout` seconds; the returned function lets it continue (not in a child).
PauseFunction = Callable[[float], Callable[[], None]]

_locks: WeakValueDictionary[int, ForkLock] = WeakValueDictionary()
_pause_functions: list[PauseFunction] = []
_fork_lock = threading.Lock()  # one thread forks at a time
_gate: threading.Event | None = None  # set while a thread forks
_undo: list[Callable[[], None]] = []


def pause_at_fork(pause: PauseFunction) -> None:
    """Call `pause` before each fork, and what it returns after it in the parent."""
    _pause_functions.append(pause)


def _list_locks() -> list[ForkLock]:
    # `valuerefs` copies in one step, during which no other thread can add a lock.
    return [lock for reference in _locks.valuerefs() if (lock := reference()) is not None]


def _before_fork() -> None:
    global _gate
    deadline = time.monotonic() + FORK_WAIT_SECONDS
    if _fork_lock.acquire(timeout=FORK_WAIT_SECONDS):
        _undo.append(_fork_lock.release)
    gate = _gate = threading.Event()
    _undo.append(gate.set)
    for pause in _pause_functions:
        _undo.append(pause(max(0.0, deadline - time.monotonic())))
    acquired: list[ForkLock] = []
    for lock in _list_locks():
        if lock.acquire_for_fork(max(0.0, deadline - time.monotonic())):
            acquired.append(lock)
            _undo.append(lock.release)
    for lock in reversed(acquired):
        if lock.before_fork is not None:
            with contextlib.suppress(Exception):  # an exception here would not prevent the fork
                lock.before_fork()


def _after_fork_in_parent() -> None:
    global _gate
    _gate = None
    undo = _undo.copy()
    _undo.clear()
    for function in reversed(undo):
        function()


def _after_fork_in_child() -> None:
    global _gate, _fork_lock
    _gate = None
    _undo.clear()
    _fork_lock = threading.Lock()
    for lock in _list_locks():
        lock.replace()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)

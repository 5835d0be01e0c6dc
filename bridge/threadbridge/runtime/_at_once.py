"""Coroutines that are begun where they are called, and need an event loop only if they have to wait.

A transaction takes less time than the task, or the change of threads, that would have it done. So such a coroutine is
begun by hand and waits for nothing before it says `await may_wait()`; what is left of it then goes on in a task. What
only looks is begun on whatever thread, and touches nothing that belongs to an event loop before that.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from dataclasses import dataclass
from threading import local
from types import coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class _Hand(local):
    """Whether this thread is beginning something. Not a context variable: a task made meanwhile would inherit it."""

    begins = False


_hand = _Hand()


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """What a coroutine returned that did not have to wait."""

    result: T


def begin(work: Coroutine[Any, Any, T]) -> Done[T] | None:
    """The result, if there is one without waiting; None where a task must go on with `work`. Raises what it raises."""
    outer, _hand.begins = _hand.begins, True
    try:
        waits_for: object = work.send(None)
    except StopIteration as stop:
        return Done(stop.value)
    finally:
        _hand.begins = outer
    if waits_for is not None:
        work.close()
        raise RuntimeError(f"{work} waits for {waits_for!r} and did not say before that it may wait")
    return None


def begins_at_once(one: object) -> bool:
    """Whether its methods may be begun by hand: all of a backend's or store's on the thread of their event loop, those
    that only look (`list_*`, `retrieve_*`, `follow_run`, `report_run`; `read`) on any thread. What they set before
    `may_wait` in a context variable, their caller keeps.

    A class says so for itself, with `begins_at_once = True` in its body. Neither its subclasses nor what hands calls
    through to it are taken at its word: they may do more than it does.
    """
    return vars(type(one)).get("begins_at_once") is True


@coroutine
def may_wait() -> Generator[None]:
    """From here on the calling coroutine is on an event loop, in a task that may wait."""
    if _hand.begins:
        yield

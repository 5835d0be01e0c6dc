"""Coroutines that are begun where they are called, and need an event loop only if they have to wait.

A look into a store takes less time than the change of threads that would have it done. So such a coroutine is begun
by hand, on whatever thread: it touches no event loop, nor anything that belongs to one, before it says
`await may_wait()`. What is left of it then goes on in a task.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from contextvars import ContextVar
from dataclasses import dataclass
from types import coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_begun_by_hand: ContextVar[bool] = ContextVar("threadbridge_begun_by_hand", default=False)


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """What a coroutine returned that did not have to wait."""

    result: T


def begin(work: Coroutine[Any, Any, T]) -> Done[T] | None:
    """The result, if there is one without waiting; None where a task must go on with `work`. Raises what it raises."""
    outer = _begun_by_hand.set(True)
    try:
        waits_for: object = work.send(None)
    except StopIteration as stop:
        return Done(stop.value)
    finally:
        _begun_by_hand.reset(outer)
    if waits_for is not None:
        work.close()
        raise RuntimeError(f"{work} waits for {waits_for!r} and did not say before that it may wait")
    return None


def looks_anywhere(one: object) -> bool:
    """Whether what only looks may be begun on any thread: `list_*`, `retrieve_*`, `follow_run` and `report_run` of a
    backend, `read` of a store.

    A class says so for itself, with `looks_anywhere = True` in its body. Neither its subclasses nor what hands calls
    through to it are taken at its word: they may do more than it does.
    """
    return vars(type(one)).get("looks_anywhere") is True


@coroutine
def may_wait() -> Generator[None]:
    """From here on the calling coroutine is on an event loop, in a task that may wait."""
    if _begun_by_hand.get():
        yield

"""Which numbered difference of docs/compatibility.md a mismatch is."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tests.conformance.golden.comparison import Mismatch
from tests.conformance.golden.recordings import Recorded, day_of


class Numbered(NamedTuple):
    """A line of the page, and how to tell that a mismatch is its doing."""

    number: int
    explains: Callable[[Mismatch, Recorded], bool]


#: The first day from which every answer has all the fields of the last wire.
_LAST_WIRE = "2025-10-30"

#: Fields that the service added to v2 while it lived, by the object that shows them.
_ADDED = frozenset(
    {
        ("assistant", "reasoning_effort"),
        ("assistant", "hybrid_search"),
        ("thread", "tool_resources"),
        ("thread.run", "reasoning_effort"),
        ("thread.run", "parallel_tool_calls"),
        ("thread.run", "hybrid_search"),
        ("thread.run", "prompt_token_details"),
        ("thread.run", "completion_tokens_details"),
        ("thread.run.step", "attributes"),
        ("thread.run.step", "prompt_token_details"),
        ("thread.run.step", "completion_tokens_details"),
    }
)


def _added_later(mismatch: Mismatch, seen: Recorded) -> bool:
    added = mismatch.kind == "extra" and (mismatch.owner, mismatch.place[-1]) in _ADDED
    return added and day_of(seen) < _LAST_WIRE


def _of_the_completion_limit(mismatch: Mismatch, seen: Recorded) -> bool:
    """The last event of a run that met its limit: named `completed` of old, and blaming the other limit."""
    if mismatch.owner != "stream" or mismatch.place[-1] not in ("thread.run.completed", "thread.run.incomplete"):
        return False
    shown = mismatch.recorded or mismatch.ours
    return isinstance(shown, dict) and shown["status"] == "incomplete"


def _inline_vector_stores(mismatch: Mismatch, seen: Recorded) -> bool:
    given = seen.request_json if isinstance(seen.request_json, dict) else {}
    described = (given.get("tool_resources") or {}).get("file_search") or {}
    return "vector_stores" in described and mismatch.place[:2] == ("tool_resources", "file_search")


def _usage_of_a_step(mismatch: Mismatch, seen: Recorded) -> bool:
    """Several steps of one response: the last one bears the usage of all."""
    if mismatch.owner != "thread.run.step" or "usage" not in mismatch.place or mismatch.kind != "value":
        return False
    return bool(mismatch.ours == 0 or mismatch.ours > mismatch.recorded)


DIFFERENCES: tuple[Numbered, ...] = (
    Numbered(2, _usage_of_a_step),
    Numbered(36, _added_later),
    Numbered(40, _inline_vector_stores),
    Numbered(51, _of_the_completion_limit),
)


def number_of(mismatch: Mismatch, seen: Recorded, *, not_yet_visible: bool) -> int | None:
    """The number of the difference that explains a mismatch; None where it is a failure.

    `not_yet_visible`: the answer shows messages or steps of a turn that was not over, of which ours shows fewer. That
    is D3, and nothing in it can be compared.
    """
    if not_yet_visible:
        return 3
    return next((known.number for known in DIFFERENCES if known.explains(mismatch, seen)), None)

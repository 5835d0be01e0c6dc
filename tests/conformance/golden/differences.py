"""Which numbered difference of docs/compatibility.md a mismatch is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

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
        ("assistant", "strict"),
        ("assistant", "file_search"),
        ("assistant", "ranking_options"),
        ("assistant", "hybrid_search"),
        ("thread", "tool_resources"),
        ("thread.run", "reasoning_effort"),
        ("thread.run", "parallel_tool_calls"),
        ("thread.run", "strict"),
        ("thread.run", "file_search"),
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


def _cancelled_at_the_next_look(mismatch: Mismatch, seen: Recorded) -> bool:
    """A run that was still seen cancelling, and is cancelled already in ours."""
    if mismatch.owner != "thread.run" or seen.method != "GET":
        return False
    run = _around(mismatch, seen)
    if run.get("status") != "cancelling":
        return False
    ended = mismatch.place[-1] in ("expires_at", "cancelled_at", "usage")
    return ended or (mismatch.place[-1] == "status" and mismatch.ours == "cancelled")


def _usage_of_a_bad_end(mismatch: Mismatch, seen: Recorded) -> bool:
    """What a run, or its last step, had cost when it was cut off."""
    return "usage" in mismatch.place and _around(mismatch, seen, above="usage").get("status") in _BAD_ENDS


def _limit_of_prompts(mismatch: Mismatch, seen: Recorded) -> bool:
    """A run cut in the middle of an answer: ours looks at the budget of prompts before it asks."""
    limits = (mismatch.recorded, mismatch.ours)
    return mismatch.place[-2:] == ("incomplete_details", "reason") and limits == _PROMPTS_FIRST


def _around(mismatch: Mismatch, seen: Recorded, *, above: str = "") -> Any:
    """The recorded object that holds the place of a mismatch; with `above`, the one that holds this field."""
    place = mismatch.place[: mismatch.place.index(above)] if above in mismatch.place else mismatch.place[:-1]
    found: Any = seen.response_json
    if seen.sse is not None:
        found, place = (seen.sse[int(place[0])][1], place[2:]) if place else ({}, ())
    for step in place:
        found = found[step]
    return found if isinstance(found, dict) else {}


_BAD_ENDS = frozenset({"failed", "cancelled", "expired"})
_PROMPTS_FIRST = ("max_prompt_tokens", "max_completion_tokens")

#: Differences that show in an answer as a whole: what a turn makes is there when the turn is over; and nothing stays of
#: one that was cut off while nobody streamed it.
NOT_YET_VISIBLE, NOT_KEPT = 3, 89

DIFFERENCES: tuple[Numbered, ...] = (
    Numbered(2, _usage_of_a_step),
    Numbered(4, _cancelled_at_the_next_look),
    Numbered(36, _added_later),
    Numbered(40, _inline_vector_stores),
    Numbered(50, _limit_of_prompts),
    Numbered(51, _of_the_completion_limit),
    Numbered(57, _usage_of_a_bad_end),
)


def number_of(mismatch: Mismatch, seen: Recorded, *, hidden_by: int | None) -> int | None:
    """The number of the difference that explains a mismatch; None where it is a failure.

    `hidden_by`: the difference because of which ours shows fewer messages or steps in this answer (`NOT_YET_VISIBLE`,
    `NOT_KEPT`); nothing in it can be compared.
    """
    if hidden_by is not None:
        return hidden_by
    return next((known.number for known in DIFFERENCES if known.explains(mismatch, seen)), None)

"""Assigns mismatches to numbered differences of docs/compatibility.md."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tests.conformance.recorded_sessions.comparison import Mismatch
from tests.conformance.recorded_sessions.recordings import RecordedExchange, find_day
from threadbridge.api_types import JsonObject, JsonValue, ToolResources, is_json_object


class NumberedDifference(NamedTuple):
    """A row of the page, and the test that recognizes its mismatches."""

    number: int
    explains: Callable[[Mismatch, RecordedExchange], bool]


#: The first day from which every answer has all the fields of the last wire.
_LAST_WIRE = "2025-10-30"

#: Fields that the service added to v2 later, by object type.
_LATER_FIELDS = frozenset(
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


def _is_later_field(mismatch: Mismatch, exchange: RecordedExchange) -> bool:
    is_later = mismatch.kind == "extra" and (mismatch.object_type, mismatch.path[-1]) in _LATER_FIELDS
    return is_later and find_day(exchange) < _LAST_WIRE


def _is_completion_limit(mismatch: Mismatch, exchange: RecordedExchange) -> bool:
    """The last event of a run that reached its limit: recorded as `completed`, with the other limit as reason."""
    if mismatch.object_type != "stream" or mismatch.path[-1] not in ("thread.run.completed", "thread.run.incomplete"):
        return False
    run = mismatch.recorded or mismatch.ours
    return is_json_object(run) and bool(run["status"] == "incomplete")


def _is_inline_vector_store(mismatch: Mismatch, exchange: RecordedExchange) -> bool:
    body: JsonObject = exchange.request_json if is_json_object(exchange.request_json) else {}
    resources: ToolResources = body.get("tool_resources") or {}
    described = resources.get("file_search") or {}
    return "vector_stores" in described and mismatch.path[:2] == ("tool_resources", "file_search")


def _is_step_usage(mismatch: Mismatch, exchange: RecordedExchange) -> bool:
    """Several steps of one response: the last one has the usage of all."""
    if mismatch.object_type != "thread.run.step" or "usage" not in mismatch.path or mismatch.kind != "value":
        return False
    return bool(mismatch.ours == 0 or mismatch.ours > mismatch.recorded)


def _is_cancelled_early(mismatch: Mismatch, exchange: RecordedExchange) -> bool:
    """A run recorded as `cancelling` that the product has cancelled already."""
    if mismatch.object_type != "thread.run" or exchange.method != "GET":
        return False
    run = _find_enclosing_object(mismatch, exchange)
    if run.get("status") != "cancelling":
        return False
    ended = mismatch.path[-1] in ("expires_at", "cancelled_at", "usage")
    return ended or (mismatch.path[-1] == "status" and mismatch.ours == "cancelled")


def _is_usage_of_bad_end(mismatch: Mismatch, exchange: RecordedExchange) -> bool:
    """The usage of an interrupted run or of its last step."""
    return (
        "usage" in mismatch.path
        and _find_enclosing_object(mismatch, exchange, above="usage").get("status") in _BAD_ENDS
    )


def _is_prompt_limit(mismatch: Mismatch, exchange: RecordedExchange) -> bool:
    """A run that ended in the middle of a response: the product checks the prompt budget before the request."""
    limits = (mismatch.recorded, mismatch.ours)
    return mismatch.path[-2:] == ("incomplete_details", "reason") and limits == _PROMPTS_FIRST


def _find_enclosing_object(mismatch: Mismatch, exchange: RecordedExchange, *, above: str = "") -> JsonObject:
    """The recorded object that holds the place of a mismatch; with `above`, the one that holds this field."""
    path = mismatch.path[: mismatch.path.index(above)] if above in mismatch.path else mismatch.path[:-1]
    found: JsonValue = exchange.response_json
    if exchange.sse is not None and not path:
        return {}
    if exchange.sse is not None:
        found, path = exchange.sse[int(path[0])][1], path[2:]
    for step in path:
        found = found[step]
    return found if is_json_object(found) else {}


_BAD_ENDS = frozenset({"failed", "cancelled", "expired"})
_PROMPTS_FIRST = ("max_prompt_tokens", "max_completion_tokens")

#: Differences of a whole response: the objects of a turn are visible after its end, and an interrupted turn without a
#: stream stores nothing.
NOT_YET_VISIBLE, NOT_STORED = 3, 89

DIFFERENCES: tuple[NumberedDifference, ...] = (
    NumberedDifference(2, _is_step_usage),
    NumberedDifference(4, _is_cancelled_early),
    NumberedDifference(36, _is_later_field),
    NumberedDifference(40, _is_inline_vector_store),
    NumberedDifference(50, _is_prompt_limit),
    NumberedDifference(51, _is_completion_limit),
    NumberedDifference(57, _is_usage_of_bad_end),
)


def find_difference_number(mismatch: Mismatch, exchange: RecordedExchange, *, hidden_by: int | None) -> int | None:
    """The number of the difference that explains a mismatch; None for a failure.

    `hidden_by`: the difference because of which ours shows fewer messages or steps in this answer (`NOT_YET_VISIBLE`,
    `NOT_KEPT`); nothing in it can be compared.
    """
    if hidden_by is not None:
        return hidden_by
    return next((known.number for known in DIFFERENCES if known.explains(mismatch, exchange)), None)

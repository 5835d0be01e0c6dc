"""Asking the service how long a prompt is (`POST /responses/input_tokens`, §11)."""

from __future__ import annotations

from threadbridge.ports import Wire

PATH = "/responses/input_tokens"
#: What it takes of a request.
_COUNTED = (
    "model",
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "text",
    "reasoning",
    "truncation",
    "previous_response_id",
    "conversation",
)


def count_request(body: Wire) -> Wire:
    """The part of a request for a response that says how long its prompt is."""
    return {name: body[name] for name in _COUNTED if name in body}


def counted_tokens(answer: Wire) -> int | None:
    """The number in the answer; None where there is none."""
    found = answer.get("input_tokens")
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def not_counted(reason: str) -> str:
    """The warning about a service that did not answer, in one sentence."""
    return f"The service did not say how long the prompt is, so what was counted here holds: {reason}"

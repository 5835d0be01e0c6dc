"""Requests to count the tokens of a prompt (`POST /responses/input_tokens`, §11)."""

from __future__ import annotations

from threadbridge.ports import Wire

INPUT_TOKENS_PATH = "/responses/input_tokens"
#: The fields of a request that it accepts.
_COUNTED_FIELDS = (
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


def build_count_request(body: Wire) -> Wire:
    """The part of a request that determines the length of its prompt."""
    return {name: body[name] for name in _COUNTED_FIELDS if name in body}


def parse_token_count(answer: Wire) -> int | None:
    """The token count of an answer; None where it has none."""
    tokens = answer.get("input_tokens")
    return tokens if isinstance(tokens, int) and not isinstance(tokens, bool) else None


def build_count_failure_warning(reason: str) -> str:
    """The warning about a failed count, one sentence."""
    return f"The service did not say how long the prompt is, so what was counted here holds: {reason}"

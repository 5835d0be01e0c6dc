"""Token counts in the words of the legacy wire (A46)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from threadbridge.ports import Wire

#: No response has more; what claims to, or less than none, was not counted by anybody.
_MOST_TOKENS = 10**9


def _wire(prompt: int, completion: int, total: int, cached: int, reasoning: int) -> Wire:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": total,
        # Singular on the real wire, whatever the schema says (A46).
        "prompt_token_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


def zero_usage() -> Wire:
    """A usage object that counts nothing."""
    return _wire(0, 0, 0, 0, 0)


def usage_of(response: Mapping[str, Any]) -> Wire:
    """The usage of a response of the Responses API.

    What the service left out, made null (S5) or cannot mean counts zero.
    """
    usage = _mapping(response.get("usage"))
    prompt = _told(usage, "input_tokens")
    completion = _told(usage, "output_tokens")
    return _wire(
        prompt,
        completion,
        _told(usage, "total_tokens") or prompt + completion,
        _told(_mapping(usage.get("input_tokens_details")), "cached_tokens"),
        _told(_mapping(usage.get("output_tokens_details")), "reasoning_tokens"),
    )


def added(first: Wire | None, second: Wire | None) -> Wire:
    """The sum of two usages in wire form; None counts nothing, a missing detail counts zero."""
    one, two = first or {}, second or {}
    return _wire(
        _count(one, "prompt_tokens") + _count(two, "prompt_tokens"),
        _count(one, "completion_tokens") + _count(two, "completion_tokens"),
        _count(one, "total_tokens") + _count(two, "total_tokens"),
        _detail(one, "prompt_token_details", "cached_tokens") + _detail(two, "prompt_token_details", "cached_tokens"),
        _detail(one, "completion_tokens_details", "reasoning_tokens")
        + _detail(two, "completion_tokens_details", "reasoning_tokens"),
    )


def _detail(usage: Mapping[str, Any], group: str, name: str) -> int:
    return _count(_mapping(usage.get(group)), name)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _count(values: Mapping[str, Any], name: str) -> int:
    value = values.get(name)
    return int(value) if isinstance(value, int | float) else 0


def _told(values: Mapping[str, Any], name: str) -> int:
    count = _count(values, name)
    return count if 0 <= count <= _MOST_TOKENS else 0

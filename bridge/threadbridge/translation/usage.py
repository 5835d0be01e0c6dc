"""Token usage in the form of the legacy API (A46)."""

from __future__ import annotations

from threadbridge.api_types import JsonMapping, UsageObject, is_json_object

#: The plausible maximum of a response; a larger or negative number is not a count.
_MAX_TOKENS = 10**9


def _build_usage(prompt: int, completion: int, total: int, cached: int, reasoning: int) -> UsageObject:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": total,
        # Singular on the real wire, whatever the schema says (A46).
        "prompt_token_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


def zero_usage() -> UsageObject:
    """A usage object that counts nothing."""
    return _build_usage(0, 0, 0, 0, 0)


def parse_usage(response: JsonMapping) -> UsageObject:
    """The usage of a response of the Responses API.

    What the service left out, made null (S5) or cannot mean counts zero.
    """
    usage = _as_mapping(response.get("usage"))
    prompt = _get_plausible_count(usage, "input_tokens")
    completion = _get_plausible_count(usage, "output_tokens")
    return _build_usage(
        prompt,
        completion,
        _get_plausible_count(usage, "total_tokens") or prompt + completion,
        _get_plausible_count(_as_mapping(usage.get("input_tokens_details")), "cached_tokens"),
        _get_plausible_count(_as_mapping(usage.get("output_tokens_details")), "reasoning_tokens"),
    )


def add_usage(first: UsageObject | None, second: UsageObject | None) -> UsageObject:
    """The sum of two usages in wire form; None counts nothing, a missing detail counts zero."""
    one: JsonMapping = first or {}
    two: JsonMapping = second or {}
    return _build_usage(
        _get_count(one, "prompt_tokens") + _get_count(two, "prompt_tokens"),
        _get_count(one, "completion_tokens") + _get_count(two, "completion_tokens"),
        _get_count(one, "total_tokens") + _get_count(two, "total_tokens"),
        _get_detail(one, "prompt_token_details", "cached_tokens")
        + _get_detail(two, "prompt_token_details", "cached_tokens"),
        _get_detail(one, "completion_tokens_details", "reasoning_tokens")
        + _get_detail(two, "completion_tokens_details", "reasoning_tokens"),
    )


def _get_detail(usage: JsonMapping, group: str, name: str) -> int:
    return _get_count(_as_mapping(usage.get(group)), name)


def _as_mapping(value: object) -> JsonMapping:
    return value if is_json_object(value) else {}


def _get_count(values: JsonMapping, name: str) -> int:
    value = values.get(name)
    return int(value) if isinstance(value, int | float) else 0


def _get_plausible_count(values: JsonMapping, name: str) -> int:
    count = _get_count(values, name)
    return count if 0 <= count <= _MAX_TOKENS else 0

"""Compaction: a context beyond a token threshold is replaced by one encrypted item (§11)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from threadbridge.ports import IdGenerator, Wire
from threadbridge_adapters.simulator import _encrypted_reasoning as encrypted_reasoning
from threadbridge_adapters.simulator import _validators as validators
from threadbridge_adapters.simulator._tokens import estimate_tokens

MIN_COMPACT_THRESHOLD = 1000
_check_rule = validators.object_with(
    {"type": validators.one_of("compaction"), "compact_threshold": validators.integer(minimum=MIN_COMPACT_THRESHOLD)},
    required=("type",),
)


def check_context_management(path: str, value: Any) -> None:
    """Check a list of rules; the service has one type of rule."""
    for index, rule in enumerate(validators.require_array(path, value)):
        _check_rule(f"{path}[{index}]", rule)


def select_visible_context(context: Sequence[Wire]) -> Sequence[Wire]:
    """The part of a context that the model reads: the newest compaction and the items after it."""
    for index in range(len(context) - 1, -1, -1):
        if context[index].get("type") == "compaction":
            return context[index:]
    return context


def compact_response(response: Wire, body: Wire, context: Sequence[Wire], new_id: IdGenerator) -> Wire:
    """The finished response, with a compaction as its last item if the context exceeds the threshold (recorded)."""
    usage, threshold = response["usage"], _find_compact_threshold(body)
    if threshold is None or response["status"] != "completed" or usage["total_tokens"] <= threshold:
        return response
    item_id = new_id("cmp")
    content = encrypted_reasoning.make_encrypted_content(f"{item_id} {len(context) + len(response['output'])} items")
    tokens = estimate_tokens(content)
    more = {name: usage[name] + tokens for name in ("output_tokens", "total_tokens")}
    item = {"id": item_id, "type": "compaction", "encrypted_content": content}
    return {**response, "output": [*response["output"], item], "usage": {**usage, **more}}


def _find_compact_threshold(body: Wire) -> int | None:
    rules: Sequence[Wire] = body.get("context_management") or ()
    return next((rule["compact_threshold"] for rule in rules if rule.get("compact_threshold") is not None), None)

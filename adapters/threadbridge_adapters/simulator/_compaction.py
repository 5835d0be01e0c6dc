"""Compaction: a context that grew beyond a threshold is sealed into one item that stands for it from then on (§11)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from threadbridge.ports import IdGenerator, Wire
from threadbridge_adapters.simulator import _encrypted_reasoning as sealing
from threadbridge_adapters.simulator import _validators as checks
from threadbridge_adapters.simulator._tokens import estimate

LEAST_THRESHOLD = 1000
_RULE = checks.shape(
    {"type": checks.one_of("compaction"), "compact_threshold": checks.integer(least=LEAST_THRESHOLD)},
    required=("type",),
)


def check_context_management(path: str, value: Any) -> None:
    """A list of rules, of which the service knows one kind."""
    for index, rule in enumerate(checks.array(path, value)):
        _RULE(f"{path}[{index}]", rule)


def read_of(context: Sequence[Wire]) -> Sequence[Wire]:
    """What of a context the model reads: the newest compaction, and what came after it."""
    for index in range(len(context) - 1, -1, -1):
        if context[index].get("type") == "compaction":
            return context[index:]
    return context


def compacted(end: Wire, body: Wire, context: Sequence[Wire], new_id: IdGenerator) -> Wire:
    """The finished response, with a compaction as its last item where it has grown beyond the threshold (recorded)."""
    usage, threshold = end["usage"], _threshold(body)
    if threshold is None or end["status"] != "completed" or usage["total_tokens"] <= threshold:
        return end
    item_id = new_id("cmp")
    sealed = sealing.seal(f"{item_id} {len(context) + len(end['output'])} items")
    tokens = estimate(sealed)
    more = {name: usage[name] + tokens for name in ("output_tokens", "total_tokens")}
    item = {"id": item_id, "type": "compaction", "encrypted_content": sealed}
    return {**end, "output": [*end["output"], item], "usage": {**usage, **more}}


def _threshold(body: Wire) -> int | None:
    rules: Sequence[Wire] = body.get("context_management") or ()
    return next((rule["compact_threshold"] for rule in rules if rule.get("compact_threshold") is not None), None)

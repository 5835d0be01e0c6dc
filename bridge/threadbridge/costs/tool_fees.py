"""What hosted tools cost beyond tokens: charged as configured, or named as left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from threadbridge.ports import Wire
from threadbridge.settings import Fees

_NANODOLLARS = 10**9


def count_hosted_calls(steps: Iterable[Wire]) -> Mapping[str, int]:
    """How often the steps of a turn called each hosted tool."""
    calls: dict[str, int] = {}
    for step in steps:
        for call in step["step_details"].get("tool_calls", ()):
            if call["type"] != "function":
                calls[call["type"]] = calls.get(call["type"], 0) + 1
    return calls


def compute_tool_fees(calls: Mapping[str, int], fees: Fees) -> int:
    """What these calls cost in nanodollars, as far as a setting says so."""
    each = Decimal(str(fees.file_search_call or 0))
    return int(each * calls.get("file_search", 0) * _NANODOLLARS)


def list_excluded_fees(calls: Mapping[str, int], fees: Fees, *, has_container: bool) -> list[str]:
    """What the service may charge for the turn and no price here holds.

    A container is charged by the time it stands, whether or not code ran in this turn; when that began is the
    service's affair, and nobody here counts it.
    """
    missing: list[str] = []
    if calls.get("file_search") and fees.file_search_call is None:
        missing.append("file_search_call")
    if has_container:
        missing.append("code_interpreter_container")
    return missing

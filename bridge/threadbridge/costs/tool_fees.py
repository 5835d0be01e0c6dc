"""What hosted tools cost beyond tokens: charged as configured, or named as left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from threadbridge.ports import Wire
from threadbridge.settings import Fees
from threadbridge.translation.hosted_tools.hosted_tool import HostedTool
from threadbridge.translation.hosted_tools.registry import HOSTED_TOOLS

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
    """What these calls cost in nanodollars, as far as the settings give prices."""
    prices = ((tool.fees.get_call_price(fees) or 0, calls.get(tool.type, 0)) for tool in HOSTED_TOOLS.values())
    return int(sum(Decimal(str(price)) * count for price, count in prices) * _NANODOLLARS)


def list_excluded_fees(calls: Mapping[str, int], fees: Fees, tools: Iterable[HostedTool]) -> list[str]:
    """The names of what the service may charge for the turn and no price here includes.

    `tools` are those that the run has at the service: a container is charged by the time it exists, whether or not
    code ran in this turn.
    """
    unpriced = [
        tool.fees.call_name
        for tool in HOSTED_TOOLS.values()
        if calls.get(tool.type) and tool.fees.call_name is not None and tool.fees.get_call_price(fees) is None
    ]
    return [*unpriced, *(tool.fees.standing_name for tool in tools if tool.fees.standing_name is not None)]

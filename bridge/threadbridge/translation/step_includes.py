"""Step content that is stored whole and shown only on request: what a search found (A76, A77)."""

from __future__ import annotations

from collections.abc import Iterable

from threadbridge.ports import Event, Wire
from threadbridge.translation.hosted_tools.registry import HOSTED_TOOLS, list_hosted_tools


def has_optional_content(tools: Iterable[Wire]) -> bool:
    """Whether steps of a run with these tools may have content that is shown only on request."""
    return any(tool.strip_content is not None for tool in list_hosted_tools(tools))


def strip_search_content(step: Wire) -> Wire:
    """The step without the content that is shown only on request."""
    details = step["step_details"]
    if details["type"] != "tool_calls":
        return step
    calls = [_strip_call(call) for call in details["tool_calls"]]
    if all(new is old for new, old in zip(calls, details["tool_calls"], strict=True)):
        return step
    return {**step, "step_details": {**details, "tool_calls": calls}}


def strip_event_search_content(event: Event) -> Event:
    """The event, with its step stripped."""
    if event.name == "thread.run.step.completed":
        return event._replace(data=strip_search_content(event.data))
    return event


def _strip_call(call: Wire) -> Wire:
    tool = HOSTED_TOOLS.get(call["type"])
    return call if tool is None or tool.strip_content is None else tool.strip_content(call)

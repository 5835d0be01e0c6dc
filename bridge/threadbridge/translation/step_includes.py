"""Search results as they are shown: what was found is told only on request, and stored all the same (A76, A77)."""

from __future__ import annotations

from threadbridge.ports import Event, Wire


def strip_search_content(step: Wire) -> Wire:
    """The step without the words that its searches found."""
    details = step["step_details"]
    if details["type"] != "tool_calls" or not any(call["type"] == "file_search" for call in details["tool_calls"]):
        return step
    return {**step, "step_details": {**details, "tool_calls": [_strip_call(call) for call in details["tool_calls"]]}}


def strip_event_search_content(event: Event) -> Event:
    """The event, whose step tells no content."""
    if event.name == "thread.run.step.completed":
        return event._replace(data=strip_search_content(event.data))
    return event


def _strip_call(call: Wire) -> Wire:
    if call["type"] != "file_search":
        return call
    search = call["file_search"]
    results = [{name: value for name, value in result.items() if name != "content"} for result in search["results"]]
    return {**call, "file_search": {**search, "results": results}}

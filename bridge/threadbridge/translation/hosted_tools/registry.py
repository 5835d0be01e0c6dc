"""The hosted tools by type. Everything that depends on a tool's type reads this table."""

from __future__ import annotations

from collections.abc import Iterable

from threadbridge.ports import Event, Wire
from threadbridge.translation.hosted_tools.code_interpreter import CODE_INTERPRETER
from threadbridge.translation.hosted_tools.file_search import FILE_SEARCH
from threadbridge.translation.hosted_tools.hosted_tool import HostedTool, ResourceKind

#: One row for each tool. Read at each use, never copied at import.
HOSTED_TOOLS: dict[str, HostedTool] = {
    FILE_SEARCH.type: FILE_SEARCH,
    CODE_INTERPRETER.type: CODE_INTERPRETER,
}


def list_hosted_tools(tools: Iterable[Wire]) -> list[HostedTool]:
    """The hosted tools among the tools of an assistant or a run, in the order of the registry."""
    types = {tool["type"] for tool in tools}
    return [tool for tool in HOSTED_TOOLS.values() if tool.type in types]


def find_by_item_type(item_type: object) -> HostedTool | None:
    """The tool that produces output items of this type."""
    return next((tool for tool in HOSTED_TOOLS.values() if tool.item_type == item_type), None)


def find_by_fragment_event(event_type: object) -> HostedTool | None:
    """The tool whose input is streamed by events of this type."""
    return next((tool for tool in HOSTED_TOOLS.values() if tool.fragment_event == event_type), None)


def get_resource_owner(kind: ResourceKind) -> HostedTool:
    """The tool under whose type `tool_resources` keeps attached files, or the store that holds them (A38)."""
    return next(tool for tool in HOSTED_TOOLS.values() if tool.resource_kind == kind)


def get_resource_ids(resources: Wire, kind: ResourceKind) -> tuple[str, ...]:
    """The IDs of one kind in `tool_resources`, each once."""
    held = (resources.get(tool.type) or {} for tool in HOSTED_TOOLS.values() if tool.resource_kind == kind)
    return tuple(dict.fromkeys(each for holder in held for each in holder.get(kind) or ()))


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

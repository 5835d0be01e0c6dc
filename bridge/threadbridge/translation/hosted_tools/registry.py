"""The hosted tools by type. Everything that depends on a tool's type reads this table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from threadbridge.api_types import AssistantTool, JsonMapping, RunStepObject, StepToolCall
from threadbridge.ports import Event
from threadbridge.translation.hosted_tools.code_interpreter import CODE_INTERPRETER
from threadbridge.translation.hosted_tools.file_search import FILE_SEARCH
from threadbridge.translation.hosted_tools.hosted_tool import HostedTool, ResourceKind

#: One row for each tool. Read at each use, never copied at import.
HOSTED_TOOLS: dict[str, HostedTool] = {
    FILE_SEARCH.type: FILE_SEARCH,
    CODE_INTERPRETER.type: CODE_INTERPRETER,
}


def list_hosted_tools(tools: Iterable[AssistantTool]) -> list[HostedTool]:
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
    """The tool under whose type `tool_resources` lists attached files, or the store that contains them (A38)."""
    return next(tool for tool in HOSTED_TOOLS.values() if tool.resource_kind == kind)


def get_resource_ids(resources: JsonMapping, kind: ResourceKind) -> tuple[str, ...]:
    """The IDs of one kind in `tool_resources`, each once."""
    ids: dict[str, None] = {}
    for tool in HOSTED_TOOLS.values():
        if tool.resource_kind == kind:
            own: JsonMapping = resources.get(tool.type) or {}
            ids |= dict.fromkeys(own.get(kind) or ())
    return tuple(ids)


# -- Step content that is stored whole and shown only on request: what a search found (A76, A77) -------------------


def has_optional_content(tools: Iterable[AssistantTool]) -> bool:
    """Whether steps of a run with these tools may have content that is shown only on request."""
    return any(tool.strip_content is not None for tool in list_hosted_tools(tools))


def strip_search_content(step: RunStepObject) -> RunStepObject:
    """The step without the content that is shown only on request."""
    details = step["step_details"]
    if not details or details["type"] != "tool_calls":  # steps that were loaded may have null
        return step
    calls: list[StepToolCall] = []
    is_changed = False
    for call in details["tool_calls"] or ():
        tool = HOSTED_TOOLS.get(call["type"])
        if tool is not None and tool.strip_content is not None:
            calls.append(tool.strip_content(call))
            is_changed = True
        else:
            calls.append(call)
    return {**step, "step_details": {**details, "tool_calls": calls}} if is_changed else step


def strip_event_search_content(event: Event) -> Event:
    """The event, with its step stripped."""
    if event.name == "thread.run.step.completed":
        step = cast("RunStepObject", event.data)  # by the name of the event
        return event._replace(data=strip_search_content(step))
    return event

"""New objects as the service returns them: key order, defaults and echoes (A20, A22, A27, A32, A35, A43-A45)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from threadbridge.api_types import (
    AssistantObject,
    AssistantTool,
    CreateAssistantBody,
    CreateMessageBody,
    CreateRunBody,
    CreateThreadBody,
    DeletionStatus,
    FunctionDefinition,
    JsonObject,
    ListObject,
    MessageContentPart,
    MessageContentPartBody,
    MessageObject,
    RunObject,
    TextPart,
    ThreadObject,
    ToolResources,
    TruncationStrategy,
    UpdateAssistantBody,
)
from threadbridge.api_types.objects import ItemT
from threadbridge.service.context import ServiceContext
from threadbridge.translation.hosted_tools.registry import HOSTED_TOOLS, list_hosted_tools


def build_assistant(context: ServiceContext, body: CreateAssistantBody) -> AssistantObject:
    """An assistant from a validated creation body."""
    tools = normalize_tools(body.get("tools", ()))
    return {
        "id": context.new_id("asst"),
        "object": "assistant",
        "created_at": context.unix_seconds,
        "name": body.get("name"),
        "description": body.get("description"),
        "model": body["model"],
        "instructions": body.get("instructions"),
        "tools": tools,
        "top_p": _resolve_number(body.get("top_p")),
        "temperature": _resolve_number(body.get("temperature")),
        "reasoning_effort": body.get("reasoning_effort"),
        "tool_resources": _build_assistant_resources(tools, body.get("tool_resources", {})),
        "metadata": body.get("metadata", {}),
        "response_format": body.get("response_format", "auto"),
    }


def apply_assistant_update(assistant: AssistantObject, body: UpdateAssistantBody) -> AssistantObject:
    """The assistant after a partial update: omitted keys stay, `tools` and `metadata` are replaced whole (A25, A18)."""
    after: AssistantObject = {**assistant, **body}
    if "tools" in body:
        after["tools"] = normalize_tools(body["tools"])
    if "temperature" in body:
        after["temperature"] = float(body["temperature"])
    if "top_p" in body:
        after["top_p"] = float(body["top_p"])
    if "tools" in body or "tool_resources" in body:
        after["tool_resources"] = _build_assistant_resources(after["tools"], after["tool_resources"])
    return after


def _build_assistant_resources(tools: Iterable[AssistantTool], tool_resources: ToolResources) -> ToolResources:
    """Tool resources with an empty entry for every hosted tool that has none (A22)."""
    resources: JsonObject = {**tool_resources}
    for tool in list_hosted_tools(tools):
        if tool.empty_resources is not None:
            resources.setdefault(tool.type, dict(tool.empty_resources))
    return cast("ToolResources", resources)


def normalize_tools(tools: Iterable[AssistantTool]) -> list[AssistantTool]:
    """Tools as the service repeats them (A22)."""
    normalized: list[AssistantTool] = []
    for tool in tools:
        if tool["type"] != "function":
            normalized.append(HOSTED_TOOLS[tool["type"]].normalize(tool))
            continue
        function = tool["function"]
        definition: FunctionDefinition = {"name": function["name"]}
        if "description" in function:
            definition["description"] = function["description"]
        definition["parameters"] = function.get("parameters") or {"type": "object", "properties": {}}
        definition["strict"] = function.get("strict", False)
        normalized.append({"type": "function", "function": definition})
    return normalized


def build_thread(context: ServiceContext, body: CreateThreadBody) -> ThreadObject:
    """A thread from a validated creation body, without its messages."""
    return {
        "id": context.new_id("thread"),
        "object": "thread",
        "created_at": context.unix_seconds,
        "metadata": body.get("metadata", {}),
        "tool_resources": body.get("tool_resources", {}),
    }


def build_message(context: ServiceContext, thread_id: str, body: CreateMessageBody) -> MessageObject:
    """A message that a client created, in REST form: no assistant, no run, no status fields (A32, A35)."""
    return {
        "id": context.new_id("msg"),
        "object": "thread.message",
        "created_at": context.unix_seconds,
        "assistant_id": None,
        "thread_id": thread_id,
        "run_id": None,
        "role": body["role"],
        "content": _normalize_content(body["content"]),
        "attachments": body.get("attachments", []),
        "metadata": body.get("metadata", {}),
    }


def _normalize_content(content: str | list[MessageContentPartBody]) -> list[MessageContentPart]:
    """The content as parts: texts without annotations, images with their detail (A35)."""
    if isinstance(content, str):
        return [_build_text_part(content)]
    parts: list[MessageContentPart] = []
    for part in content:
        if part["type"] == "text":
            parts.append(_build_text_part(part["text"]))
        elif part["type"] == "image_file":
            file = part["image_file"]
            parts.append({"type": "image_file", "image_file": {**file, "detail": file.get("detail", "auto")}})
        else:
            url = part["image_url"]
            parts.append({"type": "image_url", "image_url": {**url, "detail": url.get("detail", "auto")}})
    return parts


def _build_text_part(value: str) -> TextPart:
    return {"type": "text", "text": {"value": value, "annotations": []}}


def build_run(
    context: ServiceContext,
    thread: ThreadObject,
    assistant: AssistantObject,
    body: CreateRunBody,
) -> RunObject:
    """A queued run: the assistant's settings, overridden by the validated body (A45, A48, A49)."""
    return {
        "id": context.new_id("run"),
        "object": "thread.run",
        "created_at": context.unix_seconds,
        "assistant_id": assistant["id"],
        "thread_id": thread["id"],
        "status": "queued",
        "started_at": None,
        "expires_at": context.unix_seconds + context.rules.limits.run_expiry_seconds,
        "cancelled_at": None,
        "failed_at": None,
        "completed_at": None,
        "required_action": None,
        "last_error": None,
        "model": body.get("model", assistant["model"]),
        "instructions": _merge_instructions(assistant, body),
        "tools": normalize_tools(body["tools"]) if "tools" in body else assistant["tools"],
        "tool_resources": body.get("tool_resources", {}),
        "metadata": body.get("metadata", {}),
        "temperature": _resolve_number(body.get("temperature"), assistant.get("temperature")),
        "top_p": _resolve_number(body.get("top_p"), assistant.get("top_p")),
        "reasoning_effort": body.get("reasoning_effort", assistant["reasoning_effort"]),
        "max_completion_tokens": body.get("max_completion_tokens"),
        "max_prompt_tokens": body.get("max_prompt_tokens"),
        "truncation_strategy": _build_truncation_strategy(body.get("truncation_strategy")),
        "incomplete_details": None,
        "usage": None,
        "response_format": body.get("response_format", assistant["response_format"]),
        "tool_choice": body.get("tool_choice", "auto"),
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
    }


def _resolve_number(*values: float | None) -> float:
    """The first number; 1.0 where an imported assistant has none (A20)."""
    return float(next((value for value in values if value is not None), 1.0))


def _merge_instructions(assistant: AssistantObject, body: CreateRunBody) -> str | None:
    """`instructions` replaces, `additional_instructions` is appended on a line of its own (A49)."""
    base = body.get("instructions", assistant["instructions"])
    extra = body.get("additional_instructions")
    return "\n".join(filter(None, (base, extra))) if extra else base


def _build_truncation_strategy(strategy: TruncationStrategy | None) -> TruncationStrategy:
    if strategy is None or strategy["type"] == "auto":
        return {"type": "auto", "last_messages": None}
    return {"type": "last_messages", "last_messages": strategy.get("last_messages")}


def build_deletion_status(kind: str, object_id: str) -> DeletionStatus:
    """The answer to a deletion (A19)."""
    return {"id": object_id, "object": f"{kind}.deleted", "deleted": True}


def build_list_object(data: Iterable[ItemT], *, has_more: bool) -> ListObject[ItemT]:
    """The list envelope (A10)."""
    rows = list(data)
    return {
        "object": "list",
        "data": rows,
        "first_id": rows[0]["id"] if rows else None,
        "last_id": rows[-1]["id"] if rows else None,
        "has_more": has_more,
    }

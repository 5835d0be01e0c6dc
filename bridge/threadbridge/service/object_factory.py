"""New objects as the service shows them: key order, defaults and echoes (A20, A22, A27, A32, A35, A43-A45)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from threadbridge.ports import Wire
from threadbridge.service.context import ServiceContext
from threadbridge.translation.hosted_tools.registry import HOSTED_TOOLS, list_hosted_tools


def build_assistant(context: ServiceContext, body: Wire) -> Wire:
    """An assistant from a checked creation body."""
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
        "top_p": _resolve_number("top_p", body),
        "temperature": _resolve_number("temperature", body),
        "reasoning_effort": body.get("reasoning_effort"),
        "tool_resources": _build_assistant_resources(tools, body.get("tool_resources", {})),
        "metadata": body.get("metadata", {}),
        "response_format": body.get("response_format", "auto"),
    }


def apply_assistant_update(assistant: Wire, body: Wire) -> Wire:
    """The assistant after a partial update: omitted keys stay, `tools` and `metadata` are replaced whole (A25, A18)."""
    changes = dict(body)
    if "tools" in changes:
        changes["tools"] = normalize_tools(changes["tools"])
    for name in ("temperature", "top_p"):
        if name in changes:
            changes[name] = float(changes[name])
    after = {**assistant, **changes}
    if "tools" in changes or "tool_resources" in changes:
        after["tool_resources"] = _build_assistant_resources(after["tools"], after["tool_resources"])
    return after


def _build_assistant_resources(tools: Iterable[Wire], tool_resources: Wire) -> Wire:
    """A tool of an assistant shows its resources even when it has none (A22)."""
    resources = dict(tool_resources)
    for tool in list_hosted_tools(tools):
        if tool.empty_resources is not None:
            resources.setdefault(tool.type, dict(tool.empty_resources))
    return resources


def normalize_tools(tools: Iterable[Wire]) -> list[Wire]:
    """Tools as the service repeats them (A22)."""
    return [
        _normalize_function_tool(tool) if tool["type"] == "function" else HOSTED_TOOLS[tool["type"]].normalize(tool)
        for tool in tools
    ]


def _normalize_function_tool(tool: Wire) -> Wire:
    function = tool["function"]
    normalized: Wire = {"name": function["name"]}
    if "description" in function:
        normalized["description"] = function["description"]
    normalized["parameters"] = function.get("parameters") or {"type": "object", "properties": {}}
    normalized["strict"] = function.get("strict", False)
    return {"type": "function", "function": normalized}


def build_thread(context: ServiceContext, body: Wire) -> Wire:
    """A thread from a checked creation body (without its messages)."""
    return {
        "id": context.new_id("thread"),
        "object": "thread",
        "created_at": context.unix_seconds,
        "metadata": body.get("metadata", {}),
        "tool_resources": body.get("tool_resources", {}),
    }


def build_message(context: ServiceContext, thread_id: str, body: Wire) -> Wire:
    """A message written by hand, in REST form: no assistant, no run, no status group (A32, A35)."""
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


def _normalize_content(content: str | list[Wire]) -> list[Wire]:
    if isinstance(content, str):
        return [_build_text_part(content)]
    return [_PART_NORMALIZERS[part["type"]](part) for part in content]


def _build_text_part(value: str) -> Wire:
    return {"type": "text", "text": {"value": value, "annotations": []}}


def _normalize_image_part(part: Wire) -> Wire:
    kind = part["type"]
    return {"type": kind, kind: {**part[kind], "detail": part[kind].get("detail", "auto")}}


_PART_NORMALIZERS = {
    "text": lambda part: _build_text_part(part["text"]),
    "image_file": _normalize_image_part,
    "image_url": _normalize_image_part,
}


def build_run(context: ServiceContext, thread: Wire, assistant: Wire, body: Wire) -> Wire:
    """A queued run: the assistant's settings, overridden for this run by the checked body (A45, A48, A49)."""
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
        "temperature": _resolve_number("temperature", body, assistant),
        "top_p": _resolve_number("top_p", body, assistant),
        "reasoning_effort": body.get("reasoning_effort", assistant["reasoning_effort"]),
        "max_completion_tokens": body.get("max_completion_tokens"),
        "max_prompt_tokens": body.get("max_prompt_tokens"),
        "truncation_strategy": _build_truncation_strategy(body.get("truncation_strategy", {})),
        "incomplete_details": None,
        "usage": None,
        "response_format": body.get("response_format", assistant["response_format"]),
        "tool_choice": body.get("tool_choice", "auto"),
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
    }


def _resolve_number(name: str, *sources: Wire) -> float:
    """The first source that gives the number; 1.0 where an imported assistant has none (A20)."""
    given = (source[name] for source in sources if source.get(name) is not None)
    return float(next(given, 1.0))


def _merge_instructions(assistant: Wire, body: Wire) -> str | None:
    """`instructions` replaces, `additional_instructions` is appended on a line of its own (A49)."""
    base: str | None = body.get("instructions", assistant["instructions"])
    extra: str | None = body.get("additional_instructions")
    return "\n".join(filter(None, (base, extra))) if extra else base


def _build_truncation_strategy(params: Mapping[str, Any]) -> Wire:
    kind = params.get("type", "auto")
    return {"type": kind, "last_messages": params.get("last_messages") if kind == "last_messages" else None}


def build_deletion_status(kind: str, object_id: str) -> Wire:
    """The answer to a deletion (A19)."""
    return {"id": object_id, "object": f"{kind}.deleted", "deleted": True}


def build_list_object(data: Iterable[Wire], *, has_more: bool) -> Wire:
    """The list envelope (A10)."""
    rows = list(data)
    return {
        "object": "list",
        "data": rows,
        "first_id": rows[0]["id"] if rows else None,
        "last_id": rows[-1]["id"] if rows else None,
        "has_more": has_more,
    }

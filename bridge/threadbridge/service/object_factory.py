"""New objects as the service shows them: key order, defaults and echoes (A20, A22, A27, A32, A35, A43-A45)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from threadbridge.ports import Wire
from threadbridge.service.context import Context

_RANKING_OPTIONS: Wire = {"ranker": "default_2024_08_21", "score_threshold": 0.0, "hybrid_search": None}


def new_assistant(context: Context, body: Wire) -> Wire:
    """An assistant from a checked creation body."""
    tools = echoed_tools(body.get("tools", ()))
    return {
        "id": context.new_id("asst"),
        "object": "assistant",
        "created_at": context.second,
        "name": body.get("name"),
        "description": body.get("description"),
        "model": body["model"],
        "instructions": body.get("instructions"),
        "tools": tools,
        "top_p": _number("top_p", body),
        "temperature": _number("temperature", body),
        "reasoning_effort": body.get("reasoning_effort"),
        "tool_resources": _assistant_resources(tools, body.get("tool_resources", {})),
        "metadata": body.get("metadata", {}),
        "response_format": body.get("response_format", "auto"),
    }


def changed_assistant(assistant: Wire, body: Wire) -> Wire:
    """The assistant after a partial update: omitted keys stay, `tools` and `metadata` are replaced whole (A25, A18)."""
    changes = dict(body)
    if "tools" in changes:
        changes["tools"] = echoed_tools(changes["tools"])
    for name in ("temperature", "top_p"):
        if name in changes:
            changes[name] = float(changes[name])
    after = {**assistant, **changes}
    if "tools" in changes or "tool_resources" in changes:
        after["tool_resources"] = _assistant_resources(after["tools"], after["tool_resources"])
    return after


def _assistant_resources(tools: Iterable[Wire], given: Wire) -> Wire:
    """A tool of an assistant shows its resources even when it has none (A22)."""
    resources = dict(given)
    if any(tool["type"] == "code_interpreter" for tool in tools):
        resources.setdefault("code_interpreter", {"file_ids": []})
    return resources


def echoed_tools(tools: Iterable[Wire]) -> list[Wire]:
    """Tools as the service repeats them (A22)."""
    return [_ECHOES[tool["type"]](tool) for tool in tools]


def _echoed_function(tool: Wire) -> Wire:
    function = tool["function"]
    echo: Wire = {"name": function["name"]}
    if "description" in function:
        echo["description"] = function["description"]
    echo["parameters"] = function.get("parameters") or {"type": "object", "properties": {}}
    echo["strict"] = function.get("strict", False)
    return {"type": "function", "function": echo}


def _echoed_file_search(tool: Wire) -> Wire:
    options = tool.get("file_search", {})
    echo: Wire = {}
    if "max_num_results" in options:
        echo["max_num_results"] = options["max_num_results"]
    echo["ranking_options"] = {**_RANKING_OPTIONS, **options.get("ranking_options", {})}
    return {"type": "file_search", "file_search": echo}


def _echoed_code_interpreter(tool: Wire) -> Wire:
    return {"type": tool["type"]}


_ECHOES = {
    "function": _echoed_function,
    "file_search": _echoed_file_search,
    "code_interpreter": _echoed_code_interpreter,
}


def new_thread(context: Context, body: Wire) -> Wire:
    """A thread from a checked creation body (without its messages)."""
    return {
        "id": context.new_id("thread"),
        "object": "thread",
        "created_at": context.second,
        "metadata": body.get("metadata", {}),
        "tool_resources": body.get("tool_resources", {}),
    }


def new_message(context: Context, thread_id: str, body: Wire) -> Wire:
    """A message written by hand, in REST form: no assistant, no run, no status group (A32, A35)."""
    return {
        "id": context.new_id("msg"),
        "object": "thread.message",
        "created_at": context.second,
        "assistant_id": None,
        "thread_id": thread_id,
        "run_id": None,
        "role": body["role"],
        "content": _stored_content(body["content"]),
        "attachments": body.get("attachments", []),
        "metadata": body.get("metadata", {}),
    }


def _stored_content(content: str | list[Wire]) -> list[Wire]:
    if isinstance(content, str):
        return [_text(content)]
    return [_STORED_PARTS[part["type"]](part) for part in content]


def _text(value: str) -> Wire:
    return {"type": "text", "text": {"value": value, "annotations": []}}


def _stored_image(part: Wire) -> Wire:
    kind = part["type"]
    return {"type": kind, kind: {**part[kind], "detail": part[kind].get("detail", "auto")}}


_STORED_PARTS = {
    "text": lambda part: _text(part["text"]),
    "image_file": _stored_image,
    "image_url": _stored_image,
}


def new_run(context: Context, thread: Wire, assistant: Wire, body: Wire) -> Wire:
    """A queued run: the assistant's settings, overridden for this run by the checked body (A45, A48, A49)."""
    return {
        "id": context.new_id("run"),
        "object": "thread.run",
        "created_at": context.second,
        "assistant_id": assistant["id"],
        "thread_id": thread["id"],
        "status": "queued",
        "started_at": None,
        "expires_at": context.second + context.rules.limits.run_expiry_seconds,
        "cancelled_at": None,
        "failed_at": None,
        "completed_at": None,
        "required_action": None,
        "last_error": None,
        "model": body.get("model", assistant["model"]),
        "instructions": _run_instructions(assistant, body),
        "tools": echoed_tools(body["tools"]) if "tools" in body else assistant["tools"],
        "tool_resources": body.get("tool_resources", {}),
        "metadata": body.get("metadata", {}),
        "temperature": _number("temperature", body, assistant),
        "top_p": _number("top_p", body, assistant),
        "reasoning_effort": body.get("reasoning_effort", assistant["reasoning_effort"]),
        "max_completion_tokens": body.get("max_completion_tokens"),
        "max_prompt_tokens": body.get("max_prompt_tokens"),
        "truncation_strategy": _truncation_strategy(body.get("truncation_strategy", {})),
        "incomplete_details": None,
        "usage": None,
        "response_format": body.get("response_format", assistant["response_format"]),
        "tool_choice": body.get("tool_choice", "auto"),
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
    }


def _number(name: str, *sources: Wire) -> float:
    """The first source that gives the number; 1.0 where an imported assistant has none (A20)."""
    given = (source[name] for source in sources if source.get(name) is not None)
    return float(next(given, 1.0))


def _run_instructions(assistant: Wire, body: Wire) -> str | None:
    """`instructions` replaces, `additional_instructions` is appended on a line of its own (A49)."""
    base: str | None = body.get("instructions", assistant["instructions"])
    extra: str | None = body.get("additional_instructions")
    return "\n".join(filter(None, (base, extra))) if extra else base


def _truncation_strategy(given: Mapping[str, Any]) -> Wire:
    kind = given.get("type", "auto")
    return {"type": kind, "last_messages": given.get("last_messages") if kind == "last_messages" else None}


def deleted(kind: str, object_id: str) -> Wire:
    """The answer to a deletion (A19)."""
    return {"id": object_id, "object": f"{kind}.deleted", "deleted": True}


def listed(data: Iterable[Wire], *, has_more: bool) -> Wire:
    """The list envelope (A10)."""
    rows = list(data)
    return {
        "object": "list",
        "data": rows,
        "first_id": rows[0]["id"] if rows else None,
        "last_id": rows[-1]["id"] if rows else None,
        "has_more": has_more,
    }

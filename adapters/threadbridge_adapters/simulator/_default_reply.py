"""The output of the simulated model without a scenario: a pure function of the request and its context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson

from threadbridge.api_types import JsonObject
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator._prompt_directives import (
    CallDirective,
    Directives,
    ToolDirective,
    parse_directives,
)
from threadbridge_adapters.simulator._request import ResponseRequest
from threadbridge_adapters.simulator._scenarios import (
    FunctionCall,
    Output,
    PlannedCode,
    PlannedFileSearch,
    Reasoning,
    RefusalMessage,
    Scenario,
    ScriptedResponse,
    TextMessage,
    ToolSummaryMessage,
)
from threadbridge_adapters.simulator._tools import make_sample
from threadbridge_adapters.simulator._validators import EMPTY_OBJECT

#: Tokens of a reasoning item, by effort.
REASONING_TOKENS = {"minimal": 4, "low": 8, "medium": 32, "high": 64, "xhigh": 128, "max": 256}


def compose_scenario(request: ResponseRequest, context: Sequence[JsonObject]) -> Scenario:
    """The response to a request: follows the directives in the last user message (see `_prompt_directives`)."""
    text, outputs = "", list[str]()
    for item in reversed(context):  # the last user message, and the function outputs after it
        if item.get("type") == "function_call_output":
            outputs.insert(0, _join_text(item["output"]))
        elif item.get("role") == "user":
            text = _join_text(item["content"])
            break
    directives = parse_directives(text)
    rounds = _plan_call_rounds(request, directives)
    reasoning = _plan_reasoning(request, directives, text)
    hosted_types = {tool["type"] for tool in _list_allowed_tools(request)} if directives.tools else ()
    tools = [tool for tool in directives.tools if tool.tool_type in hosted_types]
    required_calls = [] if tools else _plan_required_call(request, text)
    calls = [output for output in required_calls if isinstance(output, FunctionCall)]
    answered = len(outputs)
    for round_calls in rounds:  # the calls of the first round without outputs
        if answered < len(round_calls):
            calls = [FunctionCall(call.name, call.arguments) for call in round_calls]
            break
        answered -= len(round_calls)
    if calls:
        return Scenario(response=ScriptedResponse([*reasoning, *calls]), delta_delay=directives.event_delay)
    if directives.http is not None:
        status, seconds = directives.http
        return Scenario(error=errors.error_for_status(status, retry_after=seconds))
    tool_plans = [_plan_hosted_tool(tool) for tool in tools] or required_calls
    message: TextMessage | ToolSummaryMessage = ToolSummaryMessage()
    if directives.say is not None:
        message = TextMessage(directives.say)
    elif not tool_plans:
        used_ids = {id(call) for calls in rounds for call in calls} | {id(tool) for tool in tools}
        parts = [part for part in directives.text_parts if id(part) not in used_ids]
        plain_text = "\n".join(part if isinstance(part, str) else part.line for part in parts)
        message = TextMessage(
            format_reply(request, f"RESULT: {'; '.join(outputs)}" if outputs else f"ECHO: {plain_text}")
        )
    preceding: list[Output] = [*reasoning, *tool_plans]
    if directives.fail is not None:
        partial = [message] if directives.say is not None else []
        response = ScriptedResponse([*preceding, *partial], "failed", error=directives.fail)
    else:
        last: Output = message if directives.refuse is None else RefusalMessage(directives.refuse)
        response = ScriptedResponse([*preceding, last])
        if directives.incomplete is not None:
            response = replace(response, status="incomplete", reason=directives.incomplete)
    return Scenario(
        response=response,
        delta_delay=directives.event_delay,
        break_after=directives.break_after,
    )


def _join_text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part.get("type") == "input_text")


def _list_allowed_tools(request: ResponseRequest) -> list[JsonObject]:
    """The tools that the model may call in this request."""
    choice: JsonObject | str = request.body.get("tool_choice") or "auto"
    if isinstance(choice, str):
        return [] if choice == "none" else [*request.tools]
    choices: list[JsonObject] = choice["tools"] if choice["type"] == "allowed_tools" else [choice]
    keys = [(each.get("type"), each.get("name")) for each in choices]
    return [tool for tool in request.tools if (tool["type"], tool.get("name")) in keys]


def _plan_hosted_tool(tool: ToolDirective) -> PlannedFileSearch | PlannedCode:
    if tool.tool_type == "file_search":
        return PlannedFileSearch(tool.queries)
    return PlannedCode(
        "\n".join(tool.code),
        printed_texts=tool.printed_texts,
        written_files=tool.written_files,
        drawn_charts=tool.drawn_charts,
        loses_container=tool.loses_container,
    )


def _plan_call_rounds(request: ResponseRequest, directives: Directives) -> list[list[CallDirective]]:
    """The rounds of possible calls; one call per round if parallel calls are disabled."""
    if not directives.rounds:
        return []
    allowed = {tool["name"] for tool in _list_allowed_tools(request) if tool["type"] == "function"}
    rounds = [[call for call in calls if call.undeclared or call.name in allowed] for calls in directives.rounds]
    if not request.body.get("parallel_tool_calls", True):
        rounds = [[call] for calls in rounds for call in calls]
    return [calls for calls in rounds if calls]


def _plan_required_call(request: ResponseRequest, text: str) -> list[FunctionCall | PlannedFileSearch | PlannedCode]:
    """The call that `tool_choice` forces if the message has no CALL directive, in every request that sends it (§5)."""
    choice: JsonObject | str = request.body.get("tool_choice") or "auto"
    if isinstance(choice, str):
        is_required = choice == "required"
    else:
        is_required = choice["type"] != "allowed_tools" or choice["mode"] == "required"
    tools = _list_allowed_tools(request) if is_required else []
    if not tools:
        return []
    if tools[0]["type"] == "file_search":
        return [PlannedFileSearch([text])]
    if tools[0]["type"] == "code_interpreter":
        return [PlannedCode(f"print({text!r})", printed_texts=[text])]
    arguments = make_sample(tools[0].get("parameters") or {"type": "object"}, text)
    return [FunctionCall(tools[0]["name"], orjson.dumps(arguments).decode())]


def _plan_reasoning(request: ResponseRequest, directives: Directives, text: str) -> list[Output]:
    """A reasoning item if the model reasons or the message has a THINK directive."""
    effort = request.effort if request.traits.efforts else None
    tokens = REASONING_TOKENS.get(effort or "none", 0)
    if directives.think is not None:
        return [Reasoning(directives.think, tokens)]
    if not tokens:
        return []
    options = request.body.get("reasoning") or EMPTY_OBJECT
    summary_mode = options.get("summary") or options.get("generate_summary")
    return [Reasoning(f"**Considering the question**\n\n{text[:80]}" if summary_mode else "", tokens)]


def format_reply(request: ResponseRequest, text: str) -> str:
    """The text in the requested format."""
    form = (request.body.get("text") or EMPTY_OBJECT).get("format") or EMPTY_OBJECT
    if form.get("type") == "json_object":
        return orjson.dumps({"text": text}).decode()
    if form.get("type") == "json_schema":
        return orjson.dumps(make_sample(form["schema"], text)).decode()
    return text

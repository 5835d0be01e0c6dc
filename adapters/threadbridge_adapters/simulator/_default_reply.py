"""The output of the simulated model without a scenario: a pure function of the request and its context."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from threadbridge.ports import Wire
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
from threadbridge_adapters.simulator._schemas import make_sample

#: Tokens of a reasoning item, by effort.
REASONING_TOKENS = {"minimal": 4, "low": 8, "medium": 32, "high": 64, "xhigh": 128, "max": 256}


def compose_scenario(request: ResponseRequest, context: Sequence[Wire]) -> Scenario:
    """The response to a request: follows the directives in the last user message (see `_prompt_directives`)."""
    text, outputs = _find_last_question(context)
    instructions = parse_directives(text)
    rounds = _plan_call_rounds(request, instructions)
    reasoning = _plan_reasoning(request, instructions, text)
    tools = _select_usable_tools(request, instructions)
    required_calls = [] if tools else _plan_required_call(request, text)
    calls = _select_due_calls(rounds, len(outputs)) or [
        output for output in required_calls if isinstance(output, FunctionCall)
    ]
    if calls:
        return Scenario(response=ScriptedResponse([*reasoning, *calls]), delta_delay=instructions.event_delay)
    if instructions.http is not None:
        status, seconds = instructions.http
        return Scenario(error=errors.error_for_status(status, retry_after=seconds))
    tool_plans = [_plan_hosted_tool(tool) for tool in tools] or required_calls
    message: TextMessage | ToolSummaryMessage = ToolSummaryMessage()
    if instructions.say is not None:
        message = TextMessage(instructions.say)
    elif not tool_plans:
        message = TextMessage(_compose_default_text(request, _collect_plain_text(instructions, rounds, tools), outputs))
    return Scenario(
        response=_compose_final(instructions, [*reasoning, *tool_plans], message),
        delta_delay=instructions.event_delay,
        break_after=instructions.break_after,
    )


def _find_last_question(context: Sequence[Wire]) -> tuple[str, list[str]]:
    """The text of the last user message and the function outputs after it."""
    outputs: list[str] = []
    for item in reversed(context):
        if item.get("type") == "function_call_output":
            outputs.append(_join_text(item["output"]))
        elif item.get("role") == "user":
            return _join_text(item["content"]), outputs[::-1]
    return "", outputs[::-1]


def _join_text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part.get("type") == "input_text")


def _list_allowed_functions(request: ResponseRequest) -> set[str]:
    """Names of the functions that the model may call in this request."""
    names = {tool["name"] for tool in request.tools if tool["type"] == "function"}
    match request.body.get("tool_choice"):
        case "none":
            return set()
        case {"type": "function", "name": str(name)}:
            return names & {name}
        case {"type": "allowed_tools", "tools": list(tools)}:
            return names & {str(tool.get("name")) for tool in tools}
        case {"type": "file_search" | "code_interpreter"}:
            return set()
        case _:
            return names


def _list_allowed_hosted_tools(request: ResponseRequest) -> set[str]:
    """Types of the hosted tools that the model may call in this request."""
    types = {tool["type"] for tool in request.tools} - {"function"}
    match request.body.get("tool_choice"):
        case "none" | {"type": "function"}:
            return set()
        case {"type": "allowed_tools", "tools": list(tools)}:
            return types & {str(tool.get("type")) for tool in tools}
        case {"type": str(kind)}:
            return types & {kind}
        case _:
            return types


def _select_usable_tools(request: ResponseRequest, instructions: Directives) -> list[ToolDirective]:
    """The SEARCH and PYTHON directives whose tool is in the request."""
    if not instructions.tools:
        return []
    allowed = _list_allowed_hosted_tools(request)
    return [tool for tool in instructions.tools if tool.tool_type in allowed]


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


def _plan_call_rounds(request: ResponseRequest, instructions: Directives) -> list[list[CallDirective]]:
    """The rounds of possible calls; one call per round if parallel calls are disabled."""
    allowed = _list_allowed_functions(request)
    rounds = [[call for call in calls if call.undeclared or call.name in allowed] for calls in instructions.rounds]
    if not request.body.get("parallel_tool_calls", True):
        rounds = [[call] for calls in rounds for call in calls]
    return [calls for calls in rounds if calls]


def _select_due_calls(rounds: Sequence[Sequence[CallDirective]], answered: int) -> list[FunctionCall]:
    """The calls of the first round without outputs."""
    for calls in rounds:
        if answered < len(calls):
            return [FunctionCall(call.name, call.arguments) for call in calls]
        answered -= len(calls)
    return []


def _plan_required_call(request: ResponseRequest, text: str) -> list[FunctionCall | PlannedFileSearch | PlannedCode]:
    """The call that `tool_choice` forces if the message has no CALL directive, in every request that sends it (§5)."""
    choice = request.body.get("tool_choice")
    is_required = choice == "required" or (
        isinstance(choice, dict) and (choice["type"] != "allowed_tools" or choice.get("mode") == "required")
    )
    if not is_required:
        return []
    allowed, hosted = _list_allowed_functions(request), _list_allowed_hosted_tools(request)
    for tool in request.tools:
        if tool.get("name") in allowed:
            arguments = make_sample(tool.get("parameters") or {"type": "object"}, text)
            return [FunctionCall(tool["name"], orjson.dumps(arguments).decode())]
        if tool["type"] in hosted:
            return [
                PlannedFileSearch([text])
                if tool["type"] == "file_search"
                else PlannedCode(f"print({text!r})", printed_texts=[text])
            ]
    return []


def _plan_reasoning(request: ResponseRequest, instructions: Directives, text: str) -> list[Output]:
    """A reasoning item if the model reasons or the message has a THINK directive."""
    effort = request.effort if request.traits.efforts else None
    tokens = REASONING_TOKENS.get(effort or "none", 0)
    if instructions.think is not None:
        return [Reasoning(instructions.think, tokens)]
    if not tokens:
        return []
    options = request.body.get("reasoning") or {}
    summary_mode = options.get("summary") or options.get("generate_summary")
    return [Reasoning(f"**Considering the question**\n\n{text[:80]}" if summary_mode else "", tokens)]


def _collect_plain_text(
    instructions: Directives, rounds: Sequence[Sequence[CallDirective]], tools: Sequence[ToolDirective]
) -> str:
    handled_ids = {id(call) for calls in rounds for call in calls} | {id(tool) for tool in tools}
    lines = [
        part if isinstance(part, str) else part.line for part in instructions.text_parts if id(part) not in handled_ids
    ]
    return "\n".join(lines)


def _compose_default_text(request: ResponseRequest, text: str, outputs: Sequence[str]) -> str:
    return format_reply(request, f"RESULT: {'; '.join(outputs)}" if outputs else f"ECHO: {text}")


def format_reply(request: ResponseRequest, text: str) -> str:
    """The text in the requested format."""
    form = (request.body.get("text") or {}).get("format") or {}
    if form.get("type") == "json_object":
        return orjson.dumps({"text": text}).decode()
    if form.get("type") == "json_schema":
        return orjson.dumps(make_sample(form["schema"], text)).decode()
    return text


def _compose_final(
    instructions: Directives, preceding: Sequence[Output], message: TextMessage | ToolSummaryMessage
) -> ScriptedResponse:
    if instructions.fail is not None:
        partial: list[Output] = [message] if instructions.say is not None else []
        return ScriptedResponse([*preceding, *partial], "failed", error=instructions.fail)
    last: Output = RefusalMessage(instructions.refuse) if instructions.refuse is not None else message
    if instructions.incomplete is not None:
        return ScriptedResponse([*preceding, last], "incomplete", reason=instructions.incomplete)
    return ScriptedResponse([*preceding, last])

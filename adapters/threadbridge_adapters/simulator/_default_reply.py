"""What the simulated model says when nobody wrote a scenario: a pure function of the request and its context."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from threadbridge.ports import Wire
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator._prompt_directives import Instructions, ScriptedCall, ScriptedTool, read
from threadbridge_adapters.simulator._request import Request
from threadbridge_adapters.simulator._scenarios import (
    Answer,
    Call,
    Findings,
    Output,
    Python,
    Reasoning,
    Refusal,
    Scenario,
    Search,
    Text,
)
from threadbridge_adapters.simulator._schemas import sample

#: What a reasoning item costs, by effort.
REASONING_TOKENS = {"minimal": 4, "low": 8, "medium": 32, "high": 64, "xhigh": 128, "max": 256}


def compose(request: Request, context: Sequence[Wire]) -> Scenario:
    """Read the last user message for instructions (see `_language`) and do what they and the request ask for."""
    text, outputs = _last_question(context)
    instructions = read(text)
    rounds = _rounds(request, instructions)
    thought = _thought(request, instructions, text)
    tools = _usable(request, instructions)
    demanded = [] if tools else _demanded(request, text)
    calls = _due(rounds, len(outputs)) or [output for output in demanded if isinstance(output, Call)]
    if calls:
        return Scenario(answer=Answer([*thought, *calls]), delta_delay=instructions.slow)
    if instructions.http is not None:
        status, seconds = instructions.http
        return Scenario(error=errors.of_status(status, retry_after=seconds))
    work = [_performed(tool) for tool in tools] or demanded
    said: Text | Findings = Findings()
    if instructions.say is not None:
        said = Text(instructions.say)
    elif not work:
        said = Text(_default_text(request, _plain_text(instructions, rounds, tools), outputs))
    return Scenario(
        answer=_final(instructions, [*thought, *work], said),
        delta_delay=instructions.slow,
        break_after=instructions.break_after,
    )


def _last_question(context: Sequence[Wire]) -> tuple[str, list[str]]:
    """The text of the last user message, and the function outputs that came after it."""
    outputs: list[str] = []
    for item in reversed(context):
        if item.get("type") == "function_call_output":
            outputs.append(_text_of(item["output"]))
        elif item.get("role") == "user":
            return _text_of(item["content"]), outputs[::-1]
    return "", outputs[::-1]


def _text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part.get("type") == "input_text")


def _allowed(request: Request) -> set[str]:
    """Names of the functions this request lets the model call."""
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


def _allowed_hosted(request: Request) -> set[str]:
    """Types of the hosted tools this request lets the model use."""
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


def _usable(request: Request, instructions: Instructions) -> list[ScriptedTool]:
    """The SEARCH and PYTHON lines for which the request has the tool."""
    if not instructions.tools:
        return []
    allowed = _allowed_hosted(request)
    return [tool for tool in instructions.tools if tool.tool in allowed]


def _performed(tool: ScriptedTool) -> Search | Python:
    if tool.tool == "file_search":
        return Search(tool.queries)
    return Python("\n".join(tool.code), prints=tool.prints, writes=tool.writes, draws=tool.draws, dies=tool.dies)


def _rounds(request: Request, instructions: Instructions) -> list[list[ScriptedCall]]:
    """The rounds of calls that can be made; one at a time where parallel calls are switched off."""
    allowed = _allowed(request)
    rounds = [[call for call in calls if call.undeclared or call.name in allowed] for calls in instructions.rounds]
    if not request.body.get("parallel_tool_calls", True):
        rounds = [[call] for calls in rounds for call in calls]
    return [calls for calls in rounds if calls]


def _due(rounds: Sequence[Sequence[ScriptedCall]], answered: int) -> list[Call]:
    """The calls of the first round that has not been answered yet."""
    for calls in rounds:
        if answered < len(calls):
            return [Call(call.name, call.arguments) for call in calls]
        answered -= len(calls)
    return []


def _demanded(request: Request, text: str) -> list[Call | Search | Python]:
    """The call a `tool_choice` insists on when the message asks for none. It does so every time it is sent (§5)."""
    choice = request.body.get("tool_choice")
    insists = choice == "required" or (
        isinstance(choice, dict) and (choice["type"] != "allowed_tools" or choice.get("mode") == "required")
    )
    if not insists:
        return []
    allowed, hosted = _allowed(request), _allowed_hosted(request)
    for tool in request.tools:
        if tool.get("name") in allowed:
            arguments = sample(tool.get("parameters") or {"type": "object"}, text)
            return [Call(tool["name"], orjson.dumps(arguments).decode())]
        if tool["type"] in hosted:
            return [Search([text]) if tool["type"] == "file_search" else Python(f"print({text!r})", prints=[text])]
    return []


def _thought(request: Request, instructions: Instructions, text: str) -> list[Output]:
    """A reasoning item where the model reasons, or THINK says so."""
    effort = request.effort if request.family.efforts else None
    tokens = REASONING_TOKENS.get(effort or "none", 0)
    if instructions.think is not None:
        return [Reasoning(instructions.think, tokens)]
    if not tokens:
        return []
    options = request.body.get("reasoning") or {}
    shown = options.get("summary") or options.get("generate_summary")
    return [Reasoning(f"**Considering the question**\n\n{text[:80]}" if shown else "", tokens)]


def _plain_text(
    instructions: Instructions, rounds: Sequence[Sequence[ScriptedCall]], tools: Sequence[ScriptedTool]
) -> str:
    made = {id(call) for calls in rounds for call in calls} | {id(tool) for tool in tools}
    lines = [part if isinstance(part, str) else part.line for part in instructions.rest if id(part) not in made]
    return "\n".join(lines)


def _default_text(request: Request, text: str, outputs: Sequence[str]) -> str:
    return formatted(request, f"RESULT: {'; '.join(outputs)}" if outputs else f"ECHO: {text}")


def formatted(request: Request, said: str) -> str:
    """The text in the format the request wants."""
    form = (request.body.get("text") or {}).get("format") or {}
    if form.get("type") == "json_object":
        return orjson.dumps({"text": said}).decode()
    if form.get("type") == "json_schema":
        return orjson.dumps(sample(form["schema"], said)).decode()
    return said


def _final(instructions: Instructions, before: Sequence[Output], said: Text | Findings) -> Answer:
    if instructions.fail is not None:
        partial: list[Output] = [said] if instructions.say is not None else []
        return Answer([*before, *partial], "failed", error=instructions.fail)
    last: Output = Refusal(instructions.refuse) if instructions.refuse is not None else said
    if instructions.incomplete is not None:
        return Answer([*before, last], "incomplete", reason=instructions.incomplete)
    return Answer([*before, last])

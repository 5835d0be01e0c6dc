"""Scenarios: the output for a request, errors, delays and broken connections, as scripted or composed by default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self, TypeAlias

import orjson

from threadbridge.api_types import JsonObject
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator._prompt_directives import (
    CallDirective,
    Directives,
    ToolDirective,
    parse_directives,
)
from threadbridge_adapters.simulator._response_request import ResponseRequest
from threadbridge_adapters.simulator._tool_validation import make_sample
from threadbridge_adapters.simulator._validators import EMPTY_OBJECT


@dataclass(frozen=True, slots=True)
class TextMessage:
    """An assistant message.

    After a `PlannedFileSearch` or `PlannedCode` in the same response, `[[2]]` in the text cites the second result of
    all searches, and `[[name.csv]]` becomes a link to the file that code wrote; the marks are removed.
    """

    text: str
    annotations: Sequence[JsonObject] = ()


@dataclass(frozen=True, slots=True)
class PlannedFileSearch:
    """A `file_search` call, which searches the vector stores of the request's tool."""

    queries: Sequence[str]


@dataclass(frozen=True, slots=True)
class PlannedCode:
    """A `code_interpreter` call. The code is not run: the fields define what it prints, writes and draws.

    `written_files` are names and texts; each of `drawn_charts` is displayed, and saved under its name if it has one.
    `loses_container`: a container in which code has run before expires while this code runs, and the response fails.
    """

    code: str
    printed_texts: Sequence[str] = ()
    written_files: Sequence[tuple[str, str]] = ()
    drawn_charts: Sequence[str] = ()
    loses_container: bool = False


@dataclass(frozen=True, slots=True)
class ToolSummaryMessage:
    """An assistant message that quotes and cites all results of the searches and the code of this response."""


@dataclass(frozen=True, slots=True)
class PerformedFileSearch:
    """A `PlannedFileSearch` with its results."""

    queries: Sequence[str]
    results: Sequence[JsonObject]


@dataclass(frozen=True, slots=True)
class PerformedCode:
    """A `PlannedCode` with its container and outputs."""

    code: str
    container_id: str
    outputs: Sequence[JsonObject]


@dataclass(frozen=True, slots=True)
class RefusalMessage:
    """An assistant message whose content part is a refusal."""

    text: str


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A function call. `arguments` is sent unchanged, so it can be invalid JSON."""

    name: str
    arguments: str
    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Reasoning:
    """A reasoning item, with a summary unless that is empty; `tokens` count as output tokens."""

    summary: str = ""
    tokens: int = 0


Output: TypeAlias = (
    TextMessage
    | RefusalMessage
    | FunctionCall
    | Reasoning
    | PlannedFileSearch
    | PlannedCode
    | ToolSummaryMessage
    | PerformedFileSearch
    | PerformedCode
)


@dataclass(frozen=True, slots=True)
class ScriptedResponse:
    """The output of one response and how it ends.

    If it is `incomplete` or `failed`, its last message or call is not completed, as at the service.
    """

    outputs: Sequence[Output] = ()
    status: Literal["completed", "incomplete", "failed"] = "completed"
    #: Why it is incomplete: `max_output_tokens` or `content_filter`.
    reason: str | None = None
    #: Why it failed: (code, message).
    error: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """The script for one request. The simulator decides everything that a field does not set.

    The class methods create the usual ones, the other methods modify any of them:
    `Scenario.from_text("one two three").with_break(after=4)`.
    """

    response: ScriptedResponse | None = None
    #: Exact events to send instead of a generated response, for instance from a recording.
    events: Sequence[JsonObject] | None = None
    #: The error to respond with before the request is validated.
    error: errors.ServiceError | None = None
    #: Seconds before the first event, and between events.
    delay: float = 0.0
    delta_delay: float = 0.0
    #: Break the connection after this number of events.
    break_after: int | None = None

    @classmethod
    def from_text(cls, text: str) -> Self:
        return cls(response=ScriptedResponse([TextMessage(text)]))

    @classmethod
    def from_calls(cls, *calls: FunctionCall, reasoning: str | None = None) -> Self:
        """Call functions, declared or not, in one turn."""
        reasoning_items: list[Output] = (
            [] if reasoning is None else [Reasoning(reasoning, tokens=len(reasoning.split()))]
        )
        return cls(response=ScriptedResponse([*reasoning_items, *calls]))

    @classmethod
    def from_refusal(cls, text: str) -> Self:
        return cls(response=ScriptedResponse([RefusalMessage(text)]))

    @classmethod
    def from_incomplete(cls, reason: str, *outputs: Output) -> Self:
        """`response.incomplete` after these outputs, the last of which is truncated."""
        return cls(response=ScriptedResponse(outputs, "incomplete", reason=reason))

    @classmethod
    def from_failure(cls, code: str, message: str, *outputs: Output) -> Self:
        """`response.failed` in the middle of these outputs."""
        return cls(response=ScriptedResponse(outputs, "failed", error=(code, message)))

    @classmethod
    def from_http_error(cls, status: int, message: str | None = None, *, retry_after: float | None = None) -> Self:
        """Respond with an error status before the request is validated."""
        return cls(error=errors.error_for_status(status, message, retry_after=retry_after))

    @classmethod
    def from_events(cls, events: Sequence[JsonObject]) -> Self:
        """Send exactly these events; a plain request gets the response in the last event that has one."""
        return cls(events=events)

    def with_delta_delay(self, seconds: float) -> Self:
        """Wait between events."""
        return replace(self, delta_delay=seconds)

    def with_start_delay(self, seconds: float) -> Self:
        """Wait before the first event."""
        return replace(self, delay=seconds)

    def with_break(self, *, after: int) -> Self:
        """Break the connection after this number of events; for a plain request, immediately."""
        return replace(self, break_after=after)


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

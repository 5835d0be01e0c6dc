"""Scenarios: the scripted output for a request, and errors, delays and broken connections, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self, TypeAlias

from threadbridge.api_types import JsonObject
from threadbridge_adapters.simulator import _errors as errors


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

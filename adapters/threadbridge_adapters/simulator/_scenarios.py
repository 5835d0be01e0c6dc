"""What the simulated model does with a request, and what may happen to the request on the way: plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self, TypeAlias

from threadbridge.ports import Wire
from threadbridge_adapters.simulator import _errors as errors


@dataclass(frozen=True, slots=True)
class TextMessage:
    """An assistant message.

    After a `Search` or `Python` of the same answer, `[[2]]` in the text cites the second result of all searches, and
    `[[name.csv]]` becomes a link to the file that code wrote; the marks themselves go away.
    """

    text: str
    annotations: Sequence[Wire] = ()


@dataclass(frozen=True, slots=True)
class PlannedFileSearch:
    """A `file_search` call: its queries are put to the vector stores of the request's tool."""

    queries: Sequence[str]


@dataclass(frozen=True, slots=True)
class PlannedCode:
    """A `code_interpreter` call. The code is not run: what it prints, writes and draws is said here.

    `writes` are names and texts of files; `draws` are charts, each shown, and saved under its name where it has one.
    `dies`: a container in which code ran before is gone while this code runs, and the response fails.
    """

    code: str
    printed_texts: Sequence[str] = ()
    written_files: Sequence[tuple[str, str]] = ()
    drawn_charts: Sequence[str] = ()
    loses_container: bool = False


@dataclass(frozen=True, slots=True)
class ToolSummaryMessage:
    """An assistant message about what the searches and the code of this answer gave, everything cited."""


@dataclass(frozen=True, slots=True)
class PerformedFileSearch:
    """A `Search` that was performed."""

    queries: Sequence[str]
    results: Sequence[Wire]


@dataclass(frozen=True, slots=True)
class PerformedCode:
    """A `Python` that was performed."""

    code: str
    container_id: str
    outputs: Sequence[Wire]


@dataclass(frozen=True, slots=True)
class RefusalMessage:
    """An assistant message that refuses."""

    text: str


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A function call. `arguments` is sent as it stands, so it can be broken JSON."""

    name: str
    arguments: str
    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Reasoning:
    """A reasoning item, with a summary unless that is empty; `tokens` are charged."""

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
    """One response: what comes out, and how it ends.

    An `incomplete` or `failed` answer leaves its last message or call open, as the service does when it is cut off.
    """

    outputs: Sequence[Output] = ()
    status: Literal["completed", "incomplete", "failed"] = "completed"
    #: Why it is incomplete: `max_output_tokens` or `content_filter`.
    reason: str | None = None
    #: Why it failed: (code, message).
    error: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens to one request. A field that is not set leaves that part to the simulator.

    `Scenario.says("…")`, `.calls(…)`, `.refuses(…)`, `.replays(…)` and so on make the usual ones; `slow`, `late` and
    `broken` change any of them: `Scenario.says("one two three").broken(after=4)`.
    """

    response: ScriptedResponse | None = None
    #: Exact events to send in place of an answer, for instance from a recording.
    events: Sequence[Wire] | None = None
    #: Refuse with this before anything is looked at.
    error: errors.ServiceError | None = None
    #: Seconds before the first event, and between events.
    delay: float = 0.0
    delta_delay: float = 0.0
    #: Break the connection after so many events.
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
        """`response.incomplete` after these outputs, the last of them cut off."""
        return cls(response=ScriptedResponse(outputs, "incomplete", reason=reason))

    @classmethod
    def from_failure(cls, code: str, message: str, *outputs: Output) -> Self:
        """`response.failed` in the middle of these outputs."""
        return cls(response=ScriptedResponse(outputs, "failed", error=(code, message)))

    @classmethod
    def from_http_error(cls, status: int, message: str | None = None, *, retry_after: float | None = None) -> Self:
        """Answer with an error status before anything is looked at."""
        return cls(error=errors.error_for_status(status, message, retry_after=retry_after))

    @classmethod
    def from_events(cls, events: Sequence[Wire]) -> Self:
        """Send exactly these events; a plain request is answered by the response in the last one that has any."""
        return cls(events=events)

    def with_delta_delay(self, seconds: float) -> Self:
        """Wait between events."""
        return replace(self, delta_delay=seconds)

    def with_start_delay(self, seconds: float) -> Self:
        """Wait before the first event."""
        return replace(self, delay=seconds)

    def with_break(self, *, after: int) -> Self:
        """Break the connection after so many events; a plain request breaks at once."""
        return replace(self, break_after=after)

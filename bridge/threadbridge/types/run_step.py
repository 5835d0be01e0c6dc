"""Run steps (A72-A78)."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from threadbridge.types._model import OrUnknown, WireModel
from threadbridge.types.assistant import RankingOptions
from threadbridge.types.run import LastError, Usage


class MessageCreation(WireModel):
    """The message that the step created."""

    message_id: str


class MessageCreationStepDetails(WireModel):
    """A step that created a message."""

    type: Literal["message_creation"]
    message_creation: MessageCreation


class CalledFunction(WireModel):
    """The called function and, after submission, the output."""

    name: str
    arguments: str = ""
    output: str | None = None


class FunctionToolCall(WireModel):
    """A call of a function of the client."""

    id: str
    type: Literal["function"]
    function: CalledFunction


class CodeInterpreterOutputLogs(WireModel):
    """Printed output."""

    type: Literal["logs"]
    logs: str = ""


class CodeInterpreterImage(WireModel):
    """The file of an image."""

    file_id: str | None = None


class CodeInterpreterOutputImage(WireModel):
    """An image that the code created."""

    type: Literal["image"]
    image: CodeInterpreterImage


CodeInterpreterOutput: TypeAlias = Annotated[CodeInterpreterOutputLogs | CodeInterpreterOutputImage, OrUnknown()]


class CodeInterpreter(WireModel):
    """Code and its outputs."""

    input: str = ""
    outputs: list[CodeInterpreterOutput] = Field(default_factory=list[CodeInterpreterOutput])


class CodeInterpreterToolCall(WireModel):
    """A code interpreter call."""

    id: str
    type: Literal["code_interpreter"]
    code_interpreter: CodeInterpreter


class FileSearchResultContent(WireModel):
    """A passage of a result; sent only on request by `include` (A77)."""

    type: str | None = None
    text: str | None = None


class FileSearchResult(WireModel):
    """A file in the results."""

    file_id: str | None = None
    file_name: str | None = None
    score: float | None = None
    attributes: dict[str, Any] | None = None
    content: list[FileSearchResultContent] | None = None


class FileSearchCall(WireModel):
    """The options and the results of a search."""

    ranking_options: RankingOptions | None = None
    results: list[FileSearchResult] | None = None


class FileSearchToolCall(WireModel):
    """A file search call."""

    id: str
    type: Literal["file_search"]
    file_search: FileSearchCall


ToolCall: TypeAlias = Annotated[CodeInterpreterToolCall | FileSearchToolCall | FunctionToolCall, OrUnknown()]


class ToolCallsStepDetails(WireModel):
    """A step that used tools."""

    type: Literal["tool_calls"]
    tool_calls: list[ToolCall] = Field(default_factory=list[ToolCall])


StepDetails: TypeAlias = Annotated[MessageCreationStepDetails | ToolCallsStepDetails, OrUnknown()]


class RunStep(WireModel):
    """One step of a run (A72)."""

    id: str
    object: str = "thread.run.step"
    created_at: int | None = None
    run_id: str | None = None
    assistant_id: str | None = None
    thread_id: str | None = None
    type: str | None = None
    status: str | None = None
    cancelled_at: int | None = None
    completed_at: int | None = None
    expires_at: int | None = None
    failed_at: int | None = None
    last_error: LastError | None = None
    step_details: StepDetails
    usage: Usage | None = None

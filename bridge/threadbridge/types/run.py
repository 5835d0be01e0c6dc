"""Runs (A43-A47, A64) and run steps (A72-A78)."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from threadbridge.types._model import OrUnknown, WireModel
from threadbridge.types.assistant import (
    AssistantResponseFormatOption,
    AssistantTool,
    AssistantToolChoiceOption,
    RankingOptions,
    ToolResources,
)

#: The known statuses; others that a service sends are plain strings.
RunStatus: TypeAlias = Literal[
    "queued",
    "in_progress",
    "requires_action",
    "cancelling",
    "cancelled",
    "failed",
    "completed",
    "incomplete",
    "expired",
]


class Function(WireModel):
    """The function to call; `arguments` is JSON as the model wrote it, and may be malformed."""

    name: str
    arguments: str = ""


class RequiredActionFunctionToolCall(WireModel):
    """One tool call that requires an output."""

    id: str
    type: str = "function"
    function: Function


class RequiredActionSubmitToolOutputs(WireModel):
    """The tool calls of this round. All outputs must be submitted in one request (A65)."""

    tool_calls: list[RequiredActionFunctionToolCall]


class RequiredAction(WireModel):
    """The action that the run waits for (A64)."""

    type: str = "submit_tool_outputs"
    submit_tool_outputs: RequiredActionSubmitToolOutputs


class LastError(WireModel):
    """Why a run or step failed (A47)."""

    code: str | None = None
    message: str | None = None


class IncompleteDetails(WireModel):
    """Why the run is incomplete (A80)."""

    reason: str | None = None


class PromptTokenDetails(WireModel):
    """Kinds of prompt tokens. The API has the singular `prompt_token_details` (A46)."""

    cached_tokens: int | None = None


class CompletionTokensDetails(WireModel):
    """Kinds of completion tokens."""

    reasoning_tokens: int | None = None


class Usage(WireModel):
    """Token usage (A46)."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    prompt_token_details: PromptTokenDetails | None = None
    completion_tokens_details: CompletionTokensDetails | None = None


class TruncationStrategy(WireModel):
    """How a long thread is truncated (A79)."""

    type: str
    last_messages: int | None = None


class Run(WireModel):
    """One run of an assistant on a thread (A43)."""

    id: str
    object: str = "thread.run"
    created_at: int | None = None
    assistant_id: str | None = None
    thread_id: str | None = None
    status: RunStatus | str | None = None
    started_at: int | None = None
    expires_at: int | None = None
    cancelled_at: int | None = None
    failed_at: int | None = None
    completed_at: int | None = None
    required_action: RequiredAction | None = None
    last_error: LastError | None = None
    model: str | None = None
    instructions: str | None = None
    tools: list[AssistantTool] = Field(default_factory=list[AssistantTool])
    tool_resources: ToolResources | None = None
    metadata: dict[str, str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    reasoning_effort: str | None = None
    max_completion_tokens: int | None = None
    max_prompt_tokens: int | None = None
    truncation_strategy: TruncationStrategy | None = None
    incomplete_details: IncompleteDetails | None = None
    usage: Usage | None = None
    response_format: AssistantResponseFormatOption | None = None
    tool_choice: AssistantToolChoiceOption | None = None
    parallel_tool_calls: bool | None = None


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

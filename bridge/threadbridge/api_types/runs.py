"""Runs and run steps (A43-A47, A64, A72-A80)."""

from typing import Literal, NotRequired, TypeAlias, TypedDict

from threadbridge.api_types.assistants import (
    AssistantTool,
    Metadata,
    RankingOptions,
    ResponseFormat,
    ToolChoice,
    ToolResources,
)
from threadbridge.api_types.json_types import JsonObject


class RunFunction(TypedDict):
    """The function to call; `arguments` is JSON as the model wrote it, which may be malformed."""

    name: str
    arguments: str


class RunToolCall(TypedDict):
    """One call that the client must answer."""

    id: str
    type: Literal["function"]
    function: RunFunction


class RunToolCalls(TypedDict):
    """The calls of this round; all must be answered in one request (A65)."""

    tool_calls: list[RunToolCall]


class RequiredAction(TypedDict):
    """What the run waits for (A64)."""

    type: Literal["submit_tool_outputs"]
    submit_tool_outputs: RunToolCalls


class LastError(TypedDict):
    """Why a run or a step failed. A step has the codes `server_error` and `rate_limit_exceeded` only (A47)."""

    code: Literal["server_error", "rate_limit_exceeded", "invalid_prompt"]
    message: str


class RunIncompleteDetails(TypedDict, total=False):
    """The budget that ended the run (A80)."""

    reason: Literal["max_completion_tokens", "max_prompt_tokens"]


class PromptTokenDetails(TypedDict):
    """What the prompt tokens were."""

    cached_tokens: int


class CompletionTokensDetails(TypedDict):
    """What the completion tokens were."""

    reasoning_tokens: int


class UsageObject(TypedDict):
    """The tokens of a run or a step (A46). Imported ones have the three counters only."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    #: Singular on the wire, whatever the published schema says.
    prompt_token_details: NotRequired[PromptTokenDetails]
    completion_tokens_details: NotRequired[CompletionTokensDetails]


class TruncationStrategy(TypedDict):
    """How a long thread is shortened (A79)."""

    type: Literal["auto", "last_messages"]
    last_messages: NotRequired[int | None]


class RunObject(TypedDict):
    """A run of an assistant on a thread, in wire order (A43)."""

    id: str
    object: Literal["thread.run"]
    created_at: int
    assistant_id: str
    thread_id: str
    #: A value of `RunStatus`. A Literal could not be compared with its members.
    status: str
    started_at: int | None
    expires_at: int | None
    cancelled_at: int | None
    failed_at: int | None
    completed_at: int | None
    required_action: RequiredAction | None
    last_error: LastError | None
    model: str
    instructions: str | None
    tools: list[AssistantTool]
    tool_resources: ToolResources
    metadata: Metadata
    temperature: float | None
    top_p: float | None
    reasoning_effort: str | None
    max_completion_tokens: int | None
    max_prompt_tokens: int | None
    truncation_strategy: TruncationStrategy
    incomplete_details: RunIncompleteDetails | None
    usage: UsageObject | None
    response_format: ResponseFormat
    tool_choice: ToolChoice
    parallel_tool_calls: bool


class RunChanges(TypedDict, total=False):
    """The keys of a run that change during its life, besides status and times."""

    required_action: RequiredAction | None
    last_error: LastError | None
    incomplete_details: RunIncompleteDetails | None
    usage: UsageObject | None


StepStatus: TypeAlias = Literal["in_progress", "cancelled", "failed", "completed", "expired"]


class MessageCreation(TypedDict):
    """The message that the step wrote."""

    message_id: str


class MessageCreationDetails(TypedDict):
    """A step that writes a message."""

    type: Literal["message_creation"]
    message_creation: MessageCreation


class CalledFunction(TypedDict):
    """A call; `output` is null until the client answered it."""

    name: str
    arguments: str
    output: str | None


class FunctionToolCall(TypedDict):
    """A call of a function of the client."""

    id: str
    type: Literal["function"]
    function: CalledFunction


class LogsOutput(TypedDict):
    """What the code printed."""

    type: Literal["logs"]
    logs: str


class ImageOutputFile(TypedDict):
    """A file the code drew."""

    file_id: str


class ImageOutput(TypedDict):
    """An image the code drew."""

    type: Literal["image"]
    image: ImageOutputFile


CodeInterpreterOutput: TypeAlias = LogsOutput | ImageOutput


class CodeInterpreterDetails(TypedDict):
    """The code and its outputs."""

    input: str
    outputs: list[CodeInterpreterOutput]


class CodeInterpreterToolCall(TypedDict):
    """Code that ran."""

    id: str
    type: Literal["code_interpreter"]
    code_interpreter: CodeInterpreterDetails


class FileSearchResultContent(TypedDict):
    """A passage of a result."""

    type: Literal["text"]
    text: str


class FileSearchResult(TypedDict):
    """A file that matched. `content` is sent only where `include` asks for it (A77)."""

    file_id: str
    file_name: str
    score: float | None
    attributes: JsonObject
    content: NotRequired[list[FileSearchResultContent]]


class FileSearchDetails(TypedDict):
    """How the search was ranked, and its results."""

    ranking_options: RankingOptions
    results: list[FileSearchResult]


class FileSearchToolCall(TypedDict):
    """A search in vector stores."""

    id: str
    type: Literal["file_search"]
    file_search: FileSearchDetails


StepToolCall: TypeAlias = CodeInterpreterToolCall | FileSearchToolCall | FunctionToolCall


class ToolCallsDetails(TypedDict):
    """A step that uses tools."""

    type: Literal["tool_calls"]
    tool_calls: list[StepToolCall]


StepDetails: TypeAlias = MessageCreationDetails | ToolCallsDetails


class RunStepObject(TypedDict):
    """One step of a run, in wire order (A72)."""

    id: str
    object: Literal["thread.run.step"]
    created_at: int
    run_id: str
    assistant_id: str
    thread_id: str
    type: Literal["message_creation", "tool_calls"]
    status: StepStatus
    cancelled_at: int | None
    completed_at: int | None
    expires_at: int | None
    failed_at: int | None
    last_error: LastError | None
    step_details: StepDetails
    usage: UsageObject | None

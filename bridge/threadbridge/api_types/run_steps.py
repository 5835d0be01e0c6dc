"""Run steps (A72-A78)."""

from typing import Literal, NotRequired, TypeAlias, TypedDict

from threadbridge.api_types.json_types import JsonObject
from threadbridge.api_types.runs import LastError, UsageObject
from threadbridge.api_types.tools import RankingOptions

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

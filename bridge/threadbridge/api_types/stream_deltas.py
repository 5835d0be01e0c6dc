"""Deltas of streamed runs (A87, A91-A94)."""

from typing import Literal, NotRequired, TypeAlias, TypedDict

from threadbridge.api_types.assistants import RankingOptions
from threadbridge.api_types.runs import FileSearchResult, ImageOutput, LogsOutput
from threadbridge.api_types.threads import (
    FileCitationAnnotation,
    FilePathAnnotation,
    ImageFilePart,
    ImageUrlPart,
    MessageRole,
    RefusalPart,
)


class FileCitationAnnotationDelta(FileCitationAnnotation):
    """A citation and its position among the annotations of its part."""

    index: int


class FilePathAnnotationDelta(FilePathAnnotation):
    """A path and its position among the annotations of its part."""

    index: int


AnnotationDelta: TypeAlias = FileCitationAnnotationDelta | FilePathAnnotationDelta


class TextValueDelta(TypedDict, total=False):
    """The next words of a text part, the next annotations, or both."""

    value: str
    annotations: list[AnnotationDelta]


class TextPartDelta(TypedDict):
    """A fragment of a text part."""

    index: int
    type: Literal["text"]
    text: TextValueDelta


class ImageFilePartDelta(ImageFilePart):
    """An image, whole, and its position in the message."""

    index: int


class ImageUrlPartDelta(ImageUrlPart):
    """An image, whole, and its position in the message."""

    index: int


class RefusalPartDelta(RefusalPart):
    """A fragment of a refusal."""

    index: int


MessageContentPartDelta: TypeAlias = TextPartDelta | ImageFilePartDelta | ImageUrlPartDelta | RefusalPartDelta


class MessageDelta(TypedDict, total=False):
    """What is new in the message."""

    role: MessageRole
    content: list[MessageContentPartDelta]


class MessageDeltaObject(TypedDict):
    """The data of `thread.message.delta` (A94)."""

    id: str
    object: Literal["thread.message.delta"]
    delta: MessageDelta


class FunctionDelta(TypedDict, total=False):
    """The first delta of a call has name and null output, the others fragments of the arguments (A91)."""

    name: str
    arguments: str
    output: str | None


class FunctionToolCallDelta(TypedDict):
    """A fragment of a function call; `id` is sent once."""

    index: int
    id: NotRequired[str]
    type: Literal["function"]
    function: FunctionDelta


class LogsOutputDelta(LogsOutput):
    """What the code printed, and its position among the outputs."""

    index: int


class ImageOutputDelta(ImageOutput):
    """An image the code drew, and its position among the outputs."""

    index: int


class CodeInterpreterDelta(TypedDict, total=False):
    """The next characters of the code, the next outputs, or both (A93)."""

    input: str
    outputs: list[LogsOutputDelta | ImageOutputDelta]


class CodeInterpreterToolCallDelta(TypedDict):
    """A fragment of a run of code; `id` is sent once."""

    index: int
    id: NotRequired[str]
    type: Literal["code_interpreter"]
    code_interpreter: CodeInterpreterDelta


class FileSearchDelta(TypedDict, total=False):
    """The settings of a search, and its results."""

    ranking_options: RankingOptions
    results: list[FileSearchResult]


class FileSearchToolCallDelta(TypedDict):
    """A search; `id` is sent once (A92)."""

    index: int
    id: NotRequired[str]
    type: Literal["file_search"]
    file_search: FileSearchDelta


StepToolCallDelta: TypeAlias = FunctionToolCallDelta | CodeInterpreterToolCallDelta | FileSearchToolCallDelta


class ToolCallsDelta(TypedDict):
    """What is new in the calls of the step."""

    type: Literal["tool_calls"]
    tool_calls: list[StepToolCallDelta]


class RunStepDelta(TypedDict, total=False):
    """What is new in the step."""

    step_details: ToolCallsDelta


class RunStepDeltaObject(TypedDict):
    """The data of `thread.run.step.delta` (A91)."""

    id: str
    object: Literal["thread.run.step.delta"]
    delta: RunStepDelta

"""Deltas of streamed messages and run steps (A91-A94, A98a): parts have an index, text is appended."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from threadbridge.types._model import OrUnknown, Unknown, WireModel
from threadbridge.types.run import CodeInterpreterImage, FileSearchCall, MessageCreation
from threadbridge.types.thread import FileCitation, FilePath


class FileCitationDeltaAnnotation(WireModel):
    """A complete citation."""

    index: int
    type: Literal["file_citation"]
    text: str | None = None
    start_index: int | None = None
    end_index: int | None = None
    file_citation: FileCitation | None = None


class FilePathDeltaAnnotation(WireModel):
    """A complete file path."""

    index: int
    type: Literal["file_path"]
    text: str | None = None
    start_index: int | None = None
    end_index: int | None = None
    file_path: FilePath | None = None


AnnotationDelta: TypeAlias = Annotated[FileCitationDeltaAnnotation | FilePathDeltaAnnotation, OrUnknown()]


class TextDelta(WireModel):
    """Text to append, and annotations."""

    value: str | None = None
    annotations: list[AnnotationDelta] | None = None


class TextDeltaBlock(WireModel):
    """A delta of a text part."""

    index: int
    type: Literal["text"]
    text: TextDelta | None = None


class ImageFileDelta(WireModel):
    """An image."""

    file_id: str | None = None
    detail: str | None = None


class ImageFileDeltaBlock(WireModel):
    """An image file part."""

    index: int
    type: Literal["image_file"]
    image_file: ImageFileDelta | None = None


class ImageURLDelta(WireModel):
    """The URL of an image."""

    url: str | None = None
    detail: str | None = None


class ImageURLDeltaBlock(WireModel):
    """An image URL part."""

    index: int
    type: Literal["image_url"]
    image_url: ImageURLDelta | None = None


class RefusalDeltaBlock(WireModel):
    """A delta of a refusal."""

    index: int
    type: Literal["refusal"]
    refusal: str | None = None


class UnknownDelta(Unknown):
    """A part of a type that this version does not know."""

    index: int = 0


MessageContentDelta: TypeAlias = Annotated[
    TextDeltaBlock | ImageFileDeltaBlock | ImageURLDeltaBlock | RefusalDeltaBlock, OrUnknown(UnknownDelta)
]


class MessageDelta(WireModel):
    """A delta of a message."""

    role: str | None = None
    content: list[MessageContentDelta] | None = None


class MessageDeltaEvent(WireModel):
    """The data of `thread.message.delta`; `id` is that of the message."""

    id: str
    object: str = "thread.message.delta"
    delta: MessageDelta


class FunctionDelta(WireModel):
    """The name (once), arguments to append, or the output."""

    name: str | None = None
    arguments: str | None = None
    output: str | None = None


class FunctionToolCallDelta(WireModel):
    """A delta of a function call."""

    index: int
    id: str | None = None
    type: Literal["function"]
    function: FunctionDelta | None = None


class CodeInterpreterLogsDelta(WireModel):
    """Printed output to append."""

    index: int
    type: Literal["logs"]
    logs: str | None = None


class CodeInterpreterImageDelta(WireModel):
    """An image that the code created."""

    index: int
    type: Literal["image"]
    image: CodeInterpreterImage | None = None


CodeInterpreterOutputDelta: TypeAlias = Annotated[
    CodeInterpreterLogsDelta | CodeInterpreterImageDelta, OrUnknown(UnknownDelta)
]


class CodeInterpreterDelta(WireModel):
    """Code to append, or outputs."""

    input: str | None = None
    outputs: list[CodeInterpreterOutputDelta] | None = None


class CodeInterpreterToolCallDelta(WireModel):
    """A delta of a code interpreter call."""

    index: int
    id: str | None = None
    type: Literal["code_interpreter"]
    code_interpreter: CodeInterpreterDelta | None = None


class FileSearchToolCallDelta(WireModel):
    """A delta of a file search call."""

    index: int
    id: str | None = None
    type: Literal["file_search"]
    file_search: FileSearchCall | None = None


ToolCallDelta: TypeAlias = Annotated[
    CodeInterpreterToolCallDelta | FileSearchToolCallDelta | FunctionToolCallDelta, OrUnknown(UnknownDelta)
]


class ToolCallDeltaObject(WireModel):
    """Deltas of tool calls."""

    type: Literal["tool_calls"]
    tool_calls: list[ToolCallDelta] | None = None


class RunStepDeltaMessageDelta(WireModel):
    """The message of the step."""

    type: Literal["message_creation"]
    message_creation: MessageCreation | None = None


StepDetailsDelta: TypeAlias = Annotated[ToolCallDeltaObject | RunStepDeltaMessageDelta, OrUnknown()]


class RunStepDelta(WireModel):
    """A delta of the details."""

    step_details: StepDetailsDelta | None = None


class RunStepDeltaEvent(WireModel):
    """The data of `thread.run.step.delta`; `id` is that of the step."""

    id: str
    object: str = "thread.run.step.delta"
    delta: RunStepDelta

"""What a streamed message grows by (A94, A98a): every part names its index, text is to be appended."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from threadbridge.types._model import OrUnknown, Unknown, WireModel
from threadbridge.types.message import FileCitation, FilePath


class FileCitationDeltaAnnotation(WireModel):
    """A citation, complete."""

    index: int
    type: Literal["file_citation"]
    text: str | None = None
    start_index: int | None = None
    end_index: int | None = None
    file_citation: FileCitation | None = None


class FilePathDeltaAnnotation(WireModel):
    """A file path, complete."""

    index: int
    type: Literal["file_path"]
    text: str | None = None
    start_index: int | None = None
    end_index: int | None = None
    file_path: FilePath | None = None


AnnotationDelta: TypeAlias = Annotated[FileCitationDeltaAnnotation | FilePathDeltaAnnotation, OrUnknown()]


class TextDelta(WireModel):
    """Words to append."""

    value: str | None = None
    annotations: list[AnnotationDelta] | None = None


class TextDeltaBlock(WireModel):
    """A text part, or more of it."""

    index: int
    type: Literal["text"]
    text: TextDelta | None = None


class ImageFileDelta(WireModel):
    """An image."""

    file_id: str | None = None
    detail: str | None = None


class ImageFileDeltaBlock(WireModel):
    """An image part, from a file."""

    index: int
    type: Literal["image_file"]
    image_file: ImageFileDelta | None = None


class ImageURLDelta(WireModel):
    """An image somewhere on the web."""

    url: str | None = None
    detail: str | None = None


class ImageURLDeltaBlock(WireModel):
    """An image part, from the web."""

    index: int
    type: Literal["image_url"]
    image_url: ImageURLDelta | None = None


class RefusalDeltaBlock(WireModel):
    """A refusal, or more of it."""

    index: int
    type: Literal["refusal"]
    refusal: str | None = None


class UnknownDelta(Unknown):
    """A part of a type newer than this version."""

    index: int = 0


MessageContentDelta: TypeAlias = Annotated[
    TextDeltaBlock | ImageFileDeltaBlock | ImageURLDeltaBlock | RefusalDeltaBlock, OrUnknown(UnknownDelta)
]


class MessageDelta(WireModel):
    """The parts that grow."""

    role: str | None = None
    content: list[MessageContentDelta] | None = None


class MessageDeltaEvent(WireModel):
    """The data of `thread.message.delta`; `id` is the message's."""

    id: str
    object: str = "thread.message.delta"
    delta: MessageDelta

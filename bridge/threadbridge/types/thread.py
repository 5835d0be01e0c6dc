"""Threads (A27), messages and their content (A32-A35, A40, A84-A86)."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from threadbridge.types._model import OrUnknown, WireModel
from threadbridge.types.assistant import ToolResources


class Thread(WireModel):
    """A thread (A27)."""

    id: str
    object: str = "thread"
    created_at: int | None = None
    metadata: dict[str, str] | None = None
    tool_resources: ToolResources | None = None


class ThreadDeleted(WireModel):
    """The response to a deletion (A19)."""

    id: str
    object: str = "thread.deleted"
    deleted: bool


class FileCitation(WireModel):
    """The cited file."""

    file_id: str | None = None
    quote: str | None = None


class FileCitationAnnotation(WireModel):
    """A citation: `text[start_index:end_index]` is its marker in the text (A84)."""

    type: Literal["file_citation"]
    text: str | None = None
    start_index: int | None = None
    end_index: int | None = None
    file_citation: FileCitation


class FilePath(WireModel):
    """A file that the code interpreter wrote."""

    file_id: str | None = None


class FilePathAnnotation(WireModel):
    """A sandbox path in the text, and the file to download (A85)."""

    type: Literal["file_path"]
    text: str | None = None
    start_index: int | None = None
    end_index: int | None = None
    file_path: FilePath


Annotation: TypeAlias = Annotated[FileCitationAnnotation | FilePathAnnotation, OrUnknown()]


class Text(WireModel):
    """Text with annotations."""

    value: str = ""
    annotations: list[Annotation] = Field(default_factory=list[Annotation])


class TextContentBlock(WireModel):
    """A text part."""

    type: Literal["text"]
    text: Text


class ImageFile(WireModel):
    """An uploaded image."""

    file_id: str
    detail: str | None = None


class ImageFileContentBlock(WireModel):
    """An image file part."""

    type: Literal["image_file"]
    image_file: ImageFile


class ImageURL(WireModel):
    """The URL of an image."""

    url: str
    detail: str | None = None


class ImageURLContentBlock(WireModel):
    """An image URL part."""

    type: Literal["image_url"]
    image_url: ImageURL


class RefusalContentBlock(WireModel):
    """The model's refusal to answer (A40)."""

    type: Literal["refusal"]
    refusal: str


MessageContent: TypeAlias = Annotated[
    TextContentBlock | ImageFileContentBlock | ImageURLContentBlock | RefusalContentBlock, OrUnknown()
]


class AttachmentTool(WireModel):
    """A tool that may use the file."""

    type: str


class Attachment(WireModel):
    """A file that the message adds to tools (A38)."""

    file_id: str | None = None
    tools: list[AttachmentTool] | None = None


class MessageIncompleteDetails(WireModel):
    """Why a message is incomplete (A39)."""

    reason: str | None = None


class Message(WireModel):
    """One message of a thread. `status` and the fields up to `completed_at` are sent in streams only (A32, A33)."""

    id: str
    object: str = "thread.message"
    created_at: int | None = None
    assistant_id: str | None = None
    thread_id: str | None = None
    run_id: str | None = None
    status: str | None = None
    incomplete_details: MessageIncompleteDetails | None = None
    incomplete_at: int | None = None
    completed_at: int | None = None
    role: str | None = None
    content: list[MessageContent] = Field(default_factory=list[MessageContent])
    attachments: list[Attachment] | None = None
    #: Sent instead of `attachments` in the response to an update (A32).
    file_ids: list[str] | None = None
    metadata: dict[str, str] | None = None


class MessageDeleted(WireModel):
    """The response to a deletion (A19)."""

    id: str
    object: str = "thread.message.deleted"
    deleted: bool

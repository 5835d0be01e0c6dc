"""Threads (A27), messages and their parts (A32-A40, A84-A86)."""

from typing import Literal, NotRequired, TypeAlias, TypedDict

from threadbridge.api_types.assistants import Metadata, ToolResources

MessageRole: TypeAlias = Literal["user", "assistant"]
MessageStatus: TypeAlias = Literal["in_progress", "incomplete", "completed"]
MessageIncompleteReason: TypeAlias = Literal[
    "content_filter", "max_tokens", "run_cancelled", "run_expired", "run_failed"
]


class ThreadObject(TypedDict):
    """A conversation, in wire order (A27)."""

    id: str
    object: Literal["thread"]
    created_at: int
    metadata: Metadata
    tool_resources: ToolResources


class FileCitation(TypedDict):
    """The file a passage was taken from. `quote` is empty and in deltas only (A87)."""

    file_id: str
    quote: NotRequired[str]


class FileCitationAnnotation(TypedDict):
    """A marker in the text that stands for a source: `value[start_index:end_index]` (A84)."""

    type: Literal["file_citation"]
    text: str
    start_index: int
    end_index: int
    file_citation: FileCitation


class FilePath(TypedDict):
    """A file that code wrote."""

    file_id: str


class FilePathAnnotation(TypedDict):
    """A sandbox path in the text and the file it can be downloaded as (A85)."""

    type: Literal["file_path"]
    text: str
    start_index: int
    end_index: int
    file_path: FilePath


Annotation: TypeAlias = FileCitationAnnotation | FilePathAnnotation


class TextValue(TypedDict):
    """The words of a text part, and the annotations of passages of them."""

    value: str
    annotations: list[Annotation]


class TextPart(TypedDict):
    """A text part of a message."""

    type: Literal["text"]
    text: TextValue


class ImageFile(TypedDict):
    """An uploaded image. Generated ones have no `detail` (A86)."""

    file_id: str
    detail: NotRequired[str]


class ImageFilePart(TypedDict):
    """An image part, by file id."""

    type: Literal["image_file"]
    image_file: ImageFile


class ImageUrl(TypedDict):
    """An image on the web."""

    url: str
    detail: NotRequired[str]


class ImageUrlPart(TypedDict):
    """An image part, by URL."""

    type: Literal["image_url"]
    image_url: ImageUrl


class RefusalPart(TypedDict):
    """The model's refusal to answer (A40)."""

    type: Literal["refusal"]
    refusal: str


MessageContentPart: TypeAlias = TextPart | ImageFilePart | ImageUrlPart | RefusalPart


class AttachmentTool(TypedDict):
    """A tool that may use an attached file."""

    type: Literal["code_interpreter", "file_search"]


class Attachment(TypedDict):
    """A file attached to a message, for the tools listed (A38)."""

    file_id: str
    tools: list[AttachmentTool]


class MessageIncompleteDetails(TypedDict):
    """Why a message is incomplete (A39)."""

    reason: MessageIncompleteReason


class MessageObject(TypedDict):
    """A message as stored and returned by REST, in wire order: without the status group of streams (A32)."""

    id: str
    object: Literal["thread.message"]
    created_at: int
    assistant_id: str | None
    thread_id: str
    run_id: str | None
    role: MessageRole
    content: list[MessageContentPart]
    attachments: list[Attachment]
    metadata: Metadata


class StreamedMessageObject(TypedDict):
    """A message as a stream carries it, in wire order (A33)."""

    id: str
    object: Literal["thread.message"]
    created_at: int
    assistant_id: str | None
    thread_id: str
    run_id: str | None
    status: MessageStatus
    incomplete_details: MessageIncompleteDetails | None
    incomplete_at: int | None
    completed_at: int | None
    role: MessageRole
    content: list[MessageContentPart]
    attachments: list[Attachment]
    metadata: Metadata


class UpdatedMessageObject(TypedDict):
    """The answer to the update of a message: `file_ids`, always empty, where other answers have `attachments` (A32)."""

    id: str
    object: Literal["thread.message"]
    created_at: int
    assistant_id: str | None
    thread_id: str
    run_id: str | None
    role: MessageRole
    content: list[MessageContentPart]
    file_ids: list[str]
    metadata: Metadata

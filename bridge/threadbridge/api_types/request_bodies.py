"""Request bodies of the Assistants API as they are after validation: without explicit nulls (C6)."""

from typing import Literal, NotRequired, Required, TypeAlias, TypedDict

from threadbridge.api_types.assistants import AssistantTool, Metadata, ResponseFormat, ToolChoice, ToolResources
from threadbridge.api_types.runs import TruncationStrategy
from threadbridge.api_types.threads import Attachment, ImageFilePart, ImageUrlPart, MessageRole


class TextPartBody(TypedDict):
    """A text part of a new message: the words alone."""

    type: Literal["text"]
    text: str


MessageContentPartBody: TypeAlias = TextPartBody | ImageFilePart | ImageUrlPart


class CreateMessageBody(TypedDict):
    """`POST /threads/{id}/messages`, and every message that is created with something else (A34)."""

    role: MessageRole
    content: str | list[MessageContentPartBody]
    attachments: NotRequired[list[Attachment]]
    metadata: NotRequired[Metadata]


class UpdateMetadataBody(TypedDict, total=False):
    """The update of a message or a run (A57)."""

    metadata: Metadata


class CreateThreadBody(TypedDict, total=False):
    """`POST /threads` (A28)."""

    messages: list[CreateMessageBody]
    tool_resources: ToolResources
    metadata: Metadata


class UpdateThreadBody(TypedDict, total=False):
    """`POST /threads/{id}`."""

    tool_resources: ToolResources
    metadata: Metadata


class _AssistantBody(TypedDict, total=False):
    name: str
    description: str
    instructions: str
    tools: list[AssistantTool]
    tool_resources: ToolResources
    metadata: Metadata
    temperature: float
    top_p: float
    reasoning_effort: str
    response_format: ResponseFormat


class CreateAssistantBody(_AssistantBody):
    """`POST /assistants` (A20)."""

    model: str


class UpdateAssistantBody(_AssistantBody, total=False):
    """`POST /assistants/{id}`: what is left out stays (A25)."""

    model: str


class CreateRunBody(TypedDict, total=False):
    """`POST /threads/{id}/runs` (A48). `tool_resources` are accepted with a new thread only (A54)."""

    assistant_id: Required[str]
    model: str
    instructions: str
    additional_instructions: str
    additional_messages: list[CreateMessageBody]
    tools: list[AssistantTool]
    tool_resources: ToolResources
    metadata: Metadata
    temperature: float
    top_p: float
    reasoning_effort: str
    response_format: ResponseFormat
    stream: bool
    max_prompt_tokens: int
    max_completion_tokens: int
    truncation_strategy: TruncationStrategy
    tool_choice: ToolChoice
    parallel_tool_calls: bool


class CreateThreadAndRunBody(CreateRunBody, total=False):
    """`POST /threads/runs` (A54): a run without additional messages or instructions."""

    thread: CreateThreadBody


class ToolOutput(TypedDict):
    """The answer to one call. `output` may be left out, `tool_call_id` may not (A69)."""

    tool_call_id: str
    output: NotRequired[str]


class SubmitToolOutputsBody(TypedDict):
    """`POST /threads/{id}/runs/{id}/submit_tool_outputs` (A65)."""

    tool_outputs: list[ToolOutput]
    stream: NotRequired[bool]

"""Assistants and threads (A20, A27)."""

from typing import Literal, TypedDict

from threadbridge.api_types.tools import AssistantTool, Metadata, ResponseFormat, ToolResources


class AssistantObject(TypedDict):
    """A model with instructions and tools, in wire order (A20). Imported ones may have null sampling parameters."""

    id: str
    object: Literal["assistant"]
    created_at: int
    name: str | None
    description: str | None
    model: str
    instructions: str | None
    tools: list[AssistantTool]
    top_p: float | None
    temperature: float | None
    reasoning_effort: str | None
    tool_resources: ToolResources
    metadata: Metadata
    response_format: ResponseFormat


class ThreadObject(TypedDict):
    """A conversation, in wire order (A27)."""

    id: str
    object: Literal["thread"]
    created_at: int
    metadata: Metadata
    tool_resources: ToolResources

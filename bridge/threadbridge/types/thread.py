"""Threads (A27)."""

from __future__ import annotations

from threadbridge.types._model import WireModel
from threadbridge.types.assistant import ToolResources


class Thread(WireModel):
    """A conversation."""

    id: str
    object: str = "thread"
    created_at: int | None = None
    metadata: dict[str, str] | None = None
    tool_resources: ToolResources | None = None


class ThreadDeleted(WireModel):
    """The answer to a deletion (A19)."""

    id: str
    object: str = "thread.deleted"
    deleted: bool

"""A drop-in Assistants API v2 on the Responses API."""

from __future__ import annotations

from threadbridge.client._async.bridge import AsyncThreadBridge
from threadbridge.client._async.streaming import AsyncAssistantEventHandler, AsyncStream
from threadbridge.client._call_options import NOT_GIVEN, NotGiven
from threadbridge.client._connect import aconnect, async_openai_client, connect, openai_client, wrap
from threadbridge.client._paging import AsyncCursorPage, CursorPage
from threadbridge.client._sync.bridge import ThreadBridge
from threadbridge.client._sync.streaming import AssistantEventHandler, Stream

__all__ = [
    "NOT_GIVEN",
    "AssistantEventHandler",
    "AsyncAssistantEventHandler",
    "AsyncCursorPage",
    "AsyncStream",
    "AsyncThreadBridge",
    "CursorPage",
    "NotGiven",
    "Stream",
    "ThreadBridge",
    "aconnect",
    "async_openai_client",
    "connect",
    "openai_client",
    "wrap",
]

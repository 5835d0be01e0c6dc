"""Assistants API code keeps running, on the Responses API."""

from __future__ import annotations

from threadbridge.client._async.bridge import AsyncThreadBridge
from threadbridge.client._async.event_handler import AsyncAssistantEventHandler
from threadbridge.client._async.stream import AsyncStream
from threadbridge.client._call_options import NOT_GIVEN, NotGiven
from threadbridge.client._connect import aconnect, connect
from threadbridge.client._openai_clients import async_openai_client, openai_client, wrap
from threadbridge.client._paging import AsyncCursorPage, CursorPage
from threadbridge.client._sync.bridge import ThreadBridge
from threadbridge.client._sync.event_handler import AssistantEventHandler
from threadbridge.client._sync.stream import Stream

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

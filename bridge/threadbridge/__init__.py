"""A drop-in Assistants API v2 on the Responses API.

The names are imported when they are first used, so that `import threadbridge` costs next to nothing, and a program with
a client of the SDK does not import the types of the neutral interface.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadbridge.client._async.client import AsyncThreadBridge
    from threadbridge.client._async.streaming import AsyncAssistantEventHandler, AsyncStream
    from threadbridge.client._call_options import NOT_GIVEN, NotGiven
    from threadbridge.client._connect import aconnect, connect
    from threadbridge.client._openai_clients import async_openai_client, openai_client, wrap
    from threadbridge.client._paging import AsyncCursorPage, CursorPage
    from threadbridge.client._sync.client import ThreadBridge
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

_MODULES = {
    "NOT_GIVEN": "_call_options",
    "AssistantEventHandler": "_sync.streaming",
    "AsyncAssistantEventHandler": "_async.streaming",
    "AsyncCursorPage": "_paging",
    "AsyncStream": "_async.streaming",
    "AsyncThreadBridge": "_async.client",
    "CursorPage": "_paging",
    "NotGiven": "_call_options",
    "Stream": "_sync.streaming",
    "ThreadBridge": "_sync.client",
    "aconnect": "_connect",
    "async_openai_client": "_openai_clients",
    "connect": "_connect",
    "openai_client": "_openai_clients",
    "wrap": "_openai_clients",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"threadbridge.client.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

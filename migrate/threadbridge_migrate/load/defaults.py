"""Values for fields that a source left out or sent as null, and that every run of ours reads (D119)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from threadbridge.api_types import JsonObject

#: The defaults of the API for assistants; older services did not have all of these fields.
_ASSISTANT_DEFAULTS: Final[Mapping[str, object]] = {
    "name": None,
    "description": None,
    "instructions": None,
    "tools": (),
    "top_p": 1.0,
    "temperature": 1.0,
    "reasoning_effort": None,
    "tool_resources": {},
    "metadata": {},
    "response_format": "auto",
}


def fill_assistant(assistant: JsonObject) -> JsonObject:
    """The assistant with defaults for missing fields, after its own. Lists and mappings cannot be null."""
    filled = {**assistant}
    for name, default in _ASSISTANT_DEFAULTS.items():
        if filled.get(name) is None:
            filled[name] = list(default) if isinstance(default, tuple) else default
    return filled


def fill_thread(thread: JsonObject) -> JsonObject:
    """The thread with empty mappings for metadata and tool resources that are missing or null."""
    if thread.get("metadata") is not None and thread.get("tool_resources") is not None:
        return thread
    return {**thread, "metadata": thread.get("metadata") or {}, "tool_resources": thread.get("tool_resources") or {}}

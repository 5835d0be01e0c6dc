"""Validation with the error messages of the legacy service: tables for request bodies, page queries and IDs.

`validate_body(SCHEMA, body)` returns the validated body; the schemas are named after the operations. Emulating backends
use it; a backend for a real Assistants service leaves validation to that service.
"""

from __future__ import annotations

from threadbridge.validation.request_schemas import (
    ASSISTANT_CREATE,
    ASSISTANT_UPDATE,
    MESSAGE_CREATE,
    MESSAGE_UPDATE,
    RUN_CREATE,
    RUN_UPDATE,
    THREAD_AND_RUN_CREATE,
    THREAD_CREATE,
    THREAD_UPDATE,
    TOOL_OUTPUTS,
    PageQuery,
    validate_body,
    validate_file_ids,
    validate_id,
    validate_include,
    validate_page,
)

__all__ = [
    "ASSISTANT_CREATE",
    "ASSISTANT_UPDATE",
    "MESSAGE_CREATE",
    "MESSAGE_UPDATE",
    "RUN_CREATE",
    "RUN_UPDATE",
    "THREAD_AND_RUN_CREATE",
    "THREAD_CREATE",
    "THREAD_UPDATE",
    "TOOL_OUTPUTS",
    "PageQuery",
    "validate_body",
    "validate_file_ids",
    "validate_id",
    "validate_include",
    "validate_page",
]

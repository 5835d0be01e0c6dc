"""Requests of real clients and what the real service answered, from the shared recordings where they are present."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from threadbridge.api_types import is_json_object
from threadbridge.schemas.schema_types import Object
from threadbridge.validation import (
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
)

_SHARED = Path(os.environ.get("THREADBRIDGE_SHARED", Path(__file__).parents[3] / "../shared"))
RECORDINGS = _SHARED / "recordings"

SPECS = {
    "/v1/assistants": ASSISTANT_CREATE,
    "/v1/assistants/{assistant_id}": ASSISTANT_UPDATE,
    "/v1/threads": THREAD_CREATE,
    "/v1/threads/runs": THREAD_AND_RUN_CREATE,
    "/v1/threads/{thread_id}": THREAD_UPDATE,
    "/v1/threads/{thread_id}/messages": MESSAGE_CREATE,
    "/v1/threads/{thread_id}/messages/{message_id}": MESSAGE_UPDATE,
    "/v1/threads/{thread_id}/runs": RUN_CREATE,
    "/v1/threads/{thread_id}/runs/{run_id}": RUN_UPDATE,
    "/v1/threads/{thread_id}/runs/{run_id}/submit_tool_outputs": TOOL_OUTPUTS,
}


class Exchange(NamedTuple):
    """One recorded POST to the Assistants API."""

    file: str
    spec: Object
    body: dict[str, Any]
    status: int
    error: dict[str, Any] | None


@cache
def exchanges() -> tuple[Exchange, ...]:
    """Every recorded POST with a JSON object for a body; none where the recordings are absent."""
    return tuple(_iterate_exchanges()) if RECORDINGS.is_dir() else ()


def _iterate_exchanges() -> Iterator[Exchange]:
    for seen in _import_loader().interactions(RECORDINGS / "assistants"):
        spec = SPECS.get(seen.endpoint) if seen.method == "POST" else None
        second_version = seen.request_headers.get("openai-beta") != "assistants=v1"
        if spec is not None and second_version and seen.status is not None and is_json_object(seen.request_json):
            answer = seen.response_json
            error = answer.get("error") if is_json_object(answer) else None
            yield Exchange(seen.file, spec, seen.request_json, seen.status, error)


def _import_loader() -> Any:
    spec = importlib.util.spec_from_file_location("shared_recordings_load", RECORDINGS / "load.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look their module up
    spec.loader.exec_module(module)
    return module

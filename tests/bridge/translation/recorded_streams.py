"""What the real service answered, from the shared recordings where they are present."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from threadbridge.api_types import is_json_list, is_json_object

_SHARED = Path(os.environ.get("THREADBRIDGE_SHARED", Path(__file__).parents[3] / "../shared"))
RECORDINGS = _SHARED / "recordings"

needs_recordings = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason="the shared recordings are not beside this checkout"
)


class NamedRecording(NamedTuple):
    """Something recorded, and where it was found."""

    name: str
    data: Any


def make_parameters(recordings: tuple[NamedRecording, ...]) -> list[Any]:
    return [pytest.param(each.data, id=each.name) for each in recordings]


@cache
def load_interactions(category: str) -> tuple[Any, ...]:
    """The recorded requests and responses of a folder of the recordings; none without them."""
    if not RECORDINGS.is_dir():
        return ()
    spec = importlib.util.spec_from_file_location("shared_recordings_of_responses", RECORDINGS / "load.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look their module up
    spec.loader.exec_module(module)
    return tuple(module.interactions(RECORDINGS / category))


def _iterate_response_interactions() -> Iterator[tuple[str, Any]]:
    for category in ("responses", "conversations"):
        for seen in load_interactions(category):
            if seen.endpoint is not None and seen.endpoint.startswith("/v1/responses"):
                yield f"{seen.file}#{seen.index}", seen


@cache
def list_streams() -> tuple[NamedRecording, ...]:
    """Every stream of one response; files that hold several are taken apart."""
    return tuple(
        NamedRecording(f"{name}.{number}", stream)
        for name, seen in _iterate_response_interactions()
        for number, stream in enumerate(
            _split_streams([event for _, event in seen.sse or () if isinstance(event, dict)])
        )
    )


def _split_streams(events: list[Any]) -> list[list[Any]]:
    starts = [at for at, event in enumerate(events) if event["type"] == "response.created"]
    if not starts:  # a stream that was resumed somewhere
        return [events] if events else []
    return [events[start:stop] for start, stop in zip(starts, [*starts[1:], len(events)], strict=True)]


@cache
def list_responses() -> tuple[NamedRecording, ...]:
    """Every response that came whole."""
    return tuple(
        NamedRecording(name, seen.response_json)
        for name, seen in _iterate_response_interactions()
        if is_json_object(seen.response_json) and seen.response_json.get("object") == "response"
    )


@cache
def list_request_items() -> tuple[Any, ...]:
    """Every item that a real client sent and the real service accepted."""
    return tuple(
        item
        for _, seen in _iterate_response_interactions()
        if seen.status == 200 and is_json_object(seen.request_json)
        for item in _select_items(seen.request_json.get("input"))
    )


@cache
def collect_request_fields() -> frozenset[str]:
    """Every field of a request that the real service accepted."""
    return frozenset(
        field
        for _, seen in _iterate_response_interactions()
        if seen.status == 200 and is_json_object(seen.request_json)
        for field in seen.request_json
    )


def _select_items(items: Any) -> list[Any]:
    return [item for item in items if is_json_object(item)] if is_json_list(items) else []


@cache
def list_assistants_streams() -> tuple[NamedRecording, ...]:
    """The streams of text and function-call runs of the legacy service (wire of 2025), without the `done` frame."""
    return tuple(
        NamedRecording(
            f"{Path(seen.file).name}#{seen.index}", [(name, data) for name, data in seen.sse if name != "done"]
        )
        for seen in load_interactions("assistants")
        if seen.sse and "openai-dotnet" in seen.file and "FileSearch" not in seen.file
    )

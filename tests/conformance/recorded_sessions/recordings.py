"""Recorded exchanges with the real service, read by the `load.py` in the folder of the recordings."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Protocol, cast

from threadbridge.api_types import JsonObject, JsonValue, is_json_list, is_json_object
from threadbridge.wire import find_api_path

_ROOT = Path(__file__).parents[3]

#: The folder of the recordings; tests skip without it.
SHARED = Path(os.environ.get("THREADBRIDGE_SHARED", _ROOT.parent / "shared")) / "recordings"


class RecordedExchange(Protocol):
    """One request and its response, as the loader reads them. What a format does not contain is None or empty."""

    file: str
    index: int
    method: str | None
    path: str | None
    query: str
    request_headers: Mapping[str, str]
    request_json: JsonValue
    request_body: str | bytes | None
    status: int | None
    response_headers: Mapping[str, str]
    response_json: JsonValue
    response_body: str | bytes | None
    sse: Sequence[tuple[str | None, Any]] | None


class LoaderNotFound(Exception):
    """There is no `load.py` that could read the recordings."""


def read_recordings(folder: Path) -> list[RecordedExchange]:
    """Every exchange below the folder, in the order of its files. Raises LoaderNotFound."""
    return list(_import_loader(folder).interactions(folder))


class _Loader(Protocol):
    def interactions(self, folder: Path) -> Iterator[RecordedExchange]: ...


def _import_loader(folder: Path) -> _Loader:
    folders = [folder, *folder.resolve().parents[:3], SHARED]
    loader_path = next((place / "load.py" for place in folders if (place / "load.py").is_file()), None)
    if loader_path is None:
        raise LoaderNotFound(f"No load.py in {folder}, above it, or in {SHARED}: nothing can read these recordings.")
    spec = importlib.util.spec_from_file_location("recordings_to_replay", loader_path)
    if spec is None or spec.loader is None:
        raise LoaderNotFound(f"{loader_path} cannot be imported.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look their module up
    spec.loader.exec_module(module)
    return cast("_Loader", module)


def is_assistants_request(exchange: RecordedExchange) -> bool:
    """Whether the request was made to the Assistants API."""
    return find_api_path(exchange.path or "") is not None


def lacks_request(exchange: RecordedExchange) -> bool:
    """Whether only the answer was recorded, not the request."""
    return exchange.method is None or exchange.path is None or exchange.status is None


def iterate_objects(exchange: RecordedExchange) -> Iterator[JsonObject]:
    """Every API object of a response, in order: the body, the objects it lists, or the data of its events."""
    if exchange.sse is not None:
        yield from (data for _, data in exchange.sse if is_json_object(data))
        return
    body = exchange.response_json
    if is_json_object(body):
        listed = body.get("data")
        if is_json_list(listed):
            yield from (each for each in listed if is_json_object(each))
        else:
            yield body


def find_answer_time(exchange: RecordedExchange) -> float | None:
    """The time of the response by the service's clock; None if it was not recorded."""
    try:
        at = parsedate_to_datetime(exchange.response_headers.get("date", ""))
    except ValueError:
        return None
    return at.replace(tzinfo=at.tzinfo or UTC).timestamp()


def find_creation_time(exchange: RecordedExchange) -> int | None:
    """The creation time of the object that the request created."""
    if exchange.method != "POST" or exchange.status != 200:
        return None
    first = next(iterate_objects(exchange), JsonObject())
    creation_time = first.get("created_at")
    return creation_time if isinstance(creation_time, int) else None


def find_day(exchange: RecordedExchange) -> str:
    """The day of the recording as `2025-10-30`; empty if unknown."""
    times = [at for at in (find_answer_time(exchange), find_creation_time(exchange)) if at is not None]
    times += [each["created_at"] for each in iterate_objects(exchange) if isinstance(each.get("created_at"), int)]
    return datetime.fromtimestamp(times[0], UTC).date().isoformat() if times else ""

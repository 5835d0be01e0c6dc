"""Recorded exchanges with the real service, read from any folder by the loader that lies beside the recordings."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Protocol, cast

from threadbridge.wire import find_api_path

_HERE = Path(__file__).parents[3]

#: Where the recordings lie that this project was built from; nothing needs them.
SHARED = Path(os.environ.get("THREADBRIDGE_SHARED", _HERE.parent / "shared")) / "recordings"


class Recorded(Protocol):
    """One request and its answer, as the loader reads them. What a format does not hold is None or empty."""

    file: str
    index: int
    method: str | None
    path: str | None
    query: str
    request_headers: Mapping[str, str]
    request_json: Any
    request_body: str | bytes | None
    status: int | None
    response_headers: Mapping[str, str]
    response_json: Any
    response_body: str | bytes | None
    sse: Sequence[tuple[str | None, Any]] | None


class NoLoader(Exception):
    """There is no `load.py` that could read the recordings."""


def read(folder: Path) -> list[Recorded]:
    """Every exchange below the folder, in the order of its files. Raises NoLoader."""
    return list(_loader(folder).interactions(folder))


class _Loader(Protocol):
    def interactions(self, folder: Path) -> Iterator[Recorded]: ...


def _loader(folder: Path) -> _Loader:
    places = [folder, *folder.resolve().parents[:3], SHARED]
    found = next((place / "load.py" for place in places if (place / "load.py").is_file()), None)
    if found is None:
        raise NoLoader(f"No load.py in {folder}, above it, or in {SHARED}: nothing can read these recordings.")
    spec = importlib.util.spec_from_file_location("recordings_to_replay", found)
    if spec is None or spec.loader is None:
        raise NoLoader(f"{found} cannot be imported.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look their module up
    spec.loader.exec_module(module)
    return cast("_Loader", module)


def is_ours(seen: Recorded) -> bool:
    """Whether the request was made to the Assistants API."""
    return find_api_path(seen.path or "") is not None


def is_bare(seen: Recorded) -> bool:
    """Whether only the answer was recorded, not the request."""
    return seen.method is None or seen.path is None or seen.status is None


def objects(seen: Recorded) -> Iterator[dict[str, Any]]:
    """Every API object of an answer, in order: the answer itself, what it lists, or the data of its events."""
    if seen.sse is not None:
        yield from (data for _, data in seen.sse if isinstance(data, dict))
    elif isinstance(seen.response_json, dict):
        listed = seen.response_json.get("data")
        if isinstance(listed, list):
            yield from (each for each in listed if isinstance(each, dict))
        else:
            yield seen.response_json


def answered_at(seen: Recorded) -> float | None:
    """When the service answered, by its own clock; None where the recording hides it."""
    try:
        at = parsedate_to_datetime(seen.response_headers.get("date", ""))
    except ValueError:
        return None
    return at.replace(tzinfo=at.tzinfo or UTC).timestamp()


def created_at(seen: Recorded) -> int | None:
    """When the object was made that the request made."""
    if seen.method != "POST" or seen.status != 200:
        return None
    first = next(objects(seen), {})
    made = first.get("created_at")
    return made if isinstance(made, int) else None


def day_of(seen: Recorded) -> str:
    """The day of the recording as `2025-10-30`; empty where nothing tells it."""
    times = [at for at in (answered_at(seen), created_at(seen)) if at is not None]
    times += [each["created_at"] for each in objects(seen) if isinstance(each.get("created_at"), int)]
    return datetime.fromtimestamp(times[0], UTC).date().isoformat() if times else ""

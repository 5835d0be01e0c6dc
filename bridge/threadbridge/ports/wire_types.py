"""The values that cross ports: wire objects, events, queries, requests and responses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from threadbridge.api_types import Wire

#: Takes one sentence about what was asked for, is accepted, and will be done in another way or not at all.
WarningSink: TypeAlias = Callable[[str], None]


def discard_warning(_warning: str) -> None:
    """For a caller who does not ask for warnings; a backend's log has them all the same."""


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What a list operation was asked for (A11). `limit` and `order` are unchecked: the backend judges them (A13)."""

    limit: int | None = None
    order: str | None = None
    after: str | None = None
    before: str | None = None
    run_id: str | None = None


class PolledRun(NamedTuple):
    """A run as it is now, and how many milliseconds the service advises to wait before asking again (A5)."""

    run: Wire
    poll_after_ms: int | None = None


@dataclass(frozen=True, slots=True)
class BackendCapabilities:
    """What a backend can do beyond the common ground."""

    #: `list_threads` answers (Foundry classic and ThreadBridge itself can; OpenAI never could, A7).
    lists_threads: bool = True
    #: `stream_*` deliver events while the run goes on.
    streams: bool = True
    #: `follow_run` answers, and every event has an id that it takes (the legacy service never could).
    follows_runs: bool = False
    #: `report_run` answers (the legacy service never could).
    reports_runs: bool = False


@dataclass(frozen=True, slots=True)
class WireRequest:
    """One HTTP request to the Assistants API, whatever carried it. `path` starts at `/assistants` or `/threads`."""

    method: str
    path: str
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict[str, str])  # lower-case names
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class PassthroughRequest:
    """One HTTP request that is not the Assistants API's, on its way to the service behind (`/files`, `/responses` …).

    `path` starts below `/v1`, percent-escapes and all. The body comes as it comes and is iterated at most once: it may
    be larger than memory. None: the request has none.
    """

    method: str
    path: str
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict[str, str])  # lower-case names
    body: AsyncIterator[bytes] | None = None


@dataclass(frozen=True, slots=True)
class WireResponse:
    """The answer: a whole body, or the frames of a streamed run, the bytes of a file and so on, as they come."""

    status: int
    headers: Mapping[str, str]
    body: bytes | AsyncIterator[bytes]

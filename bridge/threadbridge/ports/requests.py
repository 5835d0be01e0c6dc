"""The values that cross ports: request contexts, queries and their pages, requests and responses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, NamedTuple, NotRequired, TypeAlias, TypedDict, TypeVar

from threadbridge.api_types import JsonMapping, RunObject

BodyT_co = TypeVar("BodyT_co", bound=JsonMapping, covariant=True)

#: Receives one sentence about a part of a request that is accepted, but will be done differently or not at all.
WarningSink: TypeAlias = Callable[[str], None]


def discard_warning(_warning: str) -> None:
    """The sink of callers that need no warnings; the backend logs them too."""


@dataclass(frozen=True, slots=True)
class RequestIdentity:
    """What tells whether a request is the repeat of another.

    Requests with the same idempotency `key` are the same request. Without a key, attempt n of a request repeats an
    earlier attempt on the same thread. `digest` is that of path, query and body, which are the same in every attempt.
    """

    digest: str
    key: str | None = None
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class RequestContext:
    """The first argument of every backend method: who makes the request.

    A backend reads and changes objects of `tenant` only. `key_id` names the caller's API key and never contains the
    key itself, `request_id` is the id that the caller finds in the response. Each is None if it is unknown.

    `deadline` is the time of `Clock.now` until which the caller waits. Waits for other requests end at the deadline: a
    request in the queue of a busy thread with the error of a busy thread (A42), the events of a run with
    UpstreamTimeout, while the run continues. With None only `limits` bounds these waits. A turn's wait for a slot ends
    at the deadline of its run; transactions and requests to the upstream have timeouts of their own.

    With an `identity`, a repeat of a request that was answered gets the first answer again. None: the request is not
    recorded.
    """

    tenant: str
    key_id: str | None = None
    request_id: str | None = None
    deadline: float | None = None
    identity: RequestIdentity | None = None


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The parameters of a list operation (A11). `limit` and `order` are not validated: the backend does that (A13)."""

    limit: int | None = None
    order: str | None = None
    after: str | None = None
    before: str | None = None
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[BodyT_co]):
    """A page of objects in the requested order."""

    data: Sequence[BodyT_co]
    has_more: bool


class PageRange(TypedDict):
    """Which objects a page has. Cursors are exclusive ids."""

    limit: int
    order: Literal["asc", "desc"]
    after: NotRequired[str | None]
    before: NotRequired[str | None]
    thread_id: NotRequired[str | None]
    run_id: NotRequired[str | None]


class PolledRun(NamedTuple):
    """A run as it is now, and the milliseconds that the service advises to wait before the next poll (A5)."""

    run: RunObject
    poll_after_ms: int | None = None


@dataclass(frozen=True, slots=True)
class BackendCapabilities:
    """The optional operations of a backend."""

    #: `list_threads` is supported (by Foundry classic and ThreadBridge; never by OpenAI, A7).
    lists_threads: bool = True
    #: `stream_*` yield events while the run is in progress.
    streams: bool = True
    #: `follow_run` is supported, and every event has an id for it (never by OpenAI).
    follows_runs: bool = False
    #: `report_run` is supported (never by OpenAI).
    reports_runs: bool = False


@dataclass(frozen=True, slots=True)
class WireRequest:
    """One HTTP request to the Assistants API, by any transport. `path` starts with `/assistants` or `/threads`."""

    method: str
    path: str
    query: Sequence[tuple[str, str]] = field(default=(), repr=False)
    #: With lower-case names. They contain the keys of clients.
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class PassthroughRequest:
    """One HTTP request outside the Assistants API (`/files`, `/responses` …), which is sent on to the upstream.

    `path` starts below `/v1`, with its percent-escapes. The body is iterated at most once, since it may be larger than
    memory. None: the request has no body.
    """

    method: str
    path: str
    query: Sequence[tuple[str, str]] = field(default=(), repr=False)
    #: With lower-case names. They contain the keys of clients.
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    body: AsyncIterator[bytes] | None = None


@dataclass(frozen=True, slots=True)
class WireResponse:
    """The response: a whole body, or an iterator of chunks, such as the frames of a streamed run or a file."""

    status: int
    headers: Mapping[str, str]
    body: bytes | AsyncIterator[bytes]

"""The ports: what the bridge asks of the world, and what a backend of your own must offer.

Values that cross a port are *wire objects*: dictionaries with exactly the keys, in exactly the order, of the
Assistants v2 wire format (rules A20, A27, A32, A43, A72). They are parsed once, kept whole (a field nobody here has
heard of stays in), and become pydantic models only where a user of the neutral interface sees them.

An implementation that passes `tests/contract` is a backend (or a store); nothing else is asked of it. Register it
under the entry point group `threadbridge.backends` (or `.stores`) and `threadbridge.connect("its-name")` finds it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

#: One JSON object as it travels: keys in wire order, unknown keys kept. Never mutated once handed over.
Wire: TypeAlias = dict[str, Any]

T = TypeVar("T")


class Event(NamedTuple):
    """One server-sent event of a run: its name (`thread.run.created`, …; rule A89) and its parsed data."""

    name: str
    data: Wire


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
class Capabilities:
    """What a backend can do beyond the common ground."""

    #: `list_threads` answers (Foundry classic and ThreadBridge itself can; OpenAI never could, A7).
    lists_threads: bool = True
    #: `stream_*` deliver events while the run goes on.
    streams: bool = True


class Backend(Protocol):
    """Where assistants and threads live and runs happen: one method per operation of the Assistants API.

    Request bodies are the parsed JSON bodies of the wire, unchecked; a backend refuses what it must with the legacy
    service's own words. Explicit nulls mean "not given" (C6). List operations answer the envelope of A10.

    Every method may raise `errors.RequestError` (`NotFound`, `InvalidRequest`, …: the caller's fault, nothing was
    changed), `errors.UpstreamError` (the service behind failed or was unreachable) or `errors.StoreError`.

    The three `stream_*` coroutines check the request and start the run *before* they return, so that a refusal is
    an exception and not an event. What they return yields the events of A89 in the orders of A90-A96 and ends by
    itself; the closing `done` frame is the wire's affair. Closing the iterator early detaches from the run and does
    not stop it (A100, C3). When an event is yielded, what it says is already visible to every other method (C2).
    """

    @property
    def capabilities(self) -> Capabilities:
        """What this backend can do; fixed for its lifetime."""
        ...

    async def aclose(self) -> None:
        """Give back connections and stop background work; called once, by whoever opened the backend."""
        ...

    # Assistants -----------------------------------------------------------------------------------------------
    async def create_assistant(self, body: Wire) -> Wire: ...
    async def list_assistants(self, query: ListQuery) -> Wire: ...
    async def retrieve_assistant(self, assistant_id: str) -> Wire: ...
    async def update_assistant(self, assistant_id: str, body: Wire) -> Wire: ...
    async def delete_assistant(self, assistant_id: str) -> Wire: ...

    # Threads --------------------------------------------------------------------------------------------------
    async def create_thread(self, body: Wire) -> Wire: ...
    async def list_threads(self, query: ListQuery) -> Wire:
        """A page of threads. Raises `errors.Unsupported` where `capabilities.lists_threads` is false."""
        ...

    async def retrieve_thread(self, thread_id: str) -> Wire: ...
    async def update_thread(self, thread_id: str, body: Wire) -> Wire: ...
    async def delete_thread(self, thread_id: str) -> Wire: ...

    # Messages -------------------------------------------------------------------------------------------------
    async def create_message(self, thread_id: str, body: Wire) -> Wire: ...
    async def list_messages(self, thread_id: str, query: ListQuery) -> Wire:
        """A page of messages; `query.run_id` keeps those of one run (A11)."""
        ...

    async def retrieve_message(self, thread_id: str, message_id: str) -> Wire: ...
    async def update_message(self, thread_id: str, message_id: str, body: Wire) -> Wire: ...
    async def delete_message(self, thread_id: str, message_id: str) -> Wire: ...

    # Runs -----------------------------------------------------------------------------------------------------
    async def create_run(self, thread_id: str, body: Wire, *, include: Sequence[str] = ()) -> Wire:
        """Start a run and answer it as `queued`. Refuses a busy thread with the text of A52."""
        ...

    async def stream_run(self, thread_id: str, body: Wire, *, include: Sequence[str] = ()) -> AsyncIterator[Event]: ...
    async def create_thread_and_run(self, body: Wire, *, include: Sequence[str] = ()) -> Wire: ...
    async def stream_thread_and_run(self, body: Wire, *, include: Sequence[str] = ()) -> AsyncIterator[Event]: ...
    async def list_runs(self, thread_id: str, query: ListQuery) -> Wire: ...
    async def retrieve_run(self, thread_id: str, run_id: str) -> PolledRun: ...
    async def update_run(self, thread_id: str, run_id: str, body: Wire) -> Wire: ...
    async def cancel_run(self, thread_id: str, run_id: str) -> Wire: ...
    async def submit_tool_outputs(self, thread_id: str, run_id: str, body: Wire) -> Wire: ...
    async def stream_tool_outputs(self, thread_id: str, run_id: str, body: Wire) -> AsyncIterator[Event]: ...

    # Run steps ------------------------------------------------------------------------------------------------
    async def list_steps(
        self, thread_id: str, run_id: str, query: ListQuery, *, include: Sequence[str] = ()
    ) -> Wire: ...
    async def retrieve_step(
        self, thread_id: str, run_id: str, step_id: str, *, include: Sequence[str] = ()
    ) -> Wire: ...


# -- Storage -------------------------------------------------------------------------------------------------------


class Kind(StrEnum):
    """The kinds of object a store keeps by id."""

    ASSISTANT = "assistant"
    THREAD = "thread"
    MESSAGE = "message"
    RUN = "run"
    STEP = "step"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a thread's timeline, in the order it happened: a message, an item of the Responses API, or both.

    A message written by a user has only `message`; a function call, its output or a reasoning item has only `item`;
    an assistant's message made by a run has both, so that it can be replayed word for word.
    """

    message: Wire | None = None
    item: Wire | None = None
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A page of wire objects, in the order asked for."""

    data: Sequence[Wire]
    has_more: bool


@dataclass(frozen=True, slots=True)
class Turn:
    """One model response of a run: what was asked, what it cost, and under which upstream id.

    `usage` is in wire form (A46). A run's usage is the sum over its turns.
    """

    number: int
    response_id: str | None = None
    request_id: str | None = None
    model: str | None = None
    usage: Wire | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """Who is working on a run, until when (Unix seconds). A lease in the past is nobody's."""

    owner: str
    until: float


class ClaimedRun(NamedTuple):
    """A run and who works on it."""

    run: Wire
    lease: Lease | None


class Session(Protocol):
    """One transaction over one tenant's rows. All of it happens, or none of it.

    Objects are stored as they are shown (REST form). Everything is scoped to the session's tenant: another tenant's
    id is simply not there. Sessions are synchronous, and must not be kept beyond the call they were made for.
    """

    # Objects
    def add(self, kind: Kind, body: Wire) -> None:
        """Store a new object under `body["id"]`. Keeps `thread_id`, `run_id` and `status` findable where present.

        A message is appended to the end of its thread's timeline, without an item (see `append` for more).
        Raises `errors.Conflict` if the id is taken, or if a second run of a thread would be active (A52).
        """
        ...

    def get(self, kind: Kind, object_id: str) -> Wire | None:
        """The object, or None. The dictionary is the caller's own copy."""
        ...

    def put(self, kind: Kind, body: Wire) -> None:
        """Replace the object of this id. Raises KeyError when there is none."""
        ...

    def remove(self, kind: Kind, object_id: str) -> bool:
        """Forget an object; a thread takes its messages, runs, steps, items and turns along. False if unknown."""
        ...

    def page(
        self,
        kind: Kind,
        *,
        limit: int,
        order: Literal["asc", "desc"],
        after: str | None = None,
        before: str | None = None,
        thread_id: str | None = None,
        run_id: str | None = None,
    ) -> Page:
        """Objects in order of insertion, at most `limit`. Cursors are exclusive ids; an unknown one: an empty page.

        `after` continues in the direction of `order`; `before` asks for the objects that precede that id in the
        same direction, the nearest ones. Costs the same on a long thread as on a short one.
        """
        ...

    def active_run(self, thread_id: str) -> Wire | None:
        """The thread's one run that has not ended (A63), or None."""
        ...

    # The timeline of a thread
    def append(self, thread_id: str, entries: Sequence[Entry]) -> None:
        """Add entries to the end, in order. A message's row is found by `get(Kind.MESSAGE, …)` too."""
        ...

    def timeline(self, thread_id: str, *, last_messages: int | None = None) -> Sequence[Entry]:
        """Entries oldest first; with `last_messages`, those from the n-th newest message on.

        A removed message is gone from here too, with its item. Costs what it returns, not what the thread holds.
        """
        ...

    def items(self, run_id: str) -> Sequence[Wire]:
        """The Responses items of one run, oldest first."""
        ...

    # Turns and leases of a run
    def add_run(self, run: Wire, lease: Lease | None) -> None:
        """`add` for a run that somebody works on from the start."""
        ...

    def claimed_run(self, run_id: str) -> ClaimedRun | None:
        """`get` and `lease` in one look."""
        ...

    def put_run(self, run: Wire, lease: Lease | None) -> None:
        """`put` and `set_lease` in one stroke."""
        ...

    def add_turn(self, run_id: str, turn: Turn) -> None:
        """Record a finished model response."""
        ...

    def turns(self, run_id: str) -> Sequence[Turn]:
        """The run's turns, oldest first."""
        ...

    def lease(self, run_id: str) -> Lease | None:
        """Who works on the run."""
        ...

    def set_lease(self, run_id: str, lease: Lease | None) -> None:
        """Take, prolong or give back the work on a run. Raises KeyError for an unknown run."""
        ...


class Store(Protocol):
    """What the emulated backend remembers: transactions, each run to its end on a thread of the store's own.

    `work` is called with a `Session`, must not block on anything else, and may be called again from the start if
    the database asks for it. What it returns is returned; what it raises rolls everything back and is raised.
    """

    async def read(self, work: Callable[[Session], T], *, tenant: str) -> T:
        """Run a transaction that only reads. Sees everything written before the call."""
        ...

    async def write(self, work: Callable[[Session], T], *, tenant: str) -> T:
        """Run a transaction; when this returns, it is durable."""
        ...

    async def unfinished_runs(self, *, lapsed_before: float, limit: int) -> Sequence[tuple[str, str]]:
        """(tenant, run id) of runs that are queued, in progress or cancelling and that nobody holds a lease on."""
        ...

    async def aclose(self) -> None:
        """Wait for what was begun, then close every connection."""
        ...


# -- Upstream ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class UpstreamResponse:
    """A complete response object of the Responses API and the id its request was given (`x-request-id`)."""

    body: Wire
    request_id: str | None = None


class UpstreamStream(Protocol):
    """The events of one streamed response, parsed, in order. Iterate once, then close."""

    @property
    def request_id(self) -> str | None:
        """The id the service gave to the request."""
        ...

    def __aiter__(self) -> AsyncIterator[Wire]:
        """The events. Raises `errors.UpstreamError` when the connection breaks or an event cannot be read."""
        ...

    async def aclose(self) -> None:
        """Hang up."""
        ...


class Upstream(Protocol):
    """A Responses API service. Bodies are ready JSON bytes, answers are parsed dictionaries.

    Retries, pacing and authentication are the implementation's; what still fails is an `errors.UpstreamError`
    with the service's status, code, message and request id.
    """

    async def create(self, body: bytes) -> UpstreamResponse:
        """`POST /responses`, answered whole."""
        ...

    async def stream(self, body: bytes) -> UpstreamStream:
        """`POST /responses` with `stream: true` in the body; returns when the service accepted it."""
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...


# -- Time and chance -----------------------------------------------------------------------------------------------


class Clock(Protocol):
    """The one source of time, so that expiry and polling are tested without waiting."""

    def now(self) -> float:
        """Unix time in seconds."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


#: Makes a fresh id with a prefix: `new_id("run")` gives `run_` and 24 alphanumerics (A9, C1).
NewId: TypeAlias = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class WireRequest:
    """One HTTP request to the Assistants API, whatever carried it. `path` starts at `/assistants` or `/threads`."""

    method: str
    path: str
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict[str, str])  # lower-case names
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class WireResponse:
    """The answer: a whole body, or for a streamed run the frames as they come."""

    status: int
    headers: Mapping[str, str]
    body: bytes | AsyncIterator[bytes]

"""The port of a store: what the emulated backend remembers, one transaction at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NamedTuple, Protocol, TypeVar

from threadbridge.api_types import Wire
from threadbridge.ports.spending import SpendByKey, SpendScope, SpendTotals

T = TypeVar("T")


class ObjectKind(StrEnum):
    """The kinds of object a store keeps by id."""

    ASSISTANT = "assistant"
    THREAD = "thread"
    MESSAGE = "message"
    RUN = "run"
    STEP = "step"
    #: A file that code made: its file object, and where its bytes are kept.
    FILE = "file"
    #: The container in which a thread's code runs, under the thread's id.
    CONTAINER = "container"
    #: What the service behind keeps of a thread, to go on from: under the thread's id.
    UPSTREAM_STATE = "anchor"
    #: Something made elsewhere that no row names yet, or none any more: what to undo if it stays so.
    CLEANUP_INTENT = "errand"


class EntryRole(StrEnum):
    """What an entry of a timeline is to the selection of history."""

    #: A message that opens a turn of the conversation; what follows belongs to it until the next one.
    USER = "user"
    ASSISTANT = "assistant"
    #: A function call or its output.
    FUNCTION_CALL = "exchange"
    #: What the model is shown within its own run only: reasoning, items of hosted tools (D62).
    WITHIN_RUN = "within_run"
    #: What the service made of everything before it (§11).
    COMPACTION = "compaction"


class TokenCount(NamedTuple):
    """The sort of an entry and the tokens a model is charged for it."""

    role: EntryRole
    tokens: int


class TimelinePosition(NamedTuple):
    """One line of a timeline without its content. Positions grow; `weight` is None until somebody has counted."""

    position: int
    token_count: TokenCount | None


class ThreadSize(NamedTuple):
    """How much a thread holds. `tokens` are those that were counted.

    `edits` says how often a message was taken out of it or got other words: while it stays the same, what was there is
    still there.
    """

    messages: int
    tokens: int
    edits: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a thread's timeline, in the order it happened: a message, an item of the Responses API, or both.

    A message written by a user has only `message`; a function call, its output or a reasoning item has only `item`;
    an assistant's message made by a run has both, so that it can be replayed word for word.
    """

    message: Wire | None = None
    item: Wire | None = None
    run_id: str | None = None
    #: Told when it is stored, so that nobody has to count again; reading gives it through `Session.places`.
    token_count: TokenCount | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of wire objects, in the order asked for."""

    data: Sequence[Wire]
    has_more: bool


@dataclass(frozen=True, slots=True)
class Turn:
    """One model response of a run: what was asked, what it cost, and under which upstream id.

    `usage` is in wire form (A46); None where the model was not asked. A run's usage is the sum over its turns.
    `report` says what was sent and dropped, and why (`history.report`).
    """

    number: int
    response_id: str | None = None
    request_id: str | None = None
    model: str | None = None
    usage: Wire | None = None
    report: Wire | None = None
    #: The price at the time; None where it is not known.
    nanodollars: int | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """Who is working on a run, until when (Unix seconds). A lease in the past is nobody's."""

    owner: str
    expires_at: float


class ParameterRejection(NamedTuple):
    """A model of the service behind refused a parameter, at a time (Unix seconds)."""

    model: str
    parameter: str
    at: float


class RunWithLease(NamedTuple):
    """A run and who works on it."""

    run: Wire
    lease: Lease | None


class Session(Protocol):
    """One transaction over one tenant's rows. All of it happens, or none of it.

    Objects are stored as they are shown (REST form). Everything is scoped to the session's tenant: another tenant's
    id is simply not there. Sessions are synchronous, and must not be kept beyond the call they were made for.
    """

    # Objects
    def add(self, kind: ObjectKind, body: Wire) -> None:
        """Store a new object under `body["id"]`. Keeps `thread_id`, `run_id` and `status` findable where present.

        A message is appended to the end of its thread's timeline, without an item (see `append` for more).
        Raises `errors.Conflict` if the id is taken, or if a second run of a thread would be active (A52).
        """
        ...

    def get(self, kind: ObjectKind, object_id: str) -> Wire | None:
        """The object, or None. The dictionary is the caller's own copy."""
        ...

    def put(self, kind: ObjectKind, body: Wire) -> None:
        """Replace the object of this id. Raises KeyError when there is none."""
        ...

    def remove(self, kind: ObjectKind, object_id: str) -> bool:
        """Forget an object; a thread takes its messages, runs, steps, items, turns, container and anchor along.

        False if unknown.
        """
        ...

    def get_page(
        self,
        kind: ObjectKind,
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

    def is_blob_referenced(self, blob_name: str) -> bool:
        """Whether any tenant's file has its bytes under this name."""
        ...

    def find_blob_name(self, digest: str) -> str | None:
        """The name, beginning with the digest and a hyphen, under which a file has its bytes; None: no file has."""
        ...

    def get_active_run(self, thread_id: str) -> Wire | None:
        """The thread's one run that has not ended (A63), or None."""
        ...

    # The timeline of a thread
    def append_entries(self, thread_id: str, entries: Sequence[Entry]) -> None:
        """Add entries to the end, in order. A message's row is found by `get(Kind.MESSAGE, …)` too."""
        ...

    def list_entries(self, thread_id: str, *, last_messages: int | None = None) -> Sequence[Entry]:
        """Entries oldest first; with `last_messages`, those from the n-th newest message on.

        A removed message is gone from here too, with its item. Costs what it returns, not what the thread holds.
        """
        ...

    def iterate_entries(self, thread_id: str, *, first: int, last: int) -> Iterator[Entry]:
        """The entries between two positions, both included, oldest first; each is made when it is asked for."""
        ...

    def list_positions(
        self, thread_id: str, *, limit: int, newest_first: bool = False, after_position: int | None = None
    ) -> Sequence[TimelinePosition]:
        """At most `limit` lines of the timeline without their content, in the direction asked for.

        `beyond` continues after that position. Costs what it returns, however long the thread and its messages are.
        """
        ...

    def set_token_count(self, thread_id: str, position: int, token_count: TokenCount) -> None:
        """Keep the weight of an entry that was stored without one. Does nothing for one that has a weight."""
        ...

    def get_thread_size(self, thread_id: str) -> ThreadSize:
        """How much the thread holds. Costs the same for every thread."""
        ...

    def list_run_items(self, run_id: str) -> Sequence[Wire]:
        """The Responses items of one run, oldest first."""
        ...

    # What was spent
    def add_spending(self, day: int, totals: SpendTotals, keys: Mapping[SpendScope, str]) -> None:
        """Add to the sums of a day (days since 1970, UTC), once for each key.

        Sums outlive what they were spent on: nothing that is removed takes them along.
        """
        ...

    def list_spending(
        self, scope: SpendScope, *, since: int = 0, until: int | None = None, key: str | None = None
    ) -> Sequence[SpendByKey]:
        """What was spent from one day to another, both included, by key; with `key`, on that one. Without any: empty.

        With `key` it costs what the days hold on which it spent something, however much else the store holds.
        """
        ...

    # What the service behind refused
    def add_parameter_rejection(self, upstream: str, rejection: ParameterRejection, *, max_count: int) -> None:
        """Remember it in place of an earlier one of the same model and parameter.

        Beyond `most` for one service the oldest are forgotten.
        """
        ...

    def list_parameter_rejections(self, upstream: str) -> Sequence[ParameterRejection]:
        """What is remembered of the service, oldest first."""
        ...

    # Turns and leases of a run
    def add_run(self, run: Wire, lease: Lease | None) -> None:
        """`add` for a run that somebody works on from the start."""
        ...

    def get_run_with_lease(self, run_id: str) -> RunWithLease | None:
        """`get` and `lease` in one look."""
        ...

    def put_run(self, run: Wire, lease: Lease | None) -> None:
        """`put` and `set_lease` in one stroke."""
        ...

    def add_turn(self, run_id: str, turn: Turn) -> None:
        """Record a finished model response."""
        ...

    def list_turns(self, run_id: str) -> Sequence[Turn]:
        """The run's turns, oldest first."""
        ...

    def get_lease(self, run_id: str) -> Lease | None:
        """Who works on the run."""
        ...

    def list_unfinished_runs(self, *, lease_expired_before: float, limit: int) -> Sequence[str]:
        """Ids of the oldest runs that are queued, in progress or cancelling and that nobody holds a lease on."""
        ...

    def set_lease(self, run_id: str, lease: Lease | None) -> None:
        """Take, prolong or give back the work on a run. Raises KeyError for an unknown run."""
        ...


class Store(Protocol):
    """What the emulated backend remembers: transactions, each run to its end on one thread, whichever that is.

    `work` is called with a `Session`, must not block on anything else, and may be called again from the start if
    the database asks for it. What it returns is returned; what it raises rolls everything back and is raised.
    """

    async def read(self, work: Callable[[Session], T], *, tenant: str) -> T:
        """Run a transaction that only reads. Sees everything written before the call. `work` may be run again."""
        ...

    async def write(self, work: Callable[[Session], T], *, tenant: str) -> T:
        """Run a transaction; when this returns, it is durable."""
        ...

    async def aclose(self) -> None:
        """Wait for what was begun, then close every connection."""
        ...

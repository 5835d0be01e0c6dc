"""The port of a store: the state of the emulated backend, read and written in transactions.

What an implementation guarantees, whatever its database:

Order. Within a thread, transactions that append entries commit in the order of the positions they assign: a reader that
has seen a position never finds a lower one added later. Lists are in order of insertion (A12).

Locks. A write transaction locks what it is about to decide on before it reads it: first the thread, then the run, never
the other way round. Adding, replacing or removing a message, appending entries and starting a run lock the thread;
changing a run, its lease, steps or turns locks the run. Transactions on different threads need not wait for each other.
A store may lock more (SQLite has one writer), and must not lock less: at most one active run per thread (A52), one
holder of a lease, and one commit per turn depend on it.

Isolation. A read sees one snapshot, which includes every write that was acknowledged before the read began, by any
process. A write reads what it has locked as committed last, and sees its own changes. Spending sums and thread sizes
are added to, so concurrent additions are not lost.

Repetition. `work` may run again from its start: after a deadlock, a serialization failure or a lost transaction, and
when a shortcut turns out not to be available. Only the attempt that commits has effects in the store; `work` must have
none elsewhere.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal, NamedTuple, Protocol, TypeVar, Unpack, overload

from threadbridge.api_types import (
    AssistantObject,
    InputItem,
    JsonMapping,
    MessageObject,
    RunObject,
    RunStepObject,
    ThreadObject,
    UsageObject,
)
from threadbridge.ports.requests import Page, PageRange
from threadbridge.ports.spending import SpendByKey, SpendScope, SpendTotals
from threadbridge.ports.upstream import ParameterRejection

T = TypeVar("T")


class ObjectKind(StrEnum):
    """The kinds of object a store keeps by id."""

    ASSISTANT = "assistant"
    THREAD = "thread"
    MESSAGE = "message"
    RUN = "run"
    STEP = "step"
    #: A generated file: its file object, and the name of its blob.
    FILE = "file"
    #: The container in which a thread's code runs, under the thread's id.
    CONTAINER = "container"
    #: The continuation of a thread upstream, under the thread's id.
    UPSTREAM_STATE = "anchor"
    #: An upstream resource that no row refers to yet, or any more, to be removed by the cleanup sweeper.
    CLEANUP_INTENT = "errand"


class EntryRole(StrEnum):
    """The role of a timeline entry for the history selector."""

    #: A message that opens a turn of the conversation; what follows belongs to it until the next one.
    USER = "user"
    ASSISTANT = "assistant"
    #: A function call or its output.
    FUNCTION_CALL = "exchange"
    #: An item that only its own run sends to the model: reasoning, items of hosted tools (D62).
    WITHIN_RUN = "within_run"
    #: The upstream's summary of everything before it (§11).
    COMPACTION = "compaction"


class TokenCount(NamedTuple):
    """The role of an entry, and the tokens it counts for in a prompt."""

    role: EntryRole
    tokens: int


class TimelinePosition(NamedTuple):
    """A timeline entry without its content. Positions grow; `token_count` is None until the entry is counted."""

    position: int
    token_count: TokenCount | None


class ThreadSize(NamedTuple):
    """The size of a thread. `tokens` is the sum of the entries that are counted.

    `edits` grows when a message is removed or its content replaced: while it is unchanged, all earlier entries are
    unchanged.
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

    message: MessageObject | None = None
    item: InputItem | None = None
    run_id: str | None = None
    #: Stored with the entry. Reads return it from `Session.list_positions` only.
    token_count: TokenCount | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Turn:
    """One model response of a run, its usage and its upstream ids.

    `usage` is in wire form (A46); None if no request was sent. A run's usage is the sum over its turns.
    `report` is the run report of this turn (`context_window.report`).
    """

    number: int
    response_id: str | None = None
    request_id: str | None = None
    model: str | None = None
    usage: UsageObject | None = None
    report: JsonMapping | None = None
    #: The cost at the prices of that time; None if unknown.
    nanodollars: int | None = None


#: A Unix time later than any lease ends.
FAR_FUTURE: Final = 1e12


@dataclass(frozen=True, slots=True)
class Lease:
    """The worker that performs a run, and when its lease expires (Unix seconds)."""

    owner: str
    expires_at: float


class RecordedRequest(NamedTuple):
    """A request that was answered, and the object in its answer: what a repeat of the request needs.

    `digest` is that of the request's path and body, `attempt` the number of the newest attempt that was answered, `at`
    the Unix time of the first answer in seconds. For tool outputs the object is the run, and `step_id` names the step
    that they completed. `thread_id` is the thread of a run that was created with its thread.
    """

    digest: str
    kind: ObjectKind
    object_id: str
    at: float
    attempt: int = 0
    step_id: str | None = None
    thread_id: str | None = None


class ThreadMark(StrEnum):
    """What the store knows of a thread id besides the thread."""

    #: The thread began empty under the id of another service.
    ADOPTED = "adopted"
    #: A client deleted the thread.
    DELETED = "deleted"


class RunWithLease(NamedTuple):
    """A run and its lease."""

    run: RunObject
    lease: Lease | None


class Session(Protocol):
    """One transaction over one tenant's rows; atomic.

    Objects are stored in REST form. Rows of other tenants do not exist for the session, unless a method says so.
    Sessions are synchronous, and must not be used after the call they were created for. After `errors.Conflict` the
    transaction must be left with that error: a database may refuse further statements.
    """

    # Objects
    def add(self, kind: ObjectKind, body: JsonMapping) -> None:
        """Store a new object under `body["id"]`. `thread_id`, `run_id` and `status` are indexed where present.

        A message is appended to its thread's timeline, without an item (see `append_entries`).
        Raises `errors.Conflict` if the id is taken, or if a second run of a thread would be active (A52).
        """
        ...

    def add_all(self, kind: ObjectKind, bodies: Sequence[JsonMapping]) -> None:
        """Store new objects of one kind in this order, as `add` does; faster for many. Messages are added as entries.

        Raises `errors.Conflict` if one of them cannot be added.
        """
        ...

    @overload
    def get(self, kind: Literal[ObjectKind.ASSISTANT], object_id: str) -> AssistantObject | None: ...
    @overload
    def get(self, kind: Literal[ObjectKind.THREAD], object_id: str) -> ThreadObject | None: ...
    @overload
    def get(self, kind: Literal[ObjectKind.MESSAGE], object_id: str) -> MessageObject | None: ...
    @overload
    def get(self, kind: Literal[ObjectKind.RUN], object_id: str) -> RunObject | None: ...
    @overload
    def get(self, kind: Literal[ObjectKind.STEP], object_id: str) -> RunStepObject | None: ...
    @overload
    def get(self, kind: ObjectKind, object_id: str) -> JsonMapping | None:
        """The object, or None. The dictionary is the caller's own copy."""
        ...

    def put(self, kind: ObjectKind, body: JsonMapping) -> None:
        """Replace the object of this id. Raises KeyError when there is none."""
        ...

    def remove(self, kind: ObjectKind, object_id: str) -> bool:
        """Remove an object; with a thread also its messages, runs, steps, items, turns, container and upstream state.

        False if unknown.
        """
        ...

    @overload
    def get_page(self, kind: Literal[ObjectKind.ASSISTANT], **page: Unpack[PageRange]) -> Page[AssistantObject]: ...
    @overload
    def get_page(self, kind: Literal[ObjectKind.THREAD], **page: Unpack[PageRange]) -> Page[ThreadObject]: ...
    @overload
    def get_page(self, kind: Literal[ObjectKind.MESSAGE], **page: Unpack[PageRange]) -> Page[MessageObject]: ...
    @overload
    def get_page(self, kind: Literal[ObjectKind.RUN], **page: Unpack[PageRange]) -> Page[RunObject]: ...
    @overload
    def get_page(self, kind: Literal[ObjectKind.STEP], **page: Unpack[PageRange]) -> Page[RunStepObject]: ...
    @overload
    def get_page(self, kind: ObjectKind, **page: Unpack[PageRange]) -> Page[JsonMapping]:
        """Objects in order of insertion, at most `limit`. An unknown cursor gives an empty page.

        `after` continues in the direction of `order`; `before` asks for the objects that precede that id in the
        same direction, the nearest ones. Costs the same on a long thread as on a short one.
        """
        ...

    def list_referencing_objects(self, resource_id: str, *, limit: int) -> Sequence[str]:
        """Ids of the assistants and threads whose `tool_resources` list this file or vector store, at most `limit`.

        Costs what it returns, however many objects the store holds.
        """
        ...

    def is_blob_referenced(self, blob_name: str) -> bool:
        """Whether a file of any tenant uses this blob."""
        ...

    def find_blob_name(self, digest: str) -> str | None:
        """The blob of one of the tenant's files whose name begins with the digest and a hyphen, or None."""
        ...

    def get_active_run(self, thread_id: str) -> RunObject | None:
        """The thread's one run that has not ended (A63), or None."""
        ...

    # The timeline of a thread
    def append_entries(self, thread_id: str, entries: Sequence[Entry]) -> None:
        """Append entries in order. Their messages are found by `get(ObjectKind.MESSAGE, …)` too."""
        ...

    def list_entries(self, thread_id: str, *, last_messages: int | None = None) -> Sequence[Entry]:
        """Entries oldest first; with `last_messages`, those from the n-th newest message on.

        A removed message is removed from the timeline too, with its item.
        Costs what it returns, not what the thread holds.
        """
        ...

    def iterate_entries(self, thread_id: str, *, first: int, last: int) -> Iterator[Entry]:
        """The entries between two positions, both included, oldest first; decoded lazily."""
        ...

    def list_positions(
        self, thread_id: str, *, limit: int, newest_first: bool = False, after_position: int | None = None
    ) -> Sequence[TimelinePosition]:
        """At most `limit` lines of the timeline without their content, in the requested direction.

        `after_position` continues after that position.
        Costs what it returns, however long the thread and its messages are.
        """
        ...

    def set_token_count(self, thread_id: str, position: int, token_count: TokenCount) -> None:
        """Set the token count of an entry that was stored without one. Does nothing if it has one."""
        ...

    def get_thread_size(self, thread_id: str) -> ThreadSize:
        """The size of the thread. Costs the same for every thread."""
        ...

    def list_run_items(self, run_id: str) -> Sequence[InputItem]:
        """The Responses items of one run, oldest first."""
        ...

    # Spending
    def add_spending(self, day: int, totals: SpendTotals, keys: Mapping[SpendScope, str]) -> None:
        """Add to the sums of a day (days since 1970, UTC), once for each key.

        Removing objects does not change the sums.
        """
        ...

    def list_spending(
        self, scope: SpendScope, *, since: int = 0, until: int | None = None, key: str | None = None
    ) -> Sequence[SpendByKey]:
        """The spending between two days, both included, by key; with `key`, of that one. Empty if there is none.

        With `key` the cost depends only on the number of days with spending under it.
        """
        ...

    # Parameter rejections
    def add_parameter_rejection(self, upstream: str, rejection: ParameterRejection, *, max_count: int) -> None:
        """Store a rejection; replaces an earlier one of the same model and parameter.

        Beyond `max_count` for one upstream the oldest are removed.
        """
        ...

    def list_parameter_rejections(self, upstream: str) -> Sequence[ParameterRejection]:
        """The stored rejections of an upstream, oldest first."""
        ...

    # Thread ids that were adopted or deleted
    def put_thread_mark(self, thread_id: str, mark: ThreadMark) -> None:
        """Mark a thread id; replaces an earlier mark. The mark stays when the thread is removed."""
        ...

    def get_thread_mark(self, thread_id: str) -> ThreadMark | None:
        """The mark of a thread id, or None."""
        ...

    def count_thread_marks(self, mark: ThreadMark) -> int:
        """How many thread ids of the tenant have the mark."""
        ...

    # Answered requests
    def get_keyed_request(self, key: str) -> RecordedRequest | None:
        """The request that was answered under this idempotency key, or None."""
        ...

    def put_keyed_request(self, key: str, request: RecordedRequest) -> None:
        """Store an answered request under its idempotency key; replaces an earlier one."""
        ...

    def remove_keyed_requests(self, *, answered_before: float, limit: int) -> int:
        """Remove the oldest requests under idempotency keys that were answered before a time; how many.

        Costs what it removes, at most `limit` requests.
        """
        ...

    def list_thread_requests(self, thread_id: str) -> Sequence[RecordedRequest]:
        """What `put_thread_requests` stored with the thread last; empty without it."""
        ...

    def put_thread_requests(self, thread_id: str, requests: Sequence[RecordedRequest]) -> None:
        """Store the thread's newest answered requests, a few; they are removed with the thread."""
        ...

    # Turns and leases of a run
    def add_run(self, run: RunObject, lease: Lease | None) -> None:
        """Store a new run with its lease."""
        ...

    def get_run_with_lease(self, run_id: str) -> RunWithLease | None:
        """The run with its lease, or None."""
        ...

    def put_run(self, run: RunObject, lease: Lease | None) -> None:
        """Replace a run and its lease. Raises KeyError for an unknown run."""
        ...

    def add_turn(self, run_id: str, turn: Turn) -> None:
        """Store a finished model response. Raises `errors.Conflict` if the run has a turn of that number."""
        ...

    def list_turns(self, run_id: str) -> Sequence[Turn]:
        """The run's turns, oldest first."""
        ...

    def get_lease(self, run_id: str) -> Lease | None:
        """The lease of the run, or None."""
        ...

    def list_unfinished_runs(
        self, *, lease_expired_before: float, limit: int, latest_expiry: float = FAR_FUTURE, after: str | None = None
    ) -> Sequence[str]:
        """Ids of the oldest runs that are queued, in progress or cancelling and whose lease expired before a time.

        A lease that expires later than `latest_expiry` counts as expired. `after` continues after a run.
        """
        ...

    def list_tenants_to_sweep(
        self, *, lease_expired_before: float, limit: int, latest_expiry: float = FAR_FUTURE, after: str | None = None
    ) -> Sequence[str]:
        """Tenants of the whole store that have unfinished runs (as in `list_unfinished_runs`) or cleanup intents.

        At most `limit`, in a fixed order; `after` continues after a tenant. Costs what the unfinished runs and the
        intents are, not what the store holds.
        """
        ...

    def set_lease(self, run_id: str, lease: Lease | None) -> None:
        """Acquire, renew or release (None) the lease of a run. Raises KeyError for an unknown run."""
        ...


class Store(Protocol):
    """Runs transactions. Usable from several event loops; one transaction runs on one thread, which may be any.

    `work` is called with a `Session`, must not block on anything else, and may be called again from its start. Its
    result is returned; an exception rolls everything back and is raised. Raises `errors.StoreError` if the database
    fails. The module describes order, locks and isolation.
    """

    def read(self, work: Callable[[Session], T], *, tenant: str) -> Awaitable[T]:
        """Run a transaction that only reads, on one snapshot. A write in it raises StoreError."""
        ...

    def write(self, work: Callable[[Session], T], *, tenant: str, large: bool = False) -> Awaitable[T]:
        """Run a transaction; when this returns, it is durable. Cancelling the caller does not cancel it.

        `large`: it writes so much that the event loop must not wait for it. The loop never waits for locks or the disk.
        """
        ...

    async def aclose(self) -> None:
        """Wait for transactions under way, then close every connection."""
        ...

"""The ports: protocols through which the bridge uses the outside world, and the protocol of a backend.

Objects that cross a port are dictionaries with the keys and their order in the Assistants v2 wire format (rules A20,
A27, A32, A43, A72), typed by `threadbridge.api_types`. They keep unknown keys, and become pydantic models only where
users of the neutral interface receive them.

An implementation that passes `tests/contract` is a backend or a store. If it is registered under the entry point group
`threadbridge.backends` (or `.stores`), `threadbridge.connect("its-name")` finds it.
"""

from __future__ import annotations

from threadbridge.ports.backend import Backend, ChecksReadiness, HandlesPassthrough, WarmsUp
from threadbridge.ports.blob_store import Blob, BlobNamer, BlobStore
from threadbridge.ports.clock import Clock, IdGenerator, TokenCounter
from threadbridge.ports.event_bus import EventBus, EventPublisher, EventReader, StreamState
from threadbridge.ports.executor import Executor, RunReference
from threadbridge.ports.requests import (
    BackendCapabilities,
    ListQuery,
    Page,
    PageRange,
    PassthroughRequest,
    PolledRun,
    RequestContext,
    RequestIdentity,
    WarningSink,
    WireRequest,
    WireResponse,
    discard_warning,
)
from threadbridge.ports.spending import PriceList, Rates, SpendByKey, SpendScope, SpendTotals
from threadbridge.ports.store import (
    Entry,
    EntryRole,
    Lease,
    ObjectKind,
    RecordedRequest,
    RunWithLease,
    Session,
    Store,
    ThreadMark,
    ThreadSize,
    TimelinePosition,
    TokenCount,
    Turn,
)
from threadbridge.ports.upstream import (
    ParameterRejection,
    Upstream,
    UpstreamCapabilities,
    UpstreamResponse,
    UpstreamStream,
    build_path,
)
from threadbridge.sse import Event

__all__ = [
    "Backend",
    "BackendCapabilities",
    "Blob",
    "BlobNamer",
    "BlobStore",
    "ChecksReadiness",
    "Clock",
    "Entry",
    "EntryRole",
    "Event",
    "EventBus",
    "EventPublisher",
    "EventReader",
    "Executor",
    "HandlesPassthrough",
    "IdGenerator",
    "Lease",
    "ListQuery",
    "ObjectKind",
    "Page",
    "PageRange",
    "ParameterRejection",
    "PassthroughRequest",
    "PolledRun",
    "PriceList",
    "Rates",
    "RecordedRequest",
    "RequestContext",
    "RequestIdentity",
    "RunReference",
    "RunWithLease",
    "Session",
    "SpendByKey",
    "SpendScope",
    "SpendTotals",
    "Store",
    "StreamState",
    "ThreadMark",
    "ThreadSize",
    "TimelinePosition",
    "TokenCount",
    "TokenCounter",
    "Turn",
    "Upstream",
    "UpstreamCapabilities",
    "UpstreamResponse",
    "UpstreamStream",
    "WarmsUp",
    "WarningSink",
    "WireRequest",
    "WireResponse",
    "build_path",
    "discard_warning",
]

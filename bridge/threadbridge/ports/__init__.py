"""The ports: what the bridge asks of the world, and what a backend of your own must offer.

Values that cross a port are *wire objects*: dictionaries with exactly the keys, in exactly the order, of the
Assistants v2 wire format (rules A20, A27, A32, A43, A72). They are parsed once, kept whole (a field nobody here has
heard of stays in), and become pydantic models only where a user of the neutral interface sees them.

An implementation that passes `tests/contract` is a backend (or a store); nothing else is asked of it. Register it
under the entry point group `threadbridge.backends` (or `.stores`) and `threadbridge.connect("its-name")` finds it.
"""

from __future__ import annotations

from threadbridge.ports.backend import Backend
from threadbridge.ports.blob_store import Blob, Blobs, Naming
from threadbridge.ports.clock import Clock, CountTokens, NewId
from threadbridge.ports.passthrough import PassesOn
from threadbridge.ports.spending import PriceList, Rates, Scope, Spent, Tally
from threadbridge.ports.store import (
    ClaimedRun,
    Entry,
    Kind,
    Lease,
    Page,
    Place,
    Refusal,
    Session,
    Size,
    Sort,
    Store,
    Turn,
    Weight,
)
from threadbridge.ports.upstream import Upstream, UpstreamResponse, UpstreamStream
from threadbridge.ports.wire_types import (
    Capabilities,
    Event,
    ListQuery,
    PassedRequest,
    PolledRun,
    Warn,
    Wire,
    WireRequest,
    WireResponse,
    unheard,
)
from threadbridge.runtime._at_once import begins_at_once, may_wait

__all__ = [
    "Backend",
    "Blob",
    "Blobs",
    "Capabilities",
    "ClaimedRun",
    "Clock",
    "CountTokens",
    "Entry",
    "Event",
    "Kind",
    "Lease",
    "ListQuery",
    "Naming",
    "NewId",
    "Page",
    "PassedRequest",
    "PassesOn",
    "Place",
    "PolledRun",
    "PriceList",
    "Rates",
    "Refusal",
    "Scope",
    "Session",
    "Size",
    "Sort",
    "Spent",
    "Store",
    "Tally",
    "Turn",
    "Upstream",
    "UpstreamResponse",
    "UpstreamStream",
    "Warn",
    "Weight",
    "Wire",
    "WireRequest",
    "WireResponse",
    "begins_at_once",
    "may_wait",
    "unheard",
]

"""What every worker of a backend shares: the store, the model, the time, the limits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from threadbridge.costs.spend_limits import is_bounded
from threadbridge.engine.attachment_provisioner import Supplier
from threadbridge.engine.concurrency_limit import Places
from threadbridge.engine.containers import Containers
from threadbridge.engine.event_log_registry import EventLogs
from threadbridge.engine.parameter_rejections import KnownRefusals
from threadbridge.ports import Blobs, Clock, Kind, NewId, Session, Store, Upstream, Wire, begins_at_once, may_wait
from threadbridge.service.context import Context, Rules
from threadbridge.service.turns import TurnStart
from threadbridge.settings import Limits, Policies
from threadbridge.translation.stream_translator import TurnTranslator

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Workplace:
    """The surroundings of a worker. `owner` names this process and backend in the leases it takes."""

    tenant: str
    store: Store
    upstream: Upstream
    clock: Clock
    new_id: NewId
    owner: str
    limits: Limits
    policies: Policies
    rules: Rules
    places: Places
    logs: EventLogs
    blobs: Blobs
    supplier: Supplier
    containers: Containers
    refusals: KnownRefusals
    #: What is still to be done about connections whose turn is over.
    _later: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    async def write(self, decide: Callable[[Session, Context], T], *, takes_up: bool = False) -> T:
        """One transaction that may change rows; `takes_up`: what it queues is performed here, at once."""
        context = Context(self.clock.now(), self.new_id, self.owner, self.rules, takes_up)
        if not begins_at_once(self.store):
            await may_wait()
        return await self.store.write(lambda session: decide(session, context), tenant=self.tenant)

    async def ready_to_bound(self) -> None:
        """Where settings bound what runs may cost, prices can be looked up by the transactions that begin turns."""
        prices = self.rules.costs.listed
        if is_bounded(self.limits) and not prices.is_ready:
            await may_wait()
            await prices.ready()

    async def run(self, run_id: str) -> Wire | None:
        """The run as it is stored."""
        return await self.store.read(lambda session: session.get(Kind.RUN, run_id), tenant=self.tenant)

    async def unfinished_runs(self, *, limit: int) -> Sequence[str]:
        """Runs of this tenant that have something to do and nobody who does it."""
        now = self.clock.now()
        return await self.store.read(
            lambda session: session.unfinished_runs(lapsed_before=now, limit=limit), tenant=self.tenant
        )

    def later(self, work: Coroutine[None, None, None]) -> None:
        """Do something that no run waits for; `settled` waits for it."""
        task = asyncio.ensure_future(work)
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def settled(self) -> None:
        """Everything that was put off is done."""
        if self._later:
            await asyncio.wait(self._later)

    def translator(self, start: TurnStart) -> TurnTranslator:
        """A fresh translator for a turn."""
        container = start.resources.container if start.resources is not None else None
        return TurnTranslator(
            start.run,
            new_id=self.new_id,
            now=self.clock.now,
            prior_usage=start.prior_usage,
            number=start.number,
            known_files=container.known_files if container is not None else None,
        )

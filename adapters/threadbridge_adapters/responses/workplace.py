"""What every worker of a backend shares: the store, the model, the time, the limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from threadbridge.emulation.context import Context
from threadbridge.emulation.turns import TurnStart
from threadbridge.ports import Clock, Kind, NewId, Session, Store, Upstream, Wire
from threadbridge.responses.models import ResolvedModel, resolve_model
from threadbridge.responses.translator import TurnTranslator
from threadbridge.settings import Limits, ModelOverride

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Workplace:
    """The surroundings of a worker. `owner` names this process and backend in the leases it takes."""

    store: Store
    upstream: Upstream
    clock: Clock
    new_id: NewId
    owner: str
    limits: Limits
    models: Mapping[str, ModelOverride]

    async def write(self, tenant: str, decide: Callable[[Session, Context], T], *, takes_up: bool = False) -> T:
        """One transaction that may change rows; `takes_up`: what it queues is performed here, at once."""
        context = Context(self.clock.now(), self.new_id, self.owner, self.limits, takes_up)
        return await self.store.write(lambda session: decide(session, context), tenant=tenant)

    async def run(self, tenant: str, run_id: str) -> Wire | None:
        """The run as it is stored."""
        return await self.store.read(lambda session: session.get(Kind.RUN, run_id), tenant=tenant)

    def model(self, run: Wire) -> ResolvedModel:
        """What to ask the upstream for when a run names its model (mapping §13, §14)."""
        today = datetime.fromtimestamp(self.clock.now(), UTC).date()
        return resolve_model(run["model"], requested_effort=run["reasoning_effort"], today=today, overrides=self.models)

    def translator(self, start: TurnStart) -> TurnTranslator:
        """A fresh translator for a turn."""
        return TurnTranslator(
            start.run, new_id=self.new_id, now=self.clock.now, prior_usage=start.prior_usage, number=start.number
        )

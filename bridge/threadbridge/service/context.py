"""What a decision needs besides the rows: the time, fresh ids, the rules of its backend."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from threadbridge.context_window.token_budget import HistoryRules
from threadbridge.costs.pricing import CostRules
from threadbridge.ports import IdGenerator, UpstreamCapabilities
from threadbridge.settings import Limits, MissingToolPolicy, UnknownPricePolicy
from threadbridge.translation.continuation import ContinuationRules
from threadbridge.translation.models.policy import ModelPolicy


@dataclass(frozen=True, slots=True)
class ServiceRules:
    """What is the same for every decision of a backend."""

    limits: Limits = field(default_factory=Limits)
    #: How threads are counted and what of them is shown.
    history: HistoryRules = field(default_factory=HistoryRules)
    #: Who keeps them for the model.
    continuation: ContinuationRules = field(default_factory=ContinuationRules)
    #: Which models are asked, and which runs are refused for theirs.
    models: ModelPolicy = field(default_factory=ModelPolicy)
    #: What the service behind can do, and what becomes of runs with a tool it lacks.
    profile: UpstreamCapabilities = field(default_factory=UpstreamCapabilities)
    missing_tool: MissingToolPolicy = "leave_out"
    #: What models cost.
    costs: CostRules = field(default_factory=CostRules)
    unknown_price: UnknownPricePolicy = "refuse"


class ServiceContext(NamedTuple):
    """Handed to every decision. `now` is the Unix time of the request, `owner` the worker that claims runs."""

    now: float
    new_id: IdGenerator
    owner: str
    rules: ServiceRules = ServiceRules()
    #: The caller performs what it queues, at once: it has a worker free.
    starts_immediately: bool = False

    @property
    def unix_seconds(self) -> int:
        """The time as the wire writes it."""
        return int(self.now)

"""What a decision needs besides the rows: the time, fresh ids, the rules of its backend."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from threadbridge.context_window.token_budget import HistoryRules
from threadbridge.context_window.upstream_continuation import StateRules
from threadbridge.costs.pricing import CostRules
from threadbridge.ports import NewId
from threadbridge.settings import Limits, MissingTool, UnknownPrice
from threadbridge.translation.models.policy import ModelRules
from threadbridge.translation.provider_profiles import Profile


@dataclass(frozen=True, slots=True)
class Rules:
    """What is the same for every decision of a backend."""

    limits: Limits = field(default_factory=Limits)
    #: How threads are counted and what of them is shown.
    history: HistoryRules = field(default_factory=HistoryRules)
    #: Who keeps them for the model.
    state: StateRules = field(default_factory=StateRules)
    #: Which models are asked, and which runs are refused for theirs.
    models: ModelRules = field(default_factory=ModelRules)
    #: What the service behind can do, and what becomes of runs with a tool it lacks.
    profile: Profile = field(default_factory=Profile)
    missing_tool: MissingTool = "leave_out"
    #: What models cost.
    costs: CostRules = field(default_factory=CostRules)
    unknown_price: UnknownPrice = "refuse"


class Context(NamedTuple):
    """Handed to every decision. `now` is the Unix time of the request, `owner` the worker that claims runs."""

    now: float
    new_id: NewId
    owner: str
    rules: Rules = Rules()
    #: The caller performs what it queues, at once: it has a worker free.
    takes_up: bool = False

    @property
    def second(self) -> int:
        """The time as the wire writes it."""
        return int(self.now)

"""What the service needs besides the rows: the time, new ids, the rules of its backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from threadbridge.context_window.tokens import HistoryRules, add_token_counts
from threadbridge.costs.pricing import CostRules
from threadbridge.ports import Entry, IdGenerator, UpstreamCapabilities
from threadbridge.settings import Limits, MissingToolPolicy, UnknownPricePolicy
from threadbridge.translation.continuation import ContinuationRules
from threadbridge.translation.models.resolution import ModelPolicy


@dataclass(frozen=True, slots=True)
class ServiceRules:
    """What is the same for every decision of a backend."""

    limits: Limits = field(default_factory=Limits)
    #: How history is counted and truncated.
    history: HistoryRules = field(default_factory=HistoryRules)
    #: Where the history is stored for the model: here or upstream.
    continuation: ContinuationRules = field(default_factory=ContinuationRules)
    #: Which models are requested, and which runs are rejected for their model.
    models: ModelPolicy = field(default_factory=ModelPolicy)
    #: The capabilities of the upstream, and the policy for runs with a tool that it lacks.
    profile: UpstreamCapabilities = field(default_factory=UpstreamCapabilities)
    missing_tool: MissingToolPolicy = "leave_out"
    #: Sources of prices and fees.
    costs: CostRules = field(default_factory=CostRules)
    unknown_price: UnknownPricePolicy = "refuse"
    #: Assistants that requests must not change (D121).
    declared_assistants: frozenset[str] = frozenset()


class ServiceContext(NamedTuple):
    """An argument of every function. `now` is the Unix time of the request, `owner` the worker that acquires leases."""

    now: float
    new_id: IdGenerator
    owner: str
    rules: ServiceRules = ServiceRules()
    #: The caller has a free worker and executes what it queues immediately.
    starts_immediately: bool = False
    #: The tokens of the texts that the request adds, counted before the transaction.
    token_counts: Mapping[str, int] = MappingProxyType({})

    @property
    def unix_seconds(self) -> int:
        """The time in whole seconds, as objects of the API carry it."""
        return int(self.now)

    def add_token_counts(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """The entries with their token counts; without them until a tokenizer is loaded.

        Counts a text here only if that was not done before the transaction.
        """
        if not self.rules.history.is_tokenizer_loaded():
            return entries

        def count_tokens(text: str) -> int:
            tokens = self.token_counts.get(text)
            return self.rules.history.count_tokens(text) if tokens is None else tokens

        return add_token_counts(entries, count_tokens)

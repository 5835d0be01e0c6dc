"""Sampling parameters that models were seen to reject although the model table says otherwise (§15)."""

from __future__ import annotations

from collections.abc import Iterable

from threadbridge.ports import ParameterRejection
from threadbridge.settings import Limits

_SAMPLING_PARAMETERS = ("temperature", "top_p")


class ParameterRejectionCache:
    """What the models of one service rejected, starting with `known`: the newest entries, each for a bounded time."""

    def __init__(self, limits: Limits, known: Iterable[ParameterRejection] = ()) -> None:
        self._limits = limits
        self._rejected_at: dict[tuple[str, str], float] = {}
        for rejection in known:
            self.record(rejection)

    def get_rejected(self, model: str, now: float) -> frozenset[str]:
        """The parameters not to send to the model; an old rejection has lapsed and the parameter is tried again."""
        since = now - self._limits.refusal_seconds
        return frozenset(name for name in _SAMPLING_PARAMETERS if self._rejected_at.get((model, name), since) > since)

    def record(self, rejection: ParameterRejection) -> None:
        """Add a rejection. Beyond the limit the oldest one is dropped, since model names come from callers."""
        key = (rejection.model, rejection.parameter)
        self._rejected_at.pop(key, None)
        self._rejected_at[key] = rejection.at
        if len(self._rejected_at) > self._limits.refusals:
            del self._rejected_at[next(iter(self._rejected_at))]

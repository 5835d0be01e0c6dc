"""What services refuse although a table says otherwise: sampling, left out from then on (§15), and compaction."""

from __future__ import annotations

import re
from collections.abc import Iterable

from threadbridge.errors import UpstreamError
from threadbridge.ports import Refusal, Wire
from threadbridge.settings import Limits

_SAMPLING = frozenset({"temperature", "top_p"})
_REFUSED = frozenset({400, 422})
_NAMED = re.compile(r"\b(temperature|top_p)\b")


def refused_parameter(error: UpstreamError, asked: Wire) -> str | None:
    """The sampling parameter that the request `asked` was refused for; None where it was refused for anything else.

    A server that names no parameter has it in its words, if anywhere (S6).
    """
    if error.status not in _REFUSED:
        return None
    named = [error.param] if error.param is not None else _NAMED.findall(error.message)
    return next((name for name in named if name in _SAMPLING and name in asked), None)


_COMPACTION = "context_management"


def refused_to_compact(error: UpstreamError, asked: Wire) -> bool:
    """Whether the request was refused because the service makes no compactions, whatever its profile says (S9)."""
    told = f"{error.param} {error.message}"
    return error.status in _REFUSED and _COMPACTION in asked and _COMPACTION in told


def uncompacted_warning(model: str) -> str:
    """The warning about such a service, and what helps."""
    return f"The service makes no compactions for the model {model}: set truncation.auto = 'drop'."


class LearnedRefusals:
    """What the models of one service were seen to refuse, from `known` on: the newest of them, for a bounded time."""

    def __init__(self, limits: Limits, known: Iterable[Refusal] = ()) -> None:
        self._limits = limits
        self._at: dict[tuple[str, str], float] = {}
        for refusal in known:
            self.learn(refusal)

    def of(self, model: str, now: float) -> frozenset[str]:
        """The parameters not to be sent to the model; one that was refused long ago is tried again."""
        since = now - self._limits.refusal_seconds
        return frozenset(name for name in _SAMPLING if self._at.get((model, name), since) > since)

    def learn(self, refusal: Refusal) -> None:
        """The model refused the parameter. Beyond the limit the oldest is forgotten: names come from callers."""
        key = (refusal.model, refusal.parameter)
        self._at.pop(key, None)
        self._at[key] = refusal.at
        if len(self._at) > self._limits.refusals:
            del self._at[next(iter(self._at))]

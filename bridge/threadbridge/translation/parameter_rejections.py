"""What services refuse although a table says otherwise: sampling, left out from then on (§15), and compaction."""

from __future__ import annotations

import re
from collections.abc import Iterable

from threadbridge.errors import UpstreamError
from threadbridge.ports import ParameterRejection, Wire
from threadbridge.settings import Limits

_SAMPLING_PARAMETERS = frozenset({"temperature", "top_p"})
_REJECTION_STATUSES = frozenset({400, 422})
_SAMPLING_PATTERN = re.compile(r"\b(temperature|top_p)\b")


def find_rejected_parameter(error: UpstreamError, request: Wire) -> str | None:
    """The sampling parameter that the request `asked` was refused for; None where it was refused for anything else.

    A server that names no parameter has it in its words, if anywhere (S6).
    """
    if error.status not in _REJECTION_STATUSES:
        return None
    named = [error.param] if error.param is not None else _SAMPLING_PATTERN.findall(error.message)
    return next((name for name in named if name in _SAMPLING_PARAMETERS and name in request), None)


_COMPACTION = "context_management"


def is_compaction_rejection(error: UpstreamError, request: Wire) -> bool:
    """Whether the request was refused because the service makes no compactions, whatever its profile says (S9)."""
    text = f"{error.param} {error.message}"
    return error.status in _REJECTION_STATUSES and _COMPACTION in request and _COMPACTION in text


def build_compaction_warning(model: str) -> str:
    """The warning about such a service, and what helps."""
    return f"The service makes no compactions for the model {model}: set truncation.auto = 'drop'."


class ParameterRejectionCache:
    """What the models of one service were seen to refuse, from `known` on: the newest of them, for a bounded time."""

    def __init__(self, limits: Limits, known: Iterable[ParameterRejection] = ()) -> None:
        self._limits = limits
        self._rejected_at: dict[tuple[str, str], float] = {}
        for rejection in known:
            self.record(rejection)

    def get_rejected(self, model: str, now: float) -> frozenset[str]:
        """The parameters not to be sent to the model; one that was refused long ago is tried again."""
        since = now - self._limits.refusal_seconds
        return frozenset(name for name in _SAMPLING_PARAMETERS if self._rejected_at.get((model, name), since) > since)

    def record(self, rejection: ParameterRejection) -> None:
        """The model refused the parameter. Beyond the limit the oldest is forgotten: names come from callers."""
        key = (rejection.model, rejection.parameter)
        self._rejected_at.pop(key, None)
        self._rejected_at[key] = rejection.at
        if len(self._rejected_at) > self._limits.refusals:
            del self._rejected_at[next(iter(self._rejected_at))]

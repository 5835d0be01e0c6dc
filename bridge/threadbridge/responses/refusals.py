"""Sampling parameters that a service refused although the table says otherwise: left out from then on (§15)."""

from __future__ import annotations

from threadbridge.errors import UpstreamError

_SAMPLING = frozenset({"temperature", "top_p"})
_BAD_REQUEST = 400
#: Names of models come from callers; the oldest is forgotten beyond this many.
_MODELS = 1000


def refused_parameter(error: UpstreamError) -> str | None:
    """The sampling parameter that a request was refused for; None where it was refused for anything else."""
    return error.param if error.status == _BAD_REQUEST and error.param in _SAMPLING else None


class LearnedRefusals:
    """What the models of one service were seen to refuse, for the life of the process."""

    def __init__(self) -> None:
        self._parameters: dict[str, frozenset[str]] = {}

    def of(self, model: str) -> frozenset[str]:
        """The parameters not to be sent to the model."""
        return self._parameters.get(model, frozenset())

    def learn(self, model: str, parameter: str) -> None:
        """The model refused the parameter."""
        known = self.of(model)
        self._parameters[model] = known | {parameter}
        if len(self._parameters) > _MODELS:
            del self._parameters[next(iter(self._parameters))]

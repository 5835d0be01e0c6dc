"""The models that an assistant may name, one row each, for people and programs."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal

from threadbridge.api_types import JsonObject
from threadbridge.translation.models.data import CONTEXT_WINDOWS, MODEL_FAMILIES, RETIREMENTS
from threadbridge.translation.models.resolution import ModelPolicy, get_base_model, resolve_model


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model: its status, its shutdown date, its replacement, and the parameters that are not sent."""

    model: str
    state: Literal["retired", "retiring", "current"]
    shutdown_date: date | None
    #: The model that is requested now, or after the retirement; None where none is known.
    replacement: str | None
    context_window: int | None
    #: The run parameters that the requested model does not accept.
    dropped_parameters: tuple[str, ...]

    def to_json(self) -> JsonObject:
        """The row as a JSON object."""
        return {
            "model": self.model,
            "state": self.state,
            "shutdown_date": self.shutdown_date.isoformat() if self.shutdown_date is not None else None,
            "replacement": self.replacement,
            "window": self.context_window,
            "dropped": list(self.dropped_parameters),
        }


def list_model_rows(policy: ModelPolicy, today: date, names: Collection[str] | None = None) -> Iterator[ModelRow]:
    """A row for each of these models, or for every known, configured or listed one, sorted by shutdown date.

    If the model names of the upstream are not OpenAI's, only configured and listed models are known.
    """
    if names is None:
        known = {*MODEL_FAMILIES, *RETIREMENTS} if policy.openai_models else set[str]()
        names = {*known, *policy.models, *policy.shutdown_dates}
    rows = [build_model_row(name, policy, today) for name in names]
    yield from sorted(rows, key=lambda row: (row.shutdown_date or date.max, row.model))


def build_model_row(name: str, policy: ModelPolicy, today: date) -> ModelRow:
    """The row of one model; a fine-tune ends with the model it was made from."""
    retirement = RETIREMENTS.get(get_base_model(name)) if policy.openai_models else None
    day = policy.shutdown_dates.get(name, retirement.shutdown_date if retirement is not None else None)
    state: Literal["retired", "retiring", "current"] = "current"
    if day is not None:
        state = "retired" if day <= today else "retiring"
    resolved = resolve_model(
        name,
        requested_effort=None,
        today=max(day, today) if day is not None else today,
        overrides=policy.models,
        shutdown_dates=policy.shutdown_dates,
        keep_sampling=policy.sampling == "force_none",
        openai_models=policy.openai_models,
    )
    family = MODEL_FAMILIES.get(get_base_model(resolved.model)) if policy.openai_models else None
    dropped = () if resolved.accepts_sampling else ("temperature", "top_p")
    if family is not None and not family.efforts:
        dropped = (*dropped, "reasoning_effort")
    replacement = resolved.model if resolved.model != name else None
    return ModelRow(name, state, day, replacement, CONTEXT_WINDOWS.get(get_base_model(name)), dropped)

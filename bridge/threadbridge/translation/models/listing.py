"""What is known about every model an assistant may be pinned to, one row each, for people and programs."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from threadbridge.translation.models.data import FAMILIES, RETIREMENTS, WINDOWS
from threadbridge.translation.models.policy import ModelRules
from threadbridge.translation.models.resolution import base_model, resolve_model


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model: whether it lives, until when, who answers in its place, and what that one is not sent."""

    model: str
    state: Literal["retired", "retiring", "current"]
    shutdown_date: date | None
    #: Who is asked now, or once the model has retired; None where nobody is known.
    replacement: str | None
    window: int | None
    #: Of a run's parameters, those the model asked for it does not take.
    dropped: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The row as a JSON object."""
        return {
            "model": self.model,
            "state": self.state,
            "shutdown_date": self.shutdown_date.isoformat() if self.shutdown_date is not None else None,
            "replacement": self.replacement,
            "window": self.window,
            "dropped": list(self.dropped),
        }


def model_rows(rules: ModelRules, today: date, names: Collection[str] | None = None) -> Iterator[ModelRow]:
    """A row for each of these models, or for every known, configured or listed one; those that end first on top."""
    listed = rules.catalog.shutdown_dates if rules.catalog is not None else {}
    chosen = {*FAMILIES, *RETIREMENTS, *rules.models, *listed} if names is None else names
    rows = [model_row(name, rules, today) for name in chosen]
    yield from sorted(rows, key=lambda row: (row.shutdown_date or date.max, row.model))


def model_row(name: str, rules: ModelRules, today: date) -> ModelRow:
    """The row of one model; a fine-tune ends with the model it was made from."""
    listed = rules.catalog.shutdown_dates if rules.catalog is not None else {}
    retirement = RETIREMENTS.get(base_model(name))
    day = listed.get(name, retirement.day if retirement is not None else None)
    state: Literal["retired", "retiring", "current"] = "current"
    if day is not None:
        state = "retired" if day <= today else "retiring"
    asked = resolve_model(
        name,
        requested_effort=None,
        today=max(day, today) if day is not None else today,
        overrides=rules.models,
        shutdown_dates=listed,
        keep_sampling=rules.sampling == "force_none",
    )
    family = FAMILIES.get(base_model(asked.model))
    dropped = () if asked.sampling else ("temperature", "top_p")
    if family is not None and not family.efforts:
        dropped = (*dropped, "reasoning_effort")
    replacement = asked.model if asked.model != name else None
    return ModelRow(name, state, day, replacement, WINDOWS.get(base_model(name)), dropped)

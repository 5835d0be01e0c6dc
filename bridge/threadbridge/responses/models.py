"""Which model is asked for a run, and what it may be sent. The run itself keeps the name it was given (§13, §14)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from threadbridge.responses.model_table import EFFORTS, FAMILIES, RETIREMENTS, Family, Sampling
from threadbridge.settings import ModelOverride


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """What to send for the model a run asks for."""

    requested: str
    model: str
    #: `reasoning.effort`; None: not sent.
    reasoning_effort: str | None = None
    #: Whether `temperature` and `top_p` may be sent.
    sampling: bool = True
    #: Whether the answer may contain reasoning that has to be replayed (§9).
    reasons: bool = False
    #: What the caller should know, one sentence each.
    warnings: tuple[str, ...] = ()


def resolve_model(
    name: str, *, requested_effort: str | None, today: date, overrides: Mapping[str, ModelOverride]
) -> ResolvedModel:
    """The model to ask in place of `name`: the configured one, else its living successor, else itself.

    A name nobody knows passes untouched and unchecked: it may be a deployment, or a model of another service. A model
    that did not reason is followed by one that is told not to, as far as it lets itself be told.
    """
    override = overrides.get(name)
    if override is not None:
        return _overridden(name, override, requested_effort)
    model, warnings = _successor(name, today)
    family = FAMILIES.get(base_model(model))
    if family is None:
        return ResolvedModel(name, model, requested_effort, reasons=_thinks(requested_effort), warnings=tuple(warnings))
    effort = _effort(family, requested_effort)
    if requested_effort is None and model != name:
        effort = _least_effort(FAMILIES.get(base_model(name)), family)
    if effort != requested_effort and requested_effort is not None:
        sent = f"{effort!r} is sent" if effort is not None else "it is not sent"
        warnings.append(f"The model {model} does not accept reasoning_effort {requested_effort!r}; {sent}.")
    return ResolvedModel(
        requested=name,
        model=model,
        reasoning_effort=effort,
        sampling=_samples(family, effort),
        reasons=family.reasons and effort != "none",
        warnings=tuple(warnings),
    )


def _overridden(name: str, override: ModelOverride, requested_effort: str | None) -> ResolvedModel:
    effort = override.reasoning_effort or requested_effort
    family = FAMILIES.get(base_model(override.model))
    reasons = effort != "none" and (_thinks(effort) or (family is not None and family.reasons))
    return ResolvedModel(name, override.model, effort, override.sampling, reasons)


def _successor(name: str, today: date) -> tuple[str, list[str]]:
    """Follow the retirements that have come to pass; a successor may have retired itself."""
    model = name
    while (gone := RETIREMENTS.get(base_model(model))) is not None and gone.day <= today:
        if gone.successor is None:
            return model, [f"The model {model} was retired on {gone.day} and no successor is known."]
        model = gone.successor
    return model, [f"The model {name} is retired; {model} is asked in its place."] if model != name else []


def base_model(name: str) -> str:
    """The model a fine-tune was made from: `ft:BASE:organisation:suffix:id`."""
    fields = name.split(":")
    return fields[1] if fields[0] == "ft" and len(fields) > 1 else name


def _thinks(effort: str | None) -> bool:
    return effort not in (None, "none")


def _effort(family: Family, requested: str | None) -> str | None:
    """The requested effort, or the nearest the model accepts, rather more than less. None: leave it to the model."""
    if requested is None or not family.efforts:
        return None
    if requested in family.efforts or requested not in EFFORTS:
        return requested
    above = [effort for effort in family.efforts if EFFORTS.index(effort) > EFFORTS.index(requested)]
    return above[0] if above else family.efforts[-1]


def _least_effort(retired: Family | None, family: Family) -> str | None:
    """What stands in for a model that did not reason: the least its successor does. Otherwise its own default."""
    if retired is None or retired.reasons or not family.efforts:
        return None
    return family.efforts[0]


def _samples(family: Family, effort: str | None) -> bool:
    if family.sampling is Sampling.WITHOUT_REASONING:
        return effort == "none"
    return family.sampling is Sampling.ALWAYS

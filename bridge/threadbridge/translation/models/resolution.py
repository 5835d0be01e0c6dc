"""Which model a run is sent to, and with which parameters. The run itself keeps the name it has (§13, §14)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from threadbridge.settings import ModelOverride
from threadbridge.translation.models.data import (
    MODEL_FAMILIES,
    REASONING_EFFORTS,
    RETIREMENTS,
    ModelFamily,
    Retirement,
    SamplingSupport,
)


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """What to send for the model that a run names."""

    requested: str
    model: str
    #: `reasoning.effort`; None: not sent.
    reasoning_effort: str | None = None
    #: Whether `temperature` and `top_p` may be sent.
    accepts_sampling: bool = True
    #: Whether the answer may contain reasoning that has to be replayed (§9).
    is_reasoning: bool = False
    #: What the caller should know, one sentence each.
    warnings: tuple[str, ...] = ()


def resolve_model(
    name: str,
    *,
    requested_effort: str | None,
    today: date,
    overrides: Mapping[str, ModelOverride],
    override: ModelOverride | None = None,
    shutdown_dates: Mapping[str, date | None] | None = None,
    keep_sampling: bool = False,
    openai_models: bool = True,
) -> ResolvedModel:
    """The model to request for `name`: the configured one, else its current successor, else itself.

    The configuration decides what it accepts, then the table. An unknown name passes unchanged and unchecked: it may
    be a deployment, or a model of another service. The successor of a model without reasoning gets the lowest effort
    it accepts. `override` comes before `overrides`, `shutdown_dates` (None as a date: no end known) before the
    built-in table. With `keep_sampling`, a model that accepts temperature and top_p only without reasoning gets
    effort `none`. Without `openai_models` the name is not OpenAI's: it has no successor, and every parameter is sent
    as requested. Only whether reasoning is replayed still depends on the name: a deployment is mostly named after its
    model, and would lose its reasoning between tool calls.
    """
    override = override or overrides.get(name) or ModelOverride()
    if override.model is not None:
        model, warnings = override.model, list[str]()
    else:
        model, warnings = _find_successor(name, today, shutdown_dates or {}, RETIREMENTS if openai_models else {})
    effort_requested = override.reasoning_effort or requested_effort
    family = MODEL_FAMILIES.get(get_base_model(model))
    if family is None or not openai_models:
        accepts_sampling = override.sampling is not False
        is_reasoning = _is_reasoning_effort(effort_requested)
        if family is not None and effort_requested is None:
            is_reasoning = family.is_reasoning
        return ResolvedModel(name, model, effort_requested, accepts_sampling, is_reasoning, tuple(warnings))
    effort = _choose_effort(family, effort_requested)
    if effort_requested is None and model != name:
        effort = _choose_successor_effort(MODEL_FAMILIES.get(get_base_model(name)), family)
    if keep_sampling and family.sampling is SamplingSupport.WITHOUT_REASONING:
        effort = "none"
    if effort != effort_requested and effort_requested is not None:
        warnings.append(
            _build_effort_warning(effort_requested, effort, model, accepted=effort_requested in family.efforts)
        )
    return ResolvedModel(
        requested=name,
        model=model,
        reasoning_effort=effort,
        accepts_sampling=_accepts_sampling(family, effort) if override.sampling is None else override.sampling,
        is_reasoning=family.is_reasoning and effort != "none",
        warnings=tuple(warnings),
    )


def _build_effort_warning(requested: str, effort: str | None, model: str, *, accepted: bool) -> str:
    sent = f"{effort!r} is sent" if effort is not None else "it is not sent"
    if accepted:
        return f"The model {model} takes temperature and top_p only without reasoning; reasoning_effort {sent}."
    return f"The model {model} does not accept reasoning_effort {requested!r}; {sent}."


def _find_successor(
    name: str, today: date, shutdown_dates: Mapping[str, date | None], retirements: Mapping[str, Retirement]
) -> tuple[str, list[str]]:
    """Follow past retirements; a successor may have retired too."""
    model = name
    while (
        retirement := _find_retirement(model, shutdown_dates, retirements)
    ) is not None and retirement.shutdown_date <= today:
        if retirement.successor is None:
            return model, [f"The model {model} was retired on {retirement.shutdown_date} and no successor is known."]
        model = retirement.successor
    return model, [f"The model {name} is retired; {model} is asked in its place."] if model != name else []


def _find_retirement(
    model: str, shutdown_dates: Mapping[str, date | None], retirements: Mapping[str, Retirement]
) -> Retirement | None:
    """When the model ends: the date that the service gives comes before that of the table."""
    listed = retirements.get(get_base_model(model))
    if model not in shutdown_dates:
        return listed
    day = shutdown_dates[model]
    return None if day is None else Retirement(day, listed.successor if listed is not None else None)


def get_base_model(name: str) -> str:
    """The model a fine-tune was made from: `ft:BASE:organisation:suffix:id`."""
    fields = name.split(":")
    return fields[1] if fields[0] == "ft" and len(fields) > 1 else name


def _is_reasoning_effort(effort: str | None) -> bool:
    return effort not in (None, "none")


def _choose_effort(family: ModelFamily, requested: str | None) -> str | None:
    """The requested effort, or the nearest accepted one, the higher one first. None: the model's default."""
    if requested is None or not family.efforts:
        return None
    if requested in family.efforts or requested not in REASONING_EFFORTS:
        return requested
    above = [
        effort for effort in family.efforts if REASONING_EFFORTS.index(effort) > REASONING_EFFORTS.index(requested)
    ]
    return above[0] if above else family.efforts[-1]


def _choose_successor_effort(retired: ModelFamily | None, family: ModelFamily) -> str | None:
    """The lowest effort for the successor of a model without reasoning, otherwise None: its default."""
    if retired is None or retired.is_reasoning or not family.efforts:
        return None
    return family.efforts[0]


def _accepts_sampling(family: ModelFamily, effort: str | None) -> bool:
    if family.sampling is SamplingSupport.WITHOUT_REASONING:
        return effort == "none"
    return family.sampling is SamplingSupport.ALWAYS

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
    it accepts. `override` comes before `overrides`, `shutdown_dates` (None: no date is known) before the built-in
    table. With `keep_sampling`, a model that accepts temperature and top_p only without reasoning gets
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
        is_reasoning = effort_requested not in (None, "none")
        if family is not None and effort_requested is None:
            is_reasoning = family.is_reasoning
        return ResolvedModel(name, model, effort_requested, accepts_sampling, is_reasoning, tuple(warnings))
    effort = _choose_effort(family, effort_requested)
    if effort_requested is None and model != name:
        replaced = MODEL_FAMILIES.get(get_base_model(name))
        if replaced is not None and not replaced.is_reasoning and family.efforts:
            effort = family.efforts[0]
    if keep_sampling and family.sampling is SamplingSupport.WITHOUT_REASONING:
        effort = "none"
    if effort_requested is not None and effort != effort_requested:
        sent = f"{effort!r} is sent instead" if effort is not None else "it is not sent"
        if effort_requested in family.efforts:
            warnings.append(
                f"The model {model} accepts temperature and top_p only without reasoning, so reasoning_effort "
                f"{effort_requested!r} is not used: {sent}."
            )
        else:
            warnings.append(f"The model {model} does not accept reasoning_effort {effort_requested!r}: {sent}.")
    accepts_by_family = family.sampling is SamplingSupport.ALWAYS or (
        family.sampling is SamplingSupport.WITHOUT_REASONING and effort == "none"
    )
    return ResolvedModel(
        requested=name,
        model=model,
        reasoning_effort=effort,
        accepts_sampling=accepts_by_family if override.sampling is None else override.sampling,
        is_reasoning=family.is_reasoning and effort != "none",
        warnings=tuple(warnings),
    )


def _find_successor(
    name: str, today: date, shutdown_dates: Mapping[str, date | None], retirements: Mapping[str, Retirement]
) -> tuple[str, list[str]]:
    """Follow past retirements, since a successor may be retired too. The dates of the service precede the table's."""
    model = name
    while True:
        listed = retirements.get(get_base_model(model))
        listed_day = listed.shutdown_date if listed is not None else None
        day = shutdown_dates.get(model, listed_day)
        if day is None or day > today:
            break
        if listed is None or listed.successor is None:
            return model, [f"The model {model} was retired on {day} and no successor is known."]
        model = listed.successor
    return model, [f"The model {name} is retired, so {model} is used instead."] if model != name else []


def get_base_model(name: str) -> str:
    """The model a fine-tune was made from: `ft:BASE:organisation:suffix:id`."""
    fields = name.split(":")
    return fields[1] if fields[0] == "ft" and len(fields) > 1 else name


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

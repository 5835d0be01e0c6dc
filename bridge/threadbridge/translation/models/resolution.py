"""Which model a run is sent to, with which parameters, and which runs are rejected for their model (§13-§15)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from threadbridge.api_types import RunObject
from threadbridge.errors import InvalidRequest
from threadbridge.ports import ParameterRejection
from threadbridge.settings import Limits, ModelOverride, SamplingPolicy
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


#: Seconds for which a list of models counts as complete: new ones appear every few weeks.
_CATALOG_MAX_AGE = 86_400
_DEFAULT_SAMPLING = 1.0
_SAMPLING_PARAMETERS = ("temperature", "top_p")


@dataclass(frozen=True, slots=True)
class ModelCatalog:
    """The models of a service (`GET /v1/models`) and the day on which each one ends."""

    fetched_at: float
    shutdown_dates: Mapping[str, date | None]
    #: The address of the service; empty where it has none.
    upstream: str = ""


@dataclass(frozen=True, slots=True)
class ModelPolicy:
    """All settings that decide about models. Nothing is inferred from the form of a name."""

    models: Mapping[str, ModelOverride] = field(default_factory=dict[str, ModelOverride])
    per_assistant: Mapping[str, ModelOverride] = field(default_factory=dict[str, ModelOverride])
    sampling: SamplingPolicy = "drop"
    catalog: ModelCatalog | None = None
    #: Whether the model names of the upstream are OpenAI's (`provider_profiles.serves_openai_models`).
    openai_models: bool = True

    @property
    def shutdown_dates(self) -> Mapping[str, date | None]:
        """The day on which each listed model ends, as the service gives it."""
        return self.catalog.shutdown_dates if self.catalog is not None else {}

    def resolve(self, run: RunObject, now: float) -> ResolvedModel:
        """The model to request for a run (§13, §14)."""
        return resolve_model(
            run["model"],
            requested_effort=run["reasoning_effort"],
            today=datetime.fromtimestamp(now, UTC).date(),
            overrides=self.models,
            override=self.per_assistant.get(run["assistant_id"]),
            shutdown_dates=self.shutdown_dates,
            keep_sampling=self.sampling == "force_none" and bool(list_requested_sampling(run)),
            openai_models=self.openai_models,
        )

    def check_run(self, run: RunObject, now: float) -> None:
        """Raises InvalidRequest for a model that is known not to exist (A17), and with the policy `error` for a
        sampling parameter that the model does not accept.
        """
        catalog = self.catalog
        if catalog is not None and now - catalog.fetched_at >= _CATALOG_MAX_AGE:
            catalog = None
        if catalog is None and self.sampling != "error":
            return
        model = self.resolve(run, now)
        if catalog is not None and model.model not in catalog.shutdown_dates:
            raise InvalidRequest(
                f"The requested model '{run['model']}' does not exist.", param="model", code="model_not_found"
            )
        if self.sampling == "error" and not model.accepts_sampling and (requested := list_requested_sampling(run)):
            raise InvalidRequest(
                f"Unsupported parameter: '{requested[0]}' is not supported with this model.", param=requested[0]
            )


def list_requested_sampling(run: RunObject) -> list[str]:
    """The sampling parameters that the run sets to a value other than the default."""
    values = (("temperature", run["temperature"]), ("top_p", run["top_p"]))
    return [name for name, value in values if value is not None and value != _DEFAULT_SAMPLING]


class ParameterRejectionCache:
    """What the models of one service rejected although the model table says otherwise (§15).

    Starts with `known`. It holds the newest rejections, each for a limited time.
    """

    def __init__(self, limits: Limits, known: Iterable[ParameterRejection] = ()) -> None:
        self._limits = limits
        self._rejected_at: dict[tuple[str, str], float] = {}
        self._names: dict[str, set[str]] = {}  # by model
        for rejection in known:
            self.record(rejection)

    def get_rejected(self, model: str, now: float) -> frozenset[str]:
        """The parameters not to send to the model; after some time a parameter is tried again."""
        if model not in self._names:
            return frozenset()
        since = now - self._limits.refusal_seconds
        return frozenset(name for name in self._names[model] if self._rejected_at[model, name] > since)

    def record(self, rejection: ParameterRejection) -> None:
        """Add a rejection. Beyond the limit the oldest one is dropped, since model names come from callers."""
        key = (rejection.model, rejection.parameter)
        self._rejected_at.pop(key, None)
        self._rejected_at[key] = rejection.at
        self._names.setdefault(rejection.model, set()).add(rejection.parameter)
        if len(self._rejected_at) > self._limits.refusals:
            model, name = next(iter(self._rejected_at))
            del self._rejected_at[model, name]
            self._names[model].discard(name)
            if not self._names[model]:
                del self._names[model]

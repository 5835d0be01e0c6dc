"""The configured rules for models: which one a run is sent to, and which runs are rejected at creation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from threadbridge.api_types import RunObject
from threadbridge.errors import InvalidRequest
from threadbridge.ports import ParameterRejection
from threadbridge.settings import Limits, ModelOverride, SamplingPolicy
from threadbridge.translation.models.resolution import ResolvedModel, resolve_model

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
        model, catalog = self.resolve(run, now), self.catalog
        if (
            catalog is not None
            and now - catalog.fetched_at < _CATALOG_MAX_AGE
            and model.model not in catalog.shutdown_dates
        ):
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
        since = now - self._limits.refusal_seconds
        return frozenset(name for name in self._names.get(model, ()) if self._rejected_at[model, name] > since)

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

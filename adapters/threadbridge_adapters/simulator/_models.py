"""The simulator's models: shutdown dates and accepted parameters (§13, §14).

A name that is in no table (`sim-1`, a fine-tune, a future model) is accepted with every parameter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import Enum

from threadbridge.api_types import JsonObject
from threadbridge_adapters.simulator import _errors as errors


class SamplingSupport(Enum):
    """When `temperature` and `top_p` are accepted."""

    ALWAYS = "always"
    WITHOUT_REASONING = "with effort none"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class ModelTraits:
    """The parameters and response fields of one model family. An empty `efforts` means that it does not reason."""

    efforts: tuple[str, ...] = ()
    default_effort: str | None = None
    sampling: SamplingSupport = SamplingSupport.ALWAYS
    reasoning_context: str | None = None
    default_top_p: float = 1.0
    cache_retention: str = "in_memory"
    has_phase: bool = False
    names_access_programs: bool = False
    is_unknown: bool = False
    #: Models that reason in one chain of calls refuse `parallel_tool_calls` (langchain#29704, semantic-kernel#10365).
    accepts_parallel_tool_calls: bool = True
    verbosities: tuple[str, ...] = ("low", "medium", "high")


_ALL_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_OLD_EFFORTS = ("low", "medium", "high")
_CURRENT_TURN = "current_turn"
_ALL_TURNS = "all_turns"
_UNKNOWN_MODEL = ModelTraits(
    efforts=_ALL_EFFORTS, default_effort="none", reasoning_context=_CURRENT_TURN, is_unknown=True
)
_CHAT_MODEL = ModelTraits(verbosities=("medium",))
_O_MODEL = ModelTraits(
    _OLD_EFFORTS,
    "medium",
    SamplingSupport.NEVER,
    _CURRENT_TURN,
    accepts_parallel_tool_calls=False,
    verbosities=("medium",),
)
_NEW_EFFORTS = ("none", "low", "medium", "high", "xhigh")

#: By the longest prefix of the name. Defaults are from recorded responses if there are any.
TRAITS_BY_PREFIX: Mapping[str, ModelTraits] = {
    "gpt-3.5": _CHAT_MODEL,
    "gpt-4": _CHAT_MODEL,
    "chatgpt-4o": _CHAT_MODEL,
    "o1": _O_MODEL,
    "o3": _O_MODEL,
    "o4": _O_MODEL,
    "gpt-5": ModelTraits(("minimal", "low", "medium", "high"), "medium", SamplingSupport.NEVER, _CURRENT_TURN),
    "gpt-5.1": ModelTraits(_NEW_EFFORTS[:4], "none", SamplingSupport.WITHOUT_REASONING, _CURRENT_TURN),
    "gpt-5.2": ModelTraits(_NEW_EFFORTS, "none", SamplingSupport.WITHOUT_REASONING, _CURRENT_TURN, 0.98, "24h"),
    "gpt-5.4": ModelTraits(_NEW_EFFORTS, "none", SamplingSupport.WITHOUT_REASONING, _CURRENT_TURN, 0.98, "24h"),
    "gpt-5.5": ModelTraits(
        _NEW_EFFORTS, "medium", SamplingSupport.WITHOUT_REASONING, _CURRENT_TURN, 0.98, "24h", has_phase=True
    ),
    "gpt-5.6": ModelTraits(
        (*_NEW_EFFORTS, "max"), "medium", SamplingSupport.WITHOUT_REASONING, _ALL_TURNS, 0.98, "24h", has_phase=True
    ),
    "gpt-6": ModelTraits(
        (*_NEW_EFFORTS, "max"),
        "medium",
        SamplingSupport.WITHOUT_REASONING,
        _ALL_TURNS,
        0.98,
        "24h",
        has_phase=True,
        names_access_programs=True,
    ),
    "gpt-6-astra": ModelTraits(
        (*_NEW_EFFORTS[1:], "max"),
        "medium",
        SamplingSupport.NEVER,
        _ALL_TURNS,
        0.98,
        "24h",
        has_phase=True,
        names_access_programs=True,
    ),
    "gpt-6.1-sol": ModelTraits(
        (*_NEW_EFFORTS[1:], "max"),
        "medium",
        SamplingSupport.NEVER,
        _ALL_TURNS,
        0.98,
        "24h",
        has_phase=True,
        names_access_programs=True,
    ),
    "gpt-6.2": ModelTraits(
        _NEW_EFFORTS[1:],
        "medium",
        SamplingSupport.NEVER,
        _ALL_TURNS,
        0.98,
        "24h",
        has_phase=True,
        names_access_programs=True,
    ),
}

#: The last day of a model, by exact name (§14). Models with a past date are retired.
SHUTDOWN_DATES: Mapping[str, date] = {
    **dict.fromkeys(("gpt-3.5-turbo-16k", "gpt-3.5-turbo-0613", "gpt-3.5-turbo-16k-0613"), date(2024, 9, 13)),
    **dict.fromkeys(("gpt-4-vision-preview", "gpt-4-1106-vision-preview"), date(2024, 12, 6)),
    **dict.fromkeys(("gpt-4-32k", "gpt-4-32k-0613", "gpt-4-32k-0314"), date(2025, 6, 6)),
    "gpt-4.5-preview": date(2025, 7, 14),
    "o1-preview": date(2025, 7, 28),
    "o1-mini": date(2025, 10, 27),
    "chatgpt-4o-latest": date(2026, 2, 17),
    **dict.fromkeys(("gpt-4-0314", "gpt-4-0125-preview", "gpt-4-turbo-preview"), date(2026, 3, 26)),
    "gpt-3.5-turbo-1106": date(2026, 9, 28),
    **dict.fromkeys(("gpt-3.5-turbo", "gpt-3.5-turbo-0125"), date(2026, 10, 23)),
    **dict.fromkeys(
        ("gpt-4", "gpt-4-0613", "gpt-4-1106-preview", "gpt-4-turbo", "gpt-4-turbo-2024-04-09"), date(2026, 10, 23)
    ),
    "gpt-4o-2024-05-13": date(2026, 10, 23),
    **dict.fromkeys(("gpt-4.1-nano", "gpt-4.1-nano-2025-04-14"), date(2026, 10, 23)),
    **dict.fromkeys(("o1", "o1-2024-12-17", "o3-mini", "o3-mini-2025-01-31"), date(2026, 10, 23)),
    **dict.fromkeys(("o1-pro", "o4-mini", "o4-mini-2025-04-16"), date(2026, 10, 23)),
    **dict.fromkeys(("gpt-5", "gpt-5-mini", "gpt-5-nano", "gpt-5-pro", "o3", "o3-pro"), date(2026, 12, 11)),
    **dict.fromkeys(("gpt-5-2025-08-07", "gpt-5-mini-2025-08-07", "gpt-5-nano-2025-08-07"), date(2026, 12, 11)),
    **dict.fromkeys(("gpt-4o", "gpt-4o-2024-08-06", "gpt-4o-2024-11-20"), date(2027, 1, 14)),
    **dict.fromkeys(("gpt-4o-mini", "gpt-4o-mini-2024-07-18"), date(2027, 1, 14)),
    **dict.fromkeys(("gpt-4.1", "gpt-4.1-2025-04-14", "gpt-4.1-mini", "gpt-4.1-mini-2025-04-14"), date(2027, 1, 14)),
    **dict.fromkeys(("gpt-5.1", "gpt-5.1-2025-11-13", "gpt-5.4-nano", "gpt-5.4-nano-2026-03-17"), date(2027, 4, 1)),
}

#: The dated model of a short name, which responses contain (recorded).
SNAPSHOTS: Mapping[str, str] = {
    "gpt-4o": "gpt-4o-2024-08-06",
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-4.1": "gpt-4.1-2025-04-14",
    "gpt-4.1-mini": "gpt-4.1-mini-2025-04-14",
    "gpt-5": "gpt-5-2025-08-07",
    "gpt-5-mini": "gpt-5-mini-2025-08-07",
    "gpt-5-nano": "gpt-5-nano-2025-08-07",
    "gpt-5.1": "gpt-5.1-2025-11-13",
    "gpt-5.2": "gpt-5.2-2025-12-11",
    "gpt-5.4": "gpt-5.4-2026-03-05",
    "gpt-5.4-mini": "gpt-5.4-mini-2026-03-17",
    "gpt-5.4-nano": "gpt-5.4-nano-2026-03-17",
    "gpt-5.5": "gpt-5.5-2026-04-23",
}

#: Listed by `/v1/models` in addition to the models above that are not retired.
CURRENT_MODELS: tuple[str, ...] = (
    "gpt-5.6-luna",
    "gpt-5.6-sol",
    "gpt-5.6-terra",
    "gpt-6-astra",
    "gpt-6-luna",
    "gpt-6-sol",
    "gpt-6.1-sol",
    "gpt-6.1-terra",
    "gpt-6.2-astra",
    "gpt-6.2-sol",
)
_CREATED_AT = 1_700_000_000


@dataclass(frozen=True, slots=True)
class ModelTable:
    """The simulator's model table. Both mappings can be replaced for tests."""

    shutdown_dates: Mapping[str, date] = field(default_factory=lambda: SHUTDOWN_DATES)
    traits_by_prefix: Mapping[str, ModelTraits] = field(default_factory=lambda: TRAITS_BY_PREFIX)

    def get_traits(self, model: str) -> ModelTraits:
        """The traits of this model; unknown names accept every parameter."""
        known = [prefix for prefix in self.traits_by_prefix if model.startswith(prefix)]
        return self.traits_by_prefix[max(known, key=len)] if known else _UNKNOWN_MODEL

    def check_not_retired(self, model: str, now: float) -> None:
        """Raise `model_not_found` for a retired model."""
        if self._is_retired(model, now):
            raise errors.model_not_found(model)

    def list_models(self, now: float) -> list[JsonObject]:
        """The models of `/v1/models`: those with a future shutdown, the dated ones, and the current ones."""
        names = {*CURRENT_MODELS, *SNAPSHOTS, *SNAPSHOTS.values(), *self.shutdown_dates}
        dates = {name: self.shutdown_dates.get(name) for name in sorted(names) if not self._is_retired(name, now)}
        return [
            {
                "id": name,
                "object": "model",
                "created": _CREATED_AT,
                "owned_by": "system",
                "shutdown_date": last.isoformat() if last else None,
            }
            for name, last in dates.items()
        ]

    def retrieve_model(self, model: str, now: float) -> JsonObject:
        """One model. Raises the service's 404 for a retired or unknown one."""
        for entry in self.list_models(now):
            if entry["id"] == model:
                return entry
        text = f"The model '{model}' does not exist"
        raise errors.ServiceError(text, status=404, param="model", code="model_not_found")

    def _is_retired(self, model: str, now: float) -> bool:
        last = self.shutdown_dates.get(model)
        return last is not None and last <= datetime.fromtimestamp(now, UTC).date()

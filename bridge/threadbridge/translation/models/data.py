"""Facts about models, as of 2026-11-21: retirements, successors and accepted parameters (§13, §14).

Only names that are listed are known; nothing is guessed from how a name begins. `settings.ModelOverride` goes before
every row here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

#: Reasoning efforts from the least to the most (A24).
REASONING_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
#: The number of results that the legacy service gave most models (A82); the Responses API has other defaults.
DEFAULT_SEARCH_RESULTS = 20


class SamplingSupport(StrEnum):
    """When a model accepts `temperature` and `top_p`."""

    ALWAYS = "always"
    WITHOUT_REASONING = "without reasoning"  # only with effort `none`
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class ModelFamily:
    """What the models of a family accept. Without `efforts` the field itself is refused."""

    efforts: tuple[str, ...]
    sampling: SamplingSupport
    #: Results of a file search that these models get.
    search_results: int = DEFAULT_SEARCH_RESULTS

    @property
    def is_reasoning(self) -> bool:
        """Whether these models reason by default."""
        return bool(self.efforts)


_EFFORTS_FROM_NONE = ("none", "low", "medium", "high", "xhigh")
_NON_REASONING = ModelFamily((), SamplingSupport.ALWAYS)
_GPT_3_5 = replace(_NON_REASONING, search_results=5)
_O_SERIES = ModelFamily(("low", "medium", "high"), SamplingSupport.NEVER)
_GPT_5 = ModelFamily(("minimal", "low", "medium", "high"), SamplingSupport.NEVER)
_GPT_5_1 = ModelFamily(("none", "low", "medium", "high"), SamplingSupport.WITHOUT_REASONING)
_GPT_5_2 = ModelFamily(_EFFORTS_FROM_NONE, SamplingSupport.WITHOUT_REASONING)
_GPT_5_5 = ModelFamily(_EFFORTS_FROM_NONE, SamplingSupport.NEVER)
_GPT_5_6 = ModelFamily((*_EFFORTS_FROM_NONE, "max"), SamplingSupport.NEVER)  # probes were refused sampling by default
_GPT_6 = ModelFamily((*_EFFORTS_FROM_NONE, "max"), SamplingSupport.WITHOUT_REASONING)
_GPT_6_ALWAYS_REASONING = ModelFamily(("low", "medium", "high", "xhigh", "max"), SamplingSupport.NEVER)
_GPT_6_2 = ModelFamily(("low", "medium", "high", "xhigh"), SamplingSupport.NEVER)
#: Chat models of a reasoning generation: they choose the effort, so none is sent.
_CHAT_LATEST = ModelFamily((), SamplingSupport.NEVER)

#: Every model with known capabilities, by each of its names.
MODEL_FAMILIES: Mapping[str, ModelFamily] = {
    name: family
    for family, names in (
        (
            _GPT_3_5,
            "gpt-3.5-turbo gpt-3.5-turbo-0125 gpt-3.5-turbo-0301 gpt-3.5-turbo-0613 gpt-3.5-turbo-1106"
            " gpt-3.5-turbo-16k gpt-3.5-turbo-16k-0613",
        ),
        (
            _NON_REASONING,
            "gpt-4 gpt-4-0314 gpt-4-0613 gpt-4-32k gpt-4-32k-0314 gpt-4-32k-0613 gpt-4-1106-preview"
            " gpt-4-0125-preview gpt-4-turbo-preview gpt-4-vision-preview gpt-4-1106-vision-preview"
            " gpt-4-turbo gpt-4-turbo-2024-04-09 gpt-4.5-preview gpt-4.5-preview-2025-02-27"
            " gpt-4o gpt-4o-2024-05-13 gpt-4o-2024-08-06 gpt-4o-2024-11-20 chatgpt-4o-latest"
            " gpt-4o-mini gpt-4o-mini-2024-07-18"
            " gpt-4.1 gpt-4.1-2025-04-14 gpt-4.1-mini gpt-4.1-mini-2025-04-14 gpt-4.1-nano gpt-4.1-nano-2025-04-14",
        ),
        (
            _O_SERIES,
            "o1 o1-2024-12-17 o1-preview o1-preview-2024-09-12 o1-mini o1-mini-2024-09-12 o1-pro o1-pro-2025-03-19"
            " o3 o3-2025-04-16 o3-pro o3-pro-2025-06-10 o3-mini o3-mini-2025-01-31 o4-mini o4-mini-2025-04-16",
        ),
        (
            _GPT_5,
            "gpt-5 gpt-5-2025-08-07 gpt-5-mini gpt-5-mini-2025-08-07 gpt-5-nano gpt-5-nano-2025-08-07"
            " gpt-5-pro gpt-5-pro-2025-10-06",
        ),
        (_GPT_5_1, "gpt-5.1 gpt-5.1-2025-11-13"),
        (_CHAT_LATEST, "gpt-5.1-chat-latest"),
        (
            _GPT_5_2,
            "gpt-5.2 gpt-5.2-2025-12-11 gpt-5.4 gpt-5.4-2026-03-05 gpt-5.4-mini gpt-5.4-nano gpt-5.4-nano-2026-03-17",
        ),
        (_GPT_5_5, "gpt-5.5 gpt-5.5-2026-04-23"),
        (_GPT_5_6, "gpt-5.6 gpt-5.6-sol gpt-5.6-terra gpt-5.6-luna"),
        (_GPT_6, "gpt-6-luna gpt-6-sol gpt-6.1-terra"),
        (_GPT_6_ALWAYS_REASONING, "gpt-6-astra gpt-6.1-sol"),
        (_GPT_6_2, "gpt-6.2-astra gpt-6.2-sol"),
    )
    for name in names.split()
}


@dataclass(frozen=True, slots=True)
class Retirement:
    """The model ends on `shutdown_date`; `successor` replaces it where one is known."""

    shutdown_date: date
    successor: str | None


#: The deprecations page as it stood in October 2026, and in July where October is silent (§14).
RETIREMENTS: Mapping[str, Retirement] = {
    name: Retirement(date.fromisoformat(day), successor)
    for day, successor, names in (
        ("2024-06-13", "gpt-3.5-turbo", "gpt-3.5-turbo-0301"),
        ("2024-09-13", "gpt-3.5-turbo", "gpt-3.5-turbo-16k gpt-3.5-turbo-0613 gpt-3.5-turbo-16k-0613"),
        ("2024-12-06", "gpt-4o", "gpt-4-vision-preview gpt-4-1106-vision-preview"),
        ("2025-06-06", "gpt-4o", "gpt-4-32k gpt-4-32k-0314 gpt-4-32k-0613"),
        ("2025-07-14", "gpt-4.1", "gpt-4.5-preview gpt-4.5-preview-2025-02-27"),
        ("2025-07-28", "o3", "o1-preview o1-preview-2024-09-12"),
        ("2025-10-27", "o4-mini", "o1-mini o1-mini-2024-09-12"),
        ("2026-02-17", "gpt-5.1-chat-latest", "chatgpt-4o-latest"),
        # The page names gpt-5 or gpt-4.1; the latter behaves more like what the assistant was written for.
        ("2026-03-26", "gpt-4.1", "gpt-4-0314 gpt-4-0125-preview gpt-4-turbo-preview"),
        ("2026-09-28", "gpt-5.4-mini", "gpt-3.5-turbo-1106"),
        ("2026-10-23", "gpt-5.6-terra", "gpt-3.5-turbo gpt-3.5-turbo-0125 o4-mini o4-mini-2025-04-16"),
        (
            "2026-10-23",
            "gpt-5.6-sol",
            "gpt-4 gpt-4-0613 gpt-4-1106-preview gpt-4-turbo gpt-4-turbo-2024-04-09 gpt-4o-2024-05-13"
            " o1 o1-2024-12-17 o3-mini o3-mini-2025-01-31 o1-pro o1-pro-2025-03-19",
        ),
        ("2026-10-23", "gpt-5.6-luna", "gpt-4.1-nano gpt-4.1-nano-2025-04-14"),
        (
            "2026-12-11",
            "gpt-5.6-sol",
            "gpt-5 gpt-5-2025-08-07 gpt-5-pro gpt-5-pro-2025-10-06 o3 o3-2025-04-16 o3-pro o3-pro-2025-06-10",
        ),
        ("2026-12-11", "gpt-5.4-mini", "gpt-5-mini gpt-5-mini-2025-08-07"),
        ("2026-12-11", "gpt-5.4-nano", "gpt-5-nano gpt-5-nano-2025-08-07"),
        (
            "2027-01-14",
            "gpt-6-luna",
            "gpt-4o gpt-4o-2024-08-06 gpt-4o-2024-11-20 gpt-4o-mini gpt-4o-mini-2024-07-18"
            " gpt-4.1 gpt-4.1-2025-04-14 gpt-4.1-mini gpt-4.1-mini-2025-04-14",
        ),
        ("2027-04-01", None, "gpt-5.1 gpt-5.1-2025-11-13 gpt-5.4-nano gpt-5.4-nano-2026-03-17"),
    )
    for name in names.split()
}


#: The whole window of a legacy model in tokens, prompt and answer together, by each of its names.
CONTEXT_WINDOWS: Mapping[str, int] = {
    name: window
    for window, names in (
        (4_096, "gpt-3.5-turbo-0301 gpt-3.5-turbo-0613"),
        (
            16_385,
            "gpt-3.5-turbo gpt-3.5-turbo-0125 gpt-3.5-turbo-1106 gpt-3.5-turbo-16k gpt-3.5-turbo-16k-0613",
        ),
        (8_192, "gpt-4 gpt-4-0314 gpt-4-0613"),
        (32_768, "gpt-4-32k gpt-4-32k-0314 gpt-4-32k-0613"),
        (
            128_000,
            "gpt-4-1106-preview gpt-4-0125-preview gpt-4-turbo-preview gpt-4-vision-preview gpt-4-1106-vision-preview"
            " gpt-4-turbo gpt-4-turbo-2024-04-09 gpt-4.5-preview gpt-4.5-preview-2025-02-27"
            " gpt-4o gpt-4o-2024-05-13 gpt-4o-2024-08-06 gpt-4o-2024-11-20 chatgpt-4o-latest"
            " gpt-4o-mini gpt-4o-mini-2024-07-18"
            " o1-preview o1-preview-2024-09-12 o1-mini o1-mini-2024-09-12 gpt-5.1-chat-latest",
        ),
        (
            200_000,
            "o1 o1-2024-12-17 o1-pro o1-pro-2025-03-19 o3 o3-2025-04-16 o3-pro o3-pro-2025-06-10"
            " o3-mini o3-mini-2025-01-31 o4-mini o4-mini-2025-04-16",
        ),
        (
            400_000,
            "gpt-5 gpt-5-2025-08-07 gpt-5-mini gpt-5-mini-2025-08-07 gpt-5-nano gpt-5-nano-2025-08-07"
            " gpt-5-pro gpt-5-pro-2025-10-06 gpt-5.1 gpt-5.1-2025-11-13 gpt-5.2 gpt-5.2-2025-12-11"
            " gpt-5.4-mini gpt-5.4-nano gpt-5.4-nano-2026-03-17",
        ),
        (
            1_047_576,
            "gpt-4.1 gpt-4.1-2025-04-14 gpt-4.1-mini gpt-4.1-mini-2025-04-14 gpt-4.1-nano gpt-4.1-nano-2025-04-14",
        ),
        (
            1_050_000,
            "gpt-5.4 gpt-5.4-2026-03-05 gpt-5.5 gpt-5.5-2026-04-23 gpt-5.6 gpt-5.6-sol gpt-5.6-terra gpt-5.6-luna"
            " gpt-6-luna gpt-6-sol gpt-6-astra gpt-6.1-terra gpt-6.1-sol gpt-6.2-astra gpt-6.2-sol",
        ),
    )
    for name in names.split()
}

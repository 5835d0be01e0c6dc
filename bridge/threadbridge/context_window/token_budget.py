"""Token budgets for history: the context window of the model, and the rest of the run's own budget (A80)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from threadbridge.context_window.token_counts import estimate_tokens
from threadbridge.ports import TokenCounter, Wire
from threadbridge.settings import ModelOverride, TruncationSettings
from threadbridge.translation.models.data import CONTEXT_WINDOWS
from threadbridge.translation.models.resolution import get_base_model


@dataclass(frozen=True, slots=True)
class HistoryRules:
    """The configured rules for counting and truncating history."""

    truncation: TruncationSettings = field(default_factory=TruncationSettings)
    models: Mapping[str, ModelOverride] = field(default_factory=dict[str, ModelOverride])
    per_assistant: Mapping[str, ModelOverride] = field(default_factory=dict[str, ModelOverride])
    count_tokens: TokenCounter = estimate_tokens


class TokenBudget(NamedTuple):
    """The limit of a prompt in tokens, and its source: the model's window or the run's `max_prompt_tokens`."""

    tokens: int
    source: Literal["context", "max_prompt_tokens"]


def compute_context_budget(run: Wire, rules: HistoryRules) -> int:
    """The tokens of one prompt: as configured, otherwise what the requested model's window leaves.

    A window holds prompt and answer. At most a quarter of the window is reserved for the answer.
    """
    for override in (rules.per_assistant.get(run["assistant_id"]), rules.models.get(run["model"])):
        if override is not None and override.context_tokens is not None:
            return override.context_tokens
    if rules.truncation.context_tokens is not None:
        return rules.truncation.context_tokens
    window = CONTEXT_WINDOWS.get(get_base_model(run["model"]), rules.truncation.unknown_model_window)
    return window - min(rules.truncation.answer_tokens, window // 4)


def compute_run_budget(run: Wire, prior_usage: Wire | None) -> TokenBudget | None:
    """What the run's earlier turns left of its `max_prompt_tokens`, a limit for the whole run; None without a limit."""
    total: int | None = run["max_prompt_tokens"]
    if total is None:
        return None
    spent: int = prior_usage["prompt_tokens"] if prior_usage is not None else 0
    return TokenBudget(total - spent, "max_prompt_tokens")


def compute_prompt_budget(run: Wire, prior_usage: Wire | None, rules: HistoryRules) -> TokenBudget:
    """The budget of the next request: the smaller of the model's window and the run's own budget."""
    context = TokenBudget(compute_context_budget(run, rules), "context")
    own = compute_run_budget(run, prior_usage)
    return own if own is not None and own.tokens < context.tokens else context

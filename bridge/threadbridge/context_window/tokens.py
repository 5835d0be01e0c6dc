"""Token counts of timeline entries, and the token budgets of prompts (A80).

Every entry is counted once, when it is stored or first read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, NamedTuple, TypeAlias

import orjson

from threadbridge.api_types import JsonMapping, RunObject, UsageObject, is_json_object
from threadbridge.ports import Entry, EntryRole, TokenCount, TokenCounter
from threadbridge.settings import ModelOverride, TruncationSettings
from threadbridge.translation.models.data import CONTEXT_WINDOWS
from threadbridge.translation.models.resolution import get_base_model

#: Tokens around a message or an item in the model's own format.
_OVERHEAD_TOKENS = 4
#: Tokens of an image by its detail, as the vision guide charges a square of 1024 pixels.
_LOW_IMAGE_TOKENS = 85
_LARGE_IMAGE_TOKENS = 765
#: Encrypted content is base64 of unreadable text: about four letters a token, a third of it padding.
_ENCRYPTED_BYTES_PER_TOKEN = 5

#: Size of the cache of counts for instructions and functions, which every turn of every run starts with.
_COUNT_CACHE_SIZE = 64

_ITEM_ROLES: Mapping[object, EntryRole] = {
    "message": EntryRole.ASSISTANT,
    "function_call": EntryRole.FUNCTION_CALL,
    "function_call_output": EntryRole.FUNCTION_CALL,
    "compaction": EntryRole.COMPACTION,
}

#: The texts of items that have no other long values.
_ITEM_TEXTS: Mapping[object, str] = {"function_call": "arguments", "function_call_output": "output"}

#: What limits a prompt: the model's context window, or the run's `max_prompt_tokens`.
BudgetSource: TypeAlias = Literal["context", "max_prompt_tokens"]


def estimate_tokens(text: str) -> int:
    """The estimate if no tokenizer is installed: four bytes a token, which overestimates rather than underestimates."""
    return -(-count_bytes(text) // 4)


def count_bytes(text: str) -> int:
    """An upper bound of the tokens: every token stands for a byte at least."""
    return len(text.encode("utf-8", "surrogatepass"))


def add_token_counts(entries: Iterable[Entry], count: TokenCounter) -> Sequence[Entry]:
    """The entries with their token counts, ready to be stored."""
    return [Entry(entry.message, entry.item, entry.run_id, count_entry_tokens(entry, count)) for entry in entries]


def list_texts(entry: Entry) -> Sequence[str]:
    """The long texts of an entry: of a message its parts, of an item its arguments, its output or all of it."""
    if entry.message is not None:
        parts: Iterable[object] = entry.message.get("content") or ()
        return [text for part in parts if (text := _get_text(part)) is not None]
    item: JsonMapping = entry.item or {}
    kind, text = item.get("type"), item.get(_ITEM_TEXTS.get(item.get("type"), ""))
    if kind in _ITEM_TEXTS and isinstance(text, str):
        return [text]
    return [] if isinstance(item.get("encrypted_content"), str) else [orjson.dumps(item).decode()]


def _get_text(part: object) -> str | None:
    """The text of a content part."""
    if not is_json_object(part):
        return None
    kind = part.get("type")
    value = part.get(kind) if isinstance(kind, str) else None
    if kind == "text" and is_json_object(value):
        value = value.get("value")
    elif kind != "refusal":
        return None
    return value if isinstance(value, str) else None


def count_entry_tokens(entry: Entry, count: TokenCounter) -> TokenCount:
    """The role of an entry, and about how many tokens the model counts for it."""
    if entry.message is not None:
        message: JsonMapping = entry.message
        role = EntryRole.USER if message.get("role") == "user" else EntryRole.ASSISTANT
        tokens = sum(_count_part(part, count) for part in message.get("content") or ())
        return TokenCount(role, _OVERHEAD_TOKENS + tokens)
    item: JsonMapping = entry.item or {}
    kind, output, encrypted = item.get("type"), item.get("output"), item.get("encrypted_content")
    if kind == "function_call":
        tokens = count(f"{item.get('name') or ''}{item.get('arguments') or ''}")
    elif kind == "function_call_output" and isinstance(output, str):
        tokens = count(output)
    elif isinstance(encrypted, str):
        tokens = len(encrypted) // _ENCRYPTED_BYTES_PER_TOKEN
    else:
        tokens = count(orjson.dumps(item).decode())
    return TokenCount(_ITEM_ROLES.get(kind, EntryRole.WITHIN_RUN), _OVERHEAD_TOKENS + tokens)


def _count_part(part: object, count: TokenCounter) -> int:
    """The tokens of a content part; none for a part that is not sent."""
    text = _get_text(part)
    if text is not None:
        return count(text)
    if is_json_object(part) and (kind := part.get("type")) in ("image_url", "image_file"):
        value = part.get(str(kind))
        detail = value.get("detail") if is_json_object(value) else None
        return _LOW_IMAGE_TOKENS if detail == "low" else _LARGE_IMAGE_TOKENS
    return 0


def count_instructions_and_tools(run: RunObject, count: TokenCounter) -> int:
    """The tokens of the run's instructions and functions, which start every request."""
    functions = [tool["function"] for tool in run["tools"] if tool["type"] == "function"]
    tokens = _count_cached(count, run["instructions"]) if run["instructions"] else 0
    return tokens + (_count_cached(count, orjson.dumps(functions).decode()) if functions else 0)


@lru_cache(maxsize=_COUNT_CACHE_SIZE)
def _count_cached(count: TokenCounter, text: str) -> int:
    return count(text)


# -- Budgets -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HistoryRules:
    """The configured rules for counting and truncating history."""

    truncation: TruncationSettings = field(default_factory=TruncationSettings)
    models: Mapping[str, ModelOverride] = field(default_factory=dict[str, ModelOverride])
    per_assistant: Mapping[str, ModelOverride] = field(default_factory=dict[str, ModelOverride])
    count_tokens: TokenCounter = estimate_tokens
    #: Whether `count_tokens` counts at once. A tokenizer takes most of a second of CPU time to load.
    is_tokenizer_loaded: Callable[[], bool] = lambda: True


class TokenBudget(NamedTuple):
    """The limit of a prompt in tokens, and its source."""

    tokens: int
    source: BudgetSource


def compute_context_budget(run: RunObject, rules: HistoryRules) -> int:
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


def compute_run_budget(run: RunObject, prior_usage: UsageObject | None) -> TokenBudget | None:
    """The rest of the run's `max_prompt_tokens`, a limit for all of its turns together; None without a limit."""
    total = run["max_prompt_tokens"]
    if total is None:
        return None
    spent = prior_usage["prompt_tokens"] if prior_usage is not None else 0
    return TokenBudget(total - spent, "max_prompt_tokens")


def compute_prompt_budget(run: RunObject, prior_usage: UsageObject | None, rules: HistoryRules) -> TokenBudget:
    """The budget of the next request: the smaller of the model's window and the run's own budget."""
    context = TokenBudget(compute_context_budget(run, rules), "context")
    own = compute_run_budget(run, prior_usage)
    return own if own is not None and own.tokens < context.tokens else context

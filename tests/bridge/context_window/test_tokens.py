from __future__ import annotations

from typing import Any

import pytest

from tests.bridge.translation.upstream_events import RUN
from threadbridge.context_window.tokens import (
    HistoryRules,
    TokenBudget,
    add_token_counts,
    compute_context_budget,
    compute_prompt_budget,
    compute_run_budget,
    count_entry_tokens,
    count_instructions_and_tools,
    estimate_tokens,
)
from threadbridge.ports import Entry, EntryRole
from threadbridge.settings import ModelOverride, TruncationSettings
from threadbridge.translation.models.data import CONTEXT_WINDOWS, MODEL_FAMILIES

FRAME = 4


def text(value: str) -> Any:
    return {"type": "text", "text": {"value": value, "annotations": []}}


def wrote(role: str, *parts: Any) -> Entry:
    message: Any = {"id": "msg_1", "role": role, "content": list(parts)}
    return Entry(message=message)


@pytest.mark.parametrize(
    ("entry", "sort", "tokens"),
    [
        (wrote("user", text("hello"), text("you")), EntryRole.USER, 8),
        (wrote("assistant", text("hello")), EntryRole.ASSISTANT, 5),
        (wrote("assistant", {"type": "refusal", "refusal": "no"}), EntryRole.ASSISTANT, 2),
        (wrote("user", {"type": "image_url", "image_url": {"url": "u", "detail": "low"}}), EntryRole.USER, 85),
        (wrote("user", {"type": "image_file", "image_file": {"file_id": "f", "detail": "auto"}}), EntryRole.USER, 765),
        (wrote("user"), EntryRole.USER, 0),
        (
            Entry(item={"type": "function_call", "name": "look", "call_id": "c", "arguments": "{}"}),
            EntryRole.FUNCTION_CALL,
            6,
        ),
        (Entry(item={"type": "function_call_output", "call_id": "c", "output": "sunny"}), EntryRole.FUNCTION_CALL, 5),
        (Entry(item={"type": "reasoning", "summary": [], "encrypted_content": "x" * 50}), EntryRole.WITHIN_RUN, 10),
        (Entry(item={"type": "compaction", "encrypted_content": "x" * 50}), EntryRole.COMPACTION, 10),
    ],
)
def test_an_entry_weighs_its_words_and_a_frame(entry: Entry, sort: EntryRole, tokens: int) -> None:
    assert count_entry_tokens(entry, len) == (sort, FRAME + tokens)


def test_an_item_nobody_knows_weighs_all_of_itself() -> None:
    item: Any = {"type": "web_search_call", "query": "x"}

    assert count_entry_tokens(Entry(item=item), lambda words: 1000 if "web_search_call" in words else 0).tokens > 1000


def test_weighed_entries_are_the_same_with_a_weight() -> None:
    entry = wrote("user", text("hello"))

    (after,) = add_token_counts([entry], len)

    assert (after, after.token_count) == (entry, (EntryRole.USER, 9))


@pytest.mark.parametrize(("words", "tokens"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("\U0001f600", 1)])
def test_the_estimate_is_a_token_for_every_four_bytes_begun(words: str, tokens: int) -> None:
    assert estimate_tokens(words) == tokens


def test_half_a_surrogate_pair_has_an_estimate() -> None:
    assert estimate_tokens("\ud83d") == 1


def test_every_request_begins_with_instructions_and_functions() -> None:
    look: dict[str, Any] = {"type": "function", "function": {"name": "look"}}

    plain = count_instructions_and_tools(run(instructions="Be brief.", tools=[{"type": "file_search"}]), len)
    with_function = count_instructions_and_tools(run(instructions=None, tools=[look]), len)

    assert (plain, with_function) == (9, len('[{"name":"look"}]'))


def test_what_every_request_begins_with_is_counted_once() -> None:
    counted: list[str] = []

    def count(text: str) -> int:
        counted.append(text)
        return len(text)

    tokens = [count_instructions_and_tools(run(instructions="Be brief."), count) for _ in range(3)]

    assert (tokens, counted) == ([9, 9, 9], ["Be brief."])


RULES = HistoryRules()


def run(**fields: Any) -> Any:
    return {**RUN, "model": "gpt-4o", **fields}


@pytest.mark.parametrize(
    ("model", "tokens"),
    [
        ("gpt-4o", 128_000 - 4096),
        ("gpt-4", 8_192 - 2048),  # an answer never takes more than a quarter of the window
        ("ft:gpt-4o-mini-2024-07-18:acme::x", 128_000 - 4096),
        ("a-model-nobody-knows", 128_000 - 4096),
    ],
)
def test_the_budget_is_what_the_original_models_window_leaves(model: str, tokens: int) -> None:
    assert compute_context_budget(run(model=model), RULES) == tokens


def test_the_window_of_every_known_model_is_known() -> None:
    assert CONTEXT_WINDOWS.keys() == MODEL_FAMILIES.keys()


def test_the_narrowest_configuration_wins() -> None:
    truncation = TruncationSettings(context_tokens=3)
    models = {"gpt-4o": ModelOverride(model="gpt-4o", context_tokens=2)}
    own = {RUN["assistant_id"]: ModelOverride(model="gpt-4o", context_tokens=1)}

    everywhere = HistoryRules(truncation)
    of_model = HistoryRules(truncation, models)
    of_assistant = HistoryRules(truncation, models, own)

    assert [compute_context_budget(run(), rules) for rules in (everywhere, of_model, of_assistant)] == [3, 2, 1]


def test_a_runs_own_budget_is_for_all_its_turns() -> None:
    spent: Any = {"prompt_tokens": 70, "completion_tokens": 5}

    assert compute_run_budget(run(max_prompt_tokens=None), spent) is None
    assert compute_run_budget(run(max_prompt_tokens=100), None) == TokenBudget(100, "max_prompt_tokens")
    assert compute_run_budget(run(max_prompt_tokens=100), spent) == TokenBudget(30, "max_prompt_tokens")


def test_the_tighter_of_window_and_own_budget_bounds_a_prompt() -> None:
    tight = compute_prompt_budget(run(max_prompt_tokens=100), None, RULES)
    wide = compute_prompt_budget(run(max_prompt_tokens=10**9), None, RULES)

    assert (tight.source, wide.source) == ("max_prompt_tokens", "context")

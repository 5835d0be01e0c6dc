"""What the doctor finds in settings and store that goes wrong without an error."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest

from threadbridge.api_types import JsonObject
from threadbridge.doctor.config_lint import LintWarning, lint_settings, lint_store
from threadbridge.ports import ObjectKind, UpstreamCapabilities
from threadbridge.settings import Settings
from threadbridge.translation.models.resolution import ModelCatalog, ModelPolicy
from threadbridge.translation.provider_profiles import PROFILES
from threadbridge_adapters.stores import open_store

TODAY = date(2026, 11, 25)
SEARCH: JsonObject = {"type": "file_search"}
STORES: JsonObject = {"file_search": {"vector_store_ids": ["vs_1"]}}


def assistant(id_: str = "asst_1", **fields: Any) -> JsonObject:
    usual: JsonObject = {"model": "gpt-6-luna", "instructions": None, "tools": [], "tool_resources": {}, "metadata": {}}
    return {"id": id_, "object": "assistant", "created_at": 1, **usual, **fields}


def thread(id_: str = "thread_1", **fields: Any) -> JsonObject:
    return {"id": id_, "object": "thread", "created_at": 1, "tool_resources": {}, "metadata": {}, **fields}


def run(id_: str = "run_1", **fields: Any) -> JsonObject:
    usual: JsonObject = {"thread_id": "thread_1", "assistant_id": "asst_1", "status": "completed", "tools": []}
    return {"id": id_, "object": "thread.run", "created_at": 1, "instructions": None, **usual, **fields}


BOUNDED = Settings.model_validate({"truncation": {"context_tokens": 10_000}})
_KINDS = {"assistant": ObjectKind.ASSISTANT, "thread": ObjectKind.THREAD, "thread.run": ObjectKind.RUN}


async def found(
    *objects: JsonObject,
    settings: Settings = BOUNDED,
    profile: UpstreamCapabilities = PROFILES["openai"],
    catalog: ModelCatalog | None = None,
    today: date = TODAY,
    openai_models: bool = True,
) -> Sequence[LintWarning]:
    store = await open_store(":memory:")
    models = ModelPolicy(settings.models, catalog=catalog, openai_models=openai_models)
    try:
        for each in objects:
            await store.write(lambda session, each=each: session.add(_KINDS[each["object"]], each), tenant="t")  # type: ignore[misc]
        return await store.read(lambda session: lint_store(session, settings, models, profile, today), tenant="t")
    finally:
        await store.aclose()


async def test_a_store_without_traps_has_none() -> None:
    ours = assistant(tools=[SEARCH], instructions="Be brief.", tool_resources=STORES)

    assert await found(ours, thread(tool_resources=STORES), run(tools=[SEARCH], instructions="Be brief. Now.")) == []


async def test_models_of_another_service_are_not_taken_for_those_that_end_at_openai() -> None:
    mapped = Settings.model_validate(
        {"truncation": {"context_tokens": 10_000}, "models": {"gpt-4": {"model": "gpt-4-0613"}}}
    )
    models = ModelPolicy(mapped.models, openai_models=False)

    assert await found(assistant(model="gpt-4"), openai_models=False) == []
    assert lint_settings(mapped, models, PROFILES["azure"], TODAY) == []


async def test_pinned_models_are_told_with_their_days_those_that_end_first_on_top() -> None:
    pinned = [
        assistant("asst_1", model="gpt-4o"),
        assistant("asst_2", model="gpt-4"),
        assistant("asst_3", model="gpt-4"),
    ]

    traps = await found(*pinned)

    assert [trap.message for trap in traps] == [
        "2 assistants are pinned to gpt-4, which ended on 2026-10-23: gpt-5.6-sol is requested instead, without "
        'temperature, top_p. Set `models."gpt-4".model` and test it.',
        "1 assistant is pinned to gpt-4o, which ends on 2027-01-14: gpt-6-luna is requested from then on. "
        'Set `models."gpt-4o".model` and test it.',
    ]


async def test_a_fine_tune_ends_with_its_model_and_the_service_knows_best() -> None:
    tuned = await found(assistant(model="ft:gpt-4o-2024-08-06:acme::1"))
    told = await found(assistant(model="new"), catalog=ModelCatalog(0.0, {"new": date(2027, 5, 1)}))

    assert "which ends on 2027-01-14" in tuned[0].message
    assert "which ends on 2027-05-01: no successor is known." in told[0].message


async def test_models_the_service_does_not_have_are_told() -> None:
    lives = ModelCatalog(0.0, {"llama3": None})
    pinned = [
        assistant("asst_1", model="llama3"),
        assistant("asst_2", model="mine"),
        assistant("asst_3", model="gpt-4"),
    ]

    traps = await found(*pinned, catalog=lives)

    assert [trap.message for trap in traps[1:]] == [
        "The runs of 1 assistant request gpt-5.6-sol (for gpt-4), which the service does not list: they fail unless it "
        'accepts any name. Set `models."gpt-4".model` to one that it lists.',
        "The runs of 1 assistant request mine, which the service does not list: they fail unless it accepts any name. "
        'Set `models."mine".model` to one that it lists.',
    ]


@pytest.mark.parametrize(
    "choice", [{"per_assistant": {"asst_1": {"model": "gpt-6-sol"}}}, {"models": {"gpt-4": {"model": "gpt-6-sol"}}}]
)
async def test_where_a_model_was_chosen_nothing_is_pinned(choice: JsonObject) -> None:
    chosen = Settings.model_validate({**choice, "truncation": {"context_tokens": 10_000}})

    assert await found(assistant(model="gpt-4"), settings=chosen) == []


async def test_files_that_no_tool_looks_into_are_told() -> None:
    holders = [assistant(tool_resources=STORES), *(thread(f"thread_{n}", tool_resources=STORES) for n in range(1, 5))]
    runs = [run(f"run_{n}", thread_id=f"thread_{n}") for n in range(1, 5)]

    [trap] = await found(*holders, *runs)

    assert trap.kind == "unsearched"
    assert trap.message.startswith(
        "No tool reads the vector_store_ids of asst_1, thread_4, thread_3 and 2 more: file_search is not among"
    )


async def test_files_of_a_tool_the_service_lacks_are_told() -> None:
    holder = assistant(tools=[SEARCH], tool_resources=STORES)

    [trap] = await found(holder, profile=PROFILES["vllm"])

    assert trap.message == ("No tool reads the vector_store_ids of asst_1: the service does not support file_search.")


async def test_a_thread_without_runs_is_not_judged() -> None:
    assert await found(thread(tool_resources=STORES)) == []


async def test_instructions_that_a_run_replaced_are_told() -> None:
    ours = assistant(instructions="Be brief.")
    runs = [run("run_1", instructions="Be long."), run("run_2", instructions="Be brief.\nNow.")]

    [trap] = await found(ours, *runs)

    assert trap.kind == "instructions"
    assert trap.message.startswith("1 run of asst_1 did not use its instructions")
    assert "send `additional_instructions`" in trap.message


@pytest.mark.parametrize(("today", "word"), [(date(2026, 11, 29), "end"), (date(2026, 11, 30), "ended")])
async def test_prompts_that_end_are_told(today: date, word: str) -> None:
    [trap] = await found(assistant(metadata={"prompt": "pmpt_68a1"}), today=today)

    assert trap.message == (
        f"asst_1 names pmpt_68a1: OpenAI's prompts {word} on 2026-11-30. Put the text into the assistant's "
        "instructions."
    )


async def test_models_whose_threads_are_hardly_ever_cut_are_told() -> None:
    pinned = [
        assistant("asst_1", model="gpt-6-luna"),
        assistant("asst_2", model="ours"),
        assistant("asst_3", model="o"),
    ]
    bounded = Settings.model_validate({"models": {"o": {"context_tokens": 8_000}}})

    traps = await found(*pinned, settings=bounded)

    assert [(trap.kind, trap.message.partition(":")[0]) for trap in traps] == [
        ("truncation", "The window of ours is unknown, so 128,000 tokens are assumed"),
        ("truncation", "The window of gpt-6-luna is 1,050,000 tokens, so threads are rarely truncated"),
    ]


async def test_only_so_many_objects_are_looked_at() -> None:
    few = Settings.model_validate({"doctor": {"objects": 1}, "truncation": {"context_tokens": 10_000}})

    assert await found(assistant("asst_1", model="gpt-4"), assistant("asst_2"), settings=few) == []


def test_settings_alone_can_be_traps() -> None:
    settings = Settings.model_validate(
        {
            "models": {"gpt-4": {"model": "gpt-4o"}, "mine": {"context_tokens": 2_000_000}},
            "per_assistant": {"asst_1": {"model": "gpt-4"}},
            "truncation": {"context_tokens": 1_000_000},
        }
    )

    assert [trap.message for trap in lint_settings(settings, ModelPolicy(), PROFILES["openai"], TODAY)] == [
        '`models."gpt-4".model` is gpt-4o, which ends on 2027-01-14; choose another.',
        "`per_assistant.asst_1.model` is gpt-4, which ended on 2026-10-23; choose another.",
        "`truncation.context_tokens` is 1,000,000: threads are rarely truncated.",
        '`models."mine".context_tokens` is 2,000,000: threads are rarely truncated.',
    ]


def test_what_is_asked_of_a_service_that_keeps_nothing_is_told() -> None:
    settings = Settings.model_validate({"history": "chained", "truncation": {"auto": "compact"}})

    kept = lint_settings(settings, ModelPolicy(), PROFILES["openai"], TODAY)
    lost = lint_settings(settings, ModelPolicy(), PROFILES["vllm"], TODAY)

    assert kept == []
    assert [trap.kind for trap in lost] == ["history", "history"]
    assert "history = 'chained' falls back to 'local'" in lost[0].message
    assert "does not support compaction" in lost[1].message

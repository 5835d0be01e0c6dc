from __future__ import annotations

from datetime import date

import pytest

from threadbridge.settings import ModelOverride
from threadbridge.translation.models.data import MODEL_FAMILIES, REASONING_EFFORTS, RETIREMENTS
from threadbridge.translation.models.resolution import ResolvedModel, resolve_model

TODAY = date(2026, 11, 21)


def resolved(name: str, *, effort: str | None = None, today: date = TODAY) -> ResolvedModel:
    return resolve_model(name, requested_effort=effort, today=today, overrides={})


def test_a_living_model_is_asked_itself() -> None:
    assert resolved("gpt-4o") == ResolvedModel("gpt-4o", "gpt-4o")


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("gpt-4", "gpt-5.6-sol"),
        ("gpt-4-turbo-2024-04-09", "gpt-5.6-sol"),
        ("gpt-3.5-turbo", "gpt-5.6-terra"),
        ("gpt-3.5-turbo-16k", "gpt-5.6-terra"),
        ("gpt-4.1-nano", "gpt-5.6-luna"),
        ("gpt-4-32k", "gpt-4o"),
        ("gpt-4-0125-preview", "gpt-4.1"),
        ("gpt-4o-2024-05-13", "gpt-5.6-sol"),
        ("gpt-3.5-turbo-1106", "gpt-5.4-mini"),
    ],
)
def test_a_retired_model_is_followed_by_one_that_is_told_not_to_reason_where_it_can(name: str, model: str) -> None:
    answer = resolved(name)

    assert (answer.requested, answer.model) == (name, model)
    assert answer.reasoning_effort == {"gpt-4o": None, "gpt-4.1": None}.get(model, "none")
    assert not answer.is_reasoning
    assert answer.warnings == (f"The model {name} is retired, so {model} is used instead.",)


@pytest.mark.parametrize("name", ["gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4-32k", "gpt-4.5-preview"])
def test_the_last_models_without_reasoning_end_at_luna(name: str) -> None:
    answer = resolved(name, today=date(2027, 1, 14))

    assert (answer.model, answer.reasoning_effort) == ("gpt-6-luna", "none")
    assert answer.accepts_sampling
    assert not answer.is_reasoning


def test_a_model_is_alive_until_the_day_it_retires() -> None:
    assert resolved("gpt-4o", today=date(2027, 1, 13)).model == "gpt-4o"


def test_a_reasoning_models_successor_reasons_as_much_as_it_likes() -> None:
    answer = resolved("o1")

    assert (answer.model, answer.reasoning_effort, answer.is_reasoning) == ("gpt-5.6-sol", None, True)


def test_a_retired_models_successor_is_looked_up_again() -> None:
    assert resolved("o1-mini").model == "gpt-5.6-terra"
    assert resolved("o1-preview").model == "o3"
    assert resolved("o1-preview", today=date(2026, 12, 11)).model == "gpt-5.6-sol"


def test_a_model_retired_without_known_successor_is_asked_with_a_warning() -> None:
    answer = resolved("gpt-5.1", today=date(2027, 4, 1))

    assert answer.model == "gpt-5.1"
    assert answer.warnings == ("The model gpt-5.1 was retired on 2027-04-01 and no successor is known.",)


@pytest.mark.parametrize("name", ["my-deployment", "llama-3", "gpt-4o-2031-01-01", "gpt-4o-audio-preview"])
def test_a_name_nobody_knows_passes_untouched(name: str) -> None:
    assert resolved(name, effort="minimal") == ResolvedModel(
        name, name, "minimal", accepts_sampling=True, is_reasoning=True
    )
    assert resolved(name) == ResolvedModel(name, name)


@pytest.mark.parametrize(
    ("name", "effort", "sent"),
    [
        ("o3", "high", "high"),
        ("o3", "minimal", "low"),
        ("o3", "max", "high"),
        ("gpt-5", "none", "minimal"),
        ("gpt-6-luna", "minimal", "low"),
        ("gpt-6-luna", "none", "none"),
        ("gpt-6.2-sol", "none", "low"),
        ("gpt-6.2-sol", "max", "xhigh"),
        ("gpt-4", "high", "high"),
        ("o3", "a new word", "a new word"),
    ],
)
def test_an_effort_the_model_refuses_becomes_the_nearest_it_accepts(name: str, effort: str, sent: str) -> None:
    answer = resolved(name, effort=effort)

    assert answer.reasoning_effort == sent
    assert any("reasoning_effort" in warning for warning in answer.warnings) == (effort != sent)


def test_an_effort_is_not_sent_to_a_model_that_does_not_know_the_field() -> None:
    answer = resolved("gpt-4o", effort="low")

    assert answer.reasoning_effort is None
    assert answer.warnings == ("The model gpt-4o does not accept reasoning_effort 'low': it is not sent.",)


@pytest.mark.parametrize(
    ("name", "effort", "sampling"),
    [
        ("gpt-4o", None, True),
        ("o3", None, False),
        ("gpt-5.2", None, False),
        ("gpt-5.2", "none", True),
        ("gpt-5.6-sol", "none", False),
        ("gpt-6-luna", None, False),
        ("gpt-6-luna", "none", True),
        ("gpt-6-luna", "low", False),
        ("gpt-6.2-sol", None, False),
    ],
)
def test_sampling_is_for_models_that_do_not_reason(name: str, effort: str | None, sampling: bool) -> None:
    assert resolved(name, effort=effort).accepts_sampling is sampling


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("ft:gpt-4o-mini-2024-07-18:acme::AbC", "ft:gpt-4o-mini-2024-07-18:acme::AbC"),
        ("ft:gpt-3.5-turbo-0125:acme::AbC", "gpt-5.6-terra"),
        ("ft:unheard-of:acme::AbC", "ft:unheard-of:acme::AbC"),
    ],
)
def test_a_fine_tune_lives_as_long_as_its_base(name: str, model: str) -> None:
    assert resolved(name).model == model


def test_the_configuration_goes_before_every_table() -> None:
    overrides = {"gpt-4": ModelOverride(model="gpt-6-luna", reasoning_effort="low", sampling=False)}

    answer = resolve_model("gpt-4", requested_effort=None, today=TODAY, overrides=overrides)

    assert answer == ResolvedModel("gpt-4", "gpt-6-luna", "low", accepts_sampling=False, is_reasoning=True)


def test_a_configured_model_keeps_the_requested_effort_unless_told_otherwise() -> None:
    overrides = {"gpt-4": ModelOverride(model="my-deployment")}

    answer = resolve_model("gpt-4", requested_effort="high", today=TODAY, overrides=overrides)

    assert answer == ResolvedModel("gpt-4", "my-deployment", "high", accepts_sampling=True, is_reasoning=True)


def test_what_a_configured_model_accepts_is_known_from_the_table() -> None:
    overrides = {"gpt-4": ModelOverride(model="gpt-6-luna"), "mine": ModelOverride(model="o3")}

    luna = resolve_model("gpt-4", requested_effort=None, today=TODAY, overrides=overrides)
    o3 = resolve_model("mine", requested_effort="minimal", today=TODAY, overrides=overrides)

    assert luna == ResolvedModel("gpt-4", "gpt-6-luna", "none", accepts_sampling=True, is_reasoning=False)
    assert (o3.reasoning_effort, o3.accepts_sampling, len(o3.warnings)) == ("low", False, 1)


@pytest.mark.parametrize("sampling", [True, False])
def test_the_configuration_knows_best_what_a_model_samples(*, sampling: bool) -> None:
    overrides = {name: ModelOverride(sampling=sampling) for name in ("o3", "gpt-4o", "mine")}

    for_each = [resolve_model(name, requested_effort=None, today=TODAY, overrides=overrides) for name in overrides]

    assert [answer.accepts_sampling for answer in for_each] == [sampling] * 3


@pytest.mark.parametrize("name", RETIREMENTS)
def test_every_retirement_ends_at_a_model_whose_abilities_are_known(name: str) -> None:
    answer = resolved(name, today=date(2099, 1, 1))

    assert answer.model in MODEL_FAMILIES
    assert answer.warnings


@pytest.mark.parametrize("name", MODEL_FAMILIES)
def test_efforts_are_listed_from_the_least_to_the_most(name: str) -> None:
    efforts = MODEL_FAMILIES[name].efforts

    assert list(efforts) == sorted(efforts, key=REASONING_EFFORTS.index)


def resolve_elsewhere(
    name: str, *, effort: str | None = None, ends: date | None = None, **overrides: ModelOverride
) -> ResolvedModel:
    """Resolve a model for an upstream whose model names are not OpenAI's."""
    return resolve_model(
        name,
        requested_effort=effort,
        today=TODAY,
        overrides=overrides,
        shutdown_dates={} if ends is None else {name: ends},
        openai_models=False,
    )


@pytest.mark.parametrize("name", sorted({*RETIREMENTS, *MODEL_FAMILIES}))
def test_at_another_service_every_name_is_asked_for_as_it_is(name: str) -> None:
    answer = resolve_elsewhere(name)

    assert (answer.requested, answer.model, answer.reasoning_effort, answer.accepts_sampling) == (
        name,
        name,
        None,
        True,
    )
    assert answer.warnings == ()


@pytest.mark.parametrize("effort", REASONING_EFFORTS)
def test_at_another_service_every_effort_is_sent_as_requested(effort: str) -> None:
    answer = resolve_elsewhere("gpt-4o", effort=effort)

    assert (answer.reasoning_effort, answer.is_reasoning, answer.warnings) == (effort, effort != "none", ())


def test_at_another_service_a_models_name_suggests_that_its_reasoning_is_replayed() -> None:
    assert [resolve_elsewhere(name).is_reasoning for name in ("o3", "gpt-4", "mine")] == [True, False, False]


def test_at_another_service_the_configuration_alone_maps_names() -> None:
    mapped = resolve_elsewhere("o1", o1=ModelOverride(model="gpt-4", reasoning_effort="low", sampling=False))

    assert mapped == ResolvedModel("o1", "gpt-4", "low", accepts_sampling=False, is_reasoning=True)


def test_the_last_day_that_another_service_lists_has_no_successor_of_openais() -> None:
    answer = resolve_elsewhere("gpt-4", ends=date(2026, 11, 1))

    assert answer.model == "gpt-4"
    assert answer.warnings == ("The model gpt-4 was retired on 2026-11-01 and no successor is known.",)

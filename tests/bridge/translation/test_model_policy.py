"""Which model is asked and which run is refused, as configured and as the service said."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from tests.bridge.translation.upstream_events import RUN
from threadbridge.errors import InvalidRequest, UpstreamError
from threadbridge.ports import ParameterRejection
from threadbridge.settings import Limits, ModelOverride
from threadbridge.translation.error_classifier import ErrorKind, classify_error
from threadbridge.translation.models.listing import ModelRow, list_model_rows
from threadbridge.translation.models.resolution import ModelCatalog, ModelPolicy, ParameterRejectionCache

NOW = datetime(2026, 11, 21, tzinfo=UTC).timestamp()
TODAY = date(2026, 11, 21)


ASKED: Any = {"model": "m", "temperature": 0.2}


def run(**fields: Any) -> Any:
    return {**RUN, "temperature": 1.0, "top_p": 1.0, "reasoning_effort": None, **fields}


def test_what_is_set_for_an_assistant_comes_before_what_is_set_for_its_model() -> None:
    rules = ModelPolicy(
        {"gpt-4o": ModelOverride(model="for-the-model")},
        {"asst_mine": ModelOverride(model="for-the-assistant")},
    )

    asked = [rules.resolve(run(model="gpt-4o", assistant_id=who), NOW).model for who in ("asst_mine", "asst_other")]

    assert asked == ["for-the-assistant", "for-the-model"]


def test_an_override_without_a_model_leaves_the_successor_in_place() -> None:
    rules = ModelPolicy({"gpt-4": ModelOverride(reasoning_effort="low")})

    answer = rules.resolve(run(model="gpt-4"), NOW)

    assert (answer.model, answer.reasoning_effort) == ("gpt-5.6-sol", "low")


def test_told_not_to_reason_a_model_takes_temperature() -> None:
    warm = run(model="gpt-6-sol", temperature=0.2, reasoning_effort="high")

    kept = ModelPolicy(sampling="force_none").resolve(warm, NOW)
    dropped = ModelPolicy().resolve(warm, NOW)

    assert (kept.reasoning_effort, kept.accepts_sampling) == ("none", True)
    assert kept.warnings == (
        "The model gpt-6-sol accepts temperature and top_p only without reasoning, so reasoning_effort 'high' is not "
        "used: 'none' is sent instead.",
    )
    assert (dropped.reasoning_effort, dropped.accepts_sampling) == ("high", False)


def test_a_model_is_left_to_reason_where_nothing_is_to_be_kept() -> None:
    cold = run(model="gpt-6-sol", reasoning_effort="high")

    assert ModelPolicy(sampling="force_none").resolve(cold, NOW).reasoning_effort == "high"


def test_a_model_that_always_reasons_cannot_be_told_to_take_temperature() -> None:
    warm = run(model="gpt-6.2-sol", temperature=0.2)

    assert not ModelPolicy(sampling="force_none").resolve(warm, NOW).accepts_sampling


def test_a_parameter_that_would_be_dropped_can_refuse_the_run() -> None:
    rules = ModelPolicy(sampling="error")

    with pytest.raises(InvalidRequest, match="Unsupported parameter: 'top_p' is not supported with this model.") as met:
        rules.check_run(run(model="o3", top_p=0.5), NOW)

    assert met.value.param == "top_p"
    rules.check_run(run(model="gpt-4o", top_p=0.5), NOW)
    rules.check_run(run(model="o3"), NOW)


def listing(age: float = 0, **days: date | None) -> ModelCatalog:
    return ModelCatalog(NOW - age, {name.replace("_", "-"): day for name, day in days.items()})


def test_a_model_that_the_service_does_not_list_is_refused() -> None:
    rules = ModelPolicy(catalog=listing(gpt_4o=None))

    with pytest.raises(InvalidRequest, match="The requested model 'gpt-nobody-knows' does not exist.") as met:
        rules.check_run(run(model="gpt-nobody-knows"), NOW)

    assert (met.value.code, met.value.param) == ("model_not_found", "model")
    rules.check_run(run(model="gpt-4o"), NOW)


def test_a_list_of_yesterday_refuses_nothing() -> None:
    rules = ModelPolicy(catalog=listing(86_400, gpt_4o=None))

    rules.check_run(run(model="gpt-brand-new"), NOW)


def test_the_services_own_dates_come_before_the_table() -> None:
    prolonged = ModelPolicy(catalog=listing(gpt_4=date(2027, 6, 1)))
    ended = ModelPolicy(catalog=listing(gpt_4o=date(2026, 11, 20)))

    assert prolonged.resolve(run(model="gpt-4"), NOW).model == "gpt-4"
    assert ended.resolve(run(model="gpt-4o"), NOW).model == "gpt-6-luna"


def test_the_list_says_what_becomes_of_every_model() -> None:
    rows = {row.model: row for row in list_model_rows(ModelPolicy(), TODAY)}

    assert rows["gpt-4"] == ModelRow(
        "gpt-4", "retired", date(2026, 10, 23), "gpt-5.6-sol", 8_192, ("temperature", "top_p")
    )
    assert rows["gpt-4o"] == ModelRow("gpt-4o", "retiring", date(2027, 1, 14), "gpt-6-luna", 128_000, ())
    assert rows["gpt-6.2-sol"] == ModelRow("gpt-6.2-sol", "current", None, None, 1_050_000, ("temperature", "top_p"))


def test_what_a_policy_keeps_is_not_listed_as_dropped() -> None:
    row = {row.model: row for row in list_model_rows(ModelPolicy(sampling="force_none"), TODAY)}["gpt-6-sol"]

    assert row.dropped_parameters == ()


def test_a_fine_tune_that_is_configured_ends_with_the_model_it_was_made_from() -> None:
    tuned = "ft:gpt-4o-2024-08-06:acme::1"
    rules = ModelPolicy({tuned: ModelOverride(context_tokens=5_000)})

    row = {row.model: row for row in list_model_rows(rules, TODAY)}[tuned]

    assert (row.shutdown_date, row.replacement, row.context_window) == (date(2027, 1, 14), "gpt-6-luna", 128_000)


def test_the_list_begins_with_what_ended_first() -> None:
    days = [row.shutdown_date for row in list_model_rows(ModelPolicy(), TODAY) if row.shutdown_date is not None]

    assert days == sorted(days)


def rejected_parameter(error: UpstreamError) -> str | None:
    details = [match.detail for match in classify_error(error, ASKED) if match.kind is ErrorKind.PARAMETER_REJECTED]
    return details[0] if details else None


def test_only_parameters_that_a_run_can_do_without_are_left_out() -> None:
    said = "Unsupported parameter: 'x' is not supported with this model."

    assert rejected_parameter(UpstreamError(said, status=400, param="temperature")) == "temperature"
    assert rejected_parameter(UpstreamError(said, status=400, param="tools")) is None
    assert rejected_parameter(UpstreamError(said, status=500, param="temperature")) is None


def test_a_server_that_names_no_parameter_may_have_it_in_its_words() -> None:
    said = UpstreamError("Unsupported parameter: 'temperature' is not supported with this model.", status=400)
    other = UpstreamError("The temperature_unit of the tool is unknown.", status=400)

    assert rejected_parameter(said) == "temperature"
    assert rejected_parameter(other) is None


def test_a_parameter_that_was_not_sent_was_not_what_was_refused() -> None:
    assert rejected_parameter(UpstreamError("No.", status=400, param="top_p")) is None


def test_what_was_refused_is_remembered_for_a_bounded_number_of_models() -> None:
    refusals = ParameterRejectionCache(Limits(refusals=3))

    for number in range(3):
        refusals.record(ParameterRejection(f"model-{number}", "temperature", NOW))
    refusals.record(ParameterRejection("model-2", "top_p", NOW))

    assert refusals.get_rejected("model-0", NOW) == frozenset()
    assert refusals.get_rejected("model-2", NOW) == {"temperature", "top_p"}


def test_what_was_refused_long_ago_is_tried_again() -> None:
    refusals = ParameterRejectionCache(Limits(refusal_seconds=60), [ParameterRejection("m", "temperature", NOW)])

    assert refusals.get_rejected("m", NOW + 59) == {"temperature"}
    assert refusals.get_rejected("m", NOW + 60) == frozenset()


def test_of_another_service_only_listed_and_configured_models_are_known() -> None:
    rules = ModelPolicy({"gpt-4": ModelOverride(model="mine")}, catalog=listing(o3=None), openai_models=False)

    rows = list(list_model_rows(rules, TODAY))

    assert rows == [
        ModelRow("gpt-4", "current", None, "mine", 8_192, ()),
        ModelRow("o3", "current", None, None, 200_000, ()),
    ]


def test_at_another_service_no_sampling_parameter_is_refused_by_a_models_name() -> None:
    rules = ModelPolicy(sampling="error", openai_models=False)

    rules.check_run(run(model="o3", top_p=0.5), NOW)

    assert rules.resolve(run(model="gpt-4"), NOW).model == "gpt-4"

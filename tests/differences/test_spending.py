"""Numbered differences: spend limits and run reports."""

from __future__ import annotations

import pytest

from tests.emulated_service import (
    WEATHER,
    EmulatedService,
    get_last_error,
    get_usage,
    open_service,
    run_path,
    wait_until,
)
from threadbridge.api_types import JsonObject, RunObject, ToolResources
from threadbridge.costs.report import build_total_report
from threadbridge.ports import ObjectKind, SpendScope, SpendTotals
from threadbridge_adapters.simulator import Scenario

PRICES = {"gpt-4o": {"input": 2.5, "output": 10}}
DAY = 86_400


async def get_report(service: EmulatedService, run: RunObject) -> JsonObject:
    return dict((await service.get(f"{run_path(run)}/report")).body)


async def test_d91_a_run_fails_before_the_request_that_would_exceed_its_limit() -> None:
    async with open_service(prices=PRICES, limits={"run_dollars": 0.0001}) as service:
        run = await service.run_to_rest("too long " * 50)

        run_report = await get_report(service, run)

    assert (run["status"], get_last_error(run)["code"], service.model_requests) == ("failed", "rate_limit_exceeded", [])
    assert "limits.run_dollars is $0.0001" in get_last_error(run)["message"]
    assert [turn["cost"]["note"] for turn in run_report["turns"]] == ["No request was sent."]
    assert run_report["last_error"] == run["last_error"]


async def test_d91_a_run_within_its_limit_completes() -> None:
    async with open_service(prices=PRICES, limits={"run_dollars": 0.0001}) as service:
        run = await service.run_to_rest("short")

    assert run["status"] == "completed"


async def test_d91_the_limit_of_a_run_applies_to_all_its_turns() -> None:
    async with open_service(prices=PRICES, limits={"run_dollars": 0.001}) as service:
        waiting = await service.run_to_rest("CALL get_weather {}", tools=[WEATHER])
        run = await service.submit_outputs(waiting, "sunny " * 400)

        run_report = await get_report(service, run)

    assert (run["status"], len(service.model_requests)) == ("failed", 1)
    assert "limits.run_dollars" in get_last_error(run)["message"]
    assert 0 < run_report["totals"]["run"]["usd"] < 0.001


async def test_d91_max_completion_tokens_bound_the_estimated_cost() -> None:
    async with open_service(prices=PRICES, limits={"run_dollars": 0.001}) as service:
        short = await service.run_to_rest("short", run={"max_completion_tokens": 50})
        long = await service.run_to_rest("short", run={"max_completion_tokens": 100})

    assert (short["status"], long["status"], len(service.model_requests)) == ("completed", "failed", 1)


async def test_d91_the_stream_of_such_a_run_ends_with_failed() -> None:
    async with open_service(prices=PRICES, limits={"run_dollars": 0.0001}) as service:
        thread = {"messages": [{"role": "user", "content": "too long " * 50}]}

        events = await service.collect_events(
            "/threads/runs", assistant_id=await service.create_assistant(), thread=thread
        )

    assert [run_report.name for run_report in events][-2:] == ["thread.run.failed", "done"]


async def test_d91_the_limit_of_a_tenant_applies_to_all_runs_of_a_number_of_days() -> None:
    async with open_service(prices=PRICES, limits={"tenant_dollars": 0.0003, "tenant_dollars_days": 2}) as service:
        first = await service.run_to_rest("SAY " + "at length " * 20)
        same_day = await service.run_to_rest("short")
        service.clock.advance(DAY)
        next_day = await service.run_to_rest("short")
        service.clock.advance(DAY)
        later = await service.run_to_rest("short")

    assert [run["status"] for run in (first, same_day, next_day, later)] == [
        *("completed", "failed", "failed"),
        "completed",
    ]
    assert "limits.tenant_dollars is $0.0003" in get_last_error(same_day)["message"]


@pytest.mark.parametrize("limit", ["run_dollars", "tenant_dollars"])
async def test_d92_with_a_limit_a_model_without_a_price_is_not_requested(limit: str) -> None:
    async with open_service(limits={limit: 100}) as service:
        run = await service.run_to_rest("short")

    assert (run["status"], service.model_requests) == ("failed", [])
    assert "the price of gpt-4o is unknown" in get_last_error(run)["message"]
    assert f"limits.{limit}" in get_last_error(run)["message"]


async def test_d92_a_policy_allows_models_without_a_price() -> None:
    async with open_service(limits={"run_dollars": 100}, policies={"unknown_price": "allow"}) as service:
        run = await service.run_to_rest("short")

    assert run["status"] == "completed"


async def test_d93_the_cost_of_a_deleted_thread_remains_in_the_sums() -> None:
    async with open_service(prices=PRICES) as service:
        assistant_id = await service.create_assistant()
        deleted = await service.post(
            "/threads/runs", assistant_id=assistant_id, thread={"messages": []}, instructions="x"
        )
        await service.wait_until_rest(deleted.body)
        await service.delete(f"/threads/{deleted.body['thread_id']}")
        run = await service.post("/threads/runs", assistant_id=assistant_id, thread={"messages": []}, instructions="x")
        await service.wait_until_rest(run.body)

        totals = (await get_report(service, run.body))["totals"]

    assert [totals[scope]["turns"] for scope in ("thread", "assistant", "tenant")] == [1, 2, 2]


async def test_d93_a_response_for_a_deleted_thread_is_counted() -> None:
    async with open_service(prices=PRICES) as service:
        service.simulator.enqueue(Scenario.from_text("too late").with_start_delay(0.05))
        deleted = await service.start_run("Hi")
        await service.wait_for_status(deleted, "in_progress")
        await delete_thread_elsewhere(service, deleted["thread_id"])

        spent = await wait_until(lambda: read_tenant_totals(service), lambda run_report: run_report["turns"] > 0)

    assert spent["turns"] == 1
    assert spent["usd"] > 0


async def delete_thread_elsewhere(service: EmulatedService, thread_id: str) -> None:
    """Delete the thread without notice to the worker that waits for the response."""
    await service.store.write(lambda session: session.remove(ObjectKind.THREAD, thread_id), tenant="default")


async def read_tenant_totals(service: EmulatedService) -> JsonObject:
    """The sums of the tenant."""
    [*tallies] = await service.store.read(lambda session: session.list_spending(SpendScope.TENANT), tenant="default")
    get_report: JsonObject = build_total_report(tallies[0].totals if tallies else SpendTotals())
    return get_report


async def test_d94_a_rejected_request_costs_nothing_and_a_failed_response_has_an_unknown_cost() -> None:
    async with open_service(prices=PRICES) as service:
        refused, broken = (
            await service.run_to_rest("HTTP 401"),
            await service.run_to_rest("FAIL server_error The model is on fire."),
        )

        no_cost, unknown = await get_report(service, refused), await get_report(service, broken)

    assert no_cost["turns"][0]["cost"] == {
        "usd": 0,
        "note": "The upstream service rejected the request.",
        "not_included": [],
    }
    assert (no_cost["totals"]["run"]["usd"], no_cost["totals"]["run"]["unpriced_turns"]) == (0, 0)
    assert unknown["turns"][0]["cost"]["usd"] is None
    assert "reported no usage for this turn" in unknown["turns"][0]["cost"]["note"]
    assert (unknown["totals"]["run"]["usd"], unknown["totals"]["run"]["unpriced_turns"]) == (None, 1)


@pytest.mark.parametrize(
    ("fees", "searches", "left_out"), [({}, 0, ["file_search_call"]), ({"file_search_call": 0.0025}, 0.0025, [])]
)
async def test_d94_searches_are_priced_or_reported_as_not_included(
    fees: dict[str, float], searches: float, left_out: list[str]
) -> None:
    async with open_service(prices=PRICES, fees=fees) as service:
        stores: ToolResources = {"file_search": {"vector_stores": [{}]}}
        run = await service.run_to_rest("SEARCH cake", tools=[{"type": "file_search"}], tool_resources=stores)

        turn = (await get_report(service, run))["turns"][0]

    tokens = get_usage(run)["prompt_tokens"] * 2.5e-6 + get_usage(run)["completion_tokens"] * 1e-5
    assert turn["hosted_calls"] == {"file_search": 1}
    assert turn["cost"] == {"usd": pytest.approx(tokens + searches), "note": None, "not_included": left_out}


async def test_d94_a_container_is_reported_as_not_included_whether_or_not_code_ran() -> None:
    async with open_service(prices=PRICES) as service:
        run = await service.run_to_rest("short", tools=[{"type": "code_interpreter"}])

        turn = (await get_report(service, run))["turns"][0]

    assert (turn["hosted_calls"], turn["cost"]["not_included"]) == ({}, ["code_interpreter_container"])


async def test_d94_a_run_report_is_a_separate_operation(service: EmulatedService) -> None:
    run = await service.run_to_rest("short")

    run_report = await get_report(service, run)
    unknown = await service.get(f"/threads/{run['thread_id']}/runs/run_unknown/report")
    posted = await service.post(f"{run_path(run)}/report")

    assert (run_report["object"], run_report["run_id"]) == ("thread.run.report", run["id"])
    assert (unknown.status, unknown.error["message"]) == (404, "No run found with id 'run_unknown'.")
    assert (posted.status, posted.headers["allow"]) == (405, "GET")

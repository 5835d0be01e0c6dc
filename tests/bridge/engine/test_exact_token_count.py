"""Budgets held by the service's own count of a prompt, where it is asked for it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.emulated_service import WEATHER, EmulatedService, get_usage, list_event_names, open_service
from threadbridge.api_types import JsonMapping, JsonObject, RunObject
from threadbridge.errors import UpstreamError
from threadbridge_adapters.simulator import SimulatedUpstream

EXACT: dict[str, Any] = {"truncation": {"counting": "exact"}}
COUNTING = "/responses/input_tokens"
#: Twenty words that are a token each to the offline table, and about four to the simulator.
WORDY = "international " * 20
#: Letters by themselves: a token for every other one to the table, and for every fourth to the simulator.
CRYPTIC = "q z x j " * 20


async def run_on(service: EmulatedService, *texts: str, **body: object) -> RunObject:
    started = await service.post(
        f"/threads/{await service.create_thread(*texts)}/runs", assistant_id=await service.create_assistant(), **body
    )
    return await service.wait_until_rest(started.body)


async def turn_report(service: EmulatedService, run: RunObject) -> JsonObject:
    (turn,) = (await service.get(f"/threads/{run['thread_id']}/runs/{run['id']}/report")).body["turns"]
    found: JsonObject = turn
    return found


def counts(service: EmulatedService) -> list[JsonObject]:
    """What the service was asked to count."""
    return [request.body for request in service.simulator.requests if request.path == COUNTING]


def sent(service: EmulatedService) -> list[list[str]]:
    """The texts of every request for a response."""
    return [
        [part["text"] for item in request.body["input"] for part in item["content"]]
        for request in service.simulator.requests
        if request.path == "/responses"
    ]


async def test_the_report_tells_what_the_service_counted_and_it_is_what_it_charged() -> None:
    async with open_service(**EXACT) as service:
        run = await run_on(service, "Hi", "How are you?", instructions="Be brief.")
        history = (await turn_report(service, run))["history"]

    assert history["counted"] == get_usage(run)["prompt_tokens"]
    assert [list(asked) for asked in counts(service)] == [["model", "input", "instructions"]]


async def test_a_prompt_that_the_service_counts_beyond_the_budget_is_sent_with_less_of_the_thread() -> None:
    async with open_service(**EXACT) as service:
        run = await run_on(service, *(f"{number} {WORDY}" for number in range(4)), max_prompt_tokens=200)
        history = (await turn_report(service, run))["history"]

    assert run["status"] == "completed"
    assert get_usage(run)["prompt_tokens"] == history["counted"] <= 200
    assert sent(service) == [[f"0 {WORDY}", f"3 {WORDY}"]]
    assert (history["budget"], history["dropped"]["reason"]) == (
        {"tokens": 200, "source": "max_prompt_tokens"},
        "max_prompt_tokens",
    )
    assert history["dropped"]["messages"] == 2


async def test_a_newest_message_beyond_the_budget_ends_the_run_unasked() -> None:
    async with open_service(**EXACT) as service:
        run = await run_on(service, "Hi", WORDY, max_prompt_tokens=60)
        turn = await turn_report(service, run)

    assert (run["status"], run["incomplete_details"]) == ("incomplete", {"reason": "max_prompt_tokens"})
    assert sent(service) == []
    assert (turn["history"]["fits"], turn["history"]["sent"]["messages"]) == (False, 0)
    assert (turn["history"]["dropped"]["messages"], turn["history"]["dropped"]["reason"]) == (2, "max_prompt_tokens")
    assert turn["history"]["counted"] > 60
    assert turn["cost"] == {"usd": 0.0, "note": "No request was sent.", "not_included": []}


async def test_the_stream_of_such_a_run_says_how_it_ended() -> None:
    async with open_service(**EXACT) as service:
        thread_id = await service.create_thread(WORDY)

        events = await service.collect_events(
            f"/threads/{thread_id}/runs", assistant_id=await service.create_assistant(), max_prompt_tokens=60
        )

    assert list_event_names(events)[-2:] == ["run.incomplete", "done"]
    assert events[-2].data["incomplete_details"] == {"reason": "max_prompt_tokens"}


async def test_what_only_the_offline_count_finds_too_long_is_sent() -> None:
    async with open_service() as service:
        offline = await run_on(service, CRYPTIC, max_prompt_tokens=60)
    async with open_service(**EXACT) as service:
        exact = await run_on(service, CRYPTIC, max_prompt_tokens=60)

    assert (offline["status"], exact["status"]) == ("incomplete", "completed")


async def test_exactly_the_last_messages_are_sent_or_none() -> None:
    newest_two: JsonObject = {"truncation_strategy": {"type": "last_messages", "last_messages": 2}}
    async with open_service(**EXACT) as service:
        unbounded = await run_on(service, "Hi", WORDY, WORDY, **newest_two)
        bounded = await run_on(service, "Hi", WORDY, WORDY, **newest_two, max_prompt_tokens=100)

    assert (unbounded["status"], bounded["status"]) == ("completed", "incomplete")
    assert sent(service) == [[WORDY, WORDY]]
    assert len(counts(service)) == 1


@pytest.mark.parametrize(("requests", "asked"), [(1, 1), (3, 2)])
async def test_no_more_is_counted_than_the_setting_allows(requests: int, asked: int) -> None:
    async with open_service(truncation={"counting": "exact", "exact_requests": requests}) as service:
        run = await run_on(service, *[WORDY] * 4, max_prompt_tokens=200)

    assert (run["status"], len(counts(service))) == ("completed", asked)


async def test_where_the_service_does_not_count_the_offline_count_holds_with_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fails(upstream: SimulatedUpstream, method: str, path: str, body: JsonMapping | None = None) -> JsonObject:
        raise UpstreamError("Not Found", status=404)

    monkeypatch.setattr(SimulatedUpstream, "request", fails)
    async with open_service(**EXACT) as service:
        fits = await run_on(service, "Hi")
        does_not = await run_on(service, CRYPTIC, max_prompt_tokens=60)
        warnings = [(await turn_report(service, run))["warnings"] for run in (fits, does_not)]

    words = "The service could not count the tokens of the prompt, so the local count is used: Not Found"
    assert (fits["status"], does_not["status"]) == ("completed", "incomplete")
    assert warnings == [[words], [words]]


async def test_a_service_that_counts_nothing_where_nothing_is_left_ends_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def nothing(
        upstream: SimulatedUpstream, method: str, path: str, body: JsonMapping | None = None
    ) -> JsonObject:
        return {"object": "response.input_tokens", "input_tokens": 0}

    monkeypatch.setattr(SimulatedUpstream, "request", nothing)
    async with open_service(**EXACT) as service:
        assistant_id = await service.create_assistant(tools=[WEATHER])
        thread_id = await service.create_thread("CALL get_weather {}")
        run = await service.post(f"/threads/{thread_id}/runs", assistant_id=assistant_id, max_prompt_tokens=16)
        ended = await service.submit_outputs(await service.wait_until_rest(run.body), "sunny")

    assert (ended["status"], ended["incomplete_details"]) == ("incomplete", {"reason": "max_prompt_tokens"})
    assert get_usage(ended)["prompt_tokens"] > 16


async def test_a_service_whose_profile_counts_nothing_is_not_asked() -> None:
    async with open_service(**EXACT, upstream={"profile": "vllm"}) as service:
        run = await run_on(service, "Hi")

    assert (run["status"], counts(service)) == ("completed", [])


async def test_a_request_that_is_counted_first_warns_in_the_log_once(caplog: pytest.LogCaptureFixture) -> None:
    async with open_service(**EXACT) as service:
        thread_id = await service.create_thread("Hi")
        assistant_id = await service.create_assistant(model="gpt-6.2-sol", temperature=0.5)
        run = await service.post(f"/threads/{thread_id}/runs", assistant_id=assistant_id)
        await service.wait_until_rest(run.body)

    assert len(counts(service)) == 1
    assert [record.getMessage().count("does not accept temperature") for record in caplog.records].count(1) == 1


async def test_offline_nothing_is_asked() -> None:
    async with open_service() as service:
        run = await run_on(service, "Hi", max_prompt_tokens=1000)
        history = (await turn_report(service, run))["history"]

    assert (history["counted"], counts(service)) == (None, [])

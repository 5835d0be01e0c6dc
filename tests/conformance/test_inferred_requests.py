"""Requests of responses that were recorded alone are inferred, replayed and compared."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

import pytest

from tests.conformance.recorded_sessions.inferred_requests import infer_sessions
from tests.conformance.recorded_sessions.recordings import RecordedExchange
from tests.conformance.recorded_sessions.session_replay import JudgedExchange, Verdict, replay_session
from tests.conformance.recorded_sessions.sessions import group_sessions
from tests.conformance.test_session_replay import Exchange, Recorder
from tests.emulated_service import WEATHER, EmulatedService, run_path


async def replay_inferred(bare: Sequence[Exchange]) -> list[JudgedExchange]:
    recorded: list[RecordedExchange] = [*bare]
    return [each for session in infer_sessions(recorded) for each in await replay_session(session)]


def drop_request(exchange: Exchange, file: str) -> Exchange:
    """The response without its request; a loader infers the path from the object type."""
    return replace(exchange, file=file, method=None, status=None, query="", request_json=None, response_body=None)


@pytest.fixture
async def responses(service: EmulatedService) -> list[Exchange]:
    """Responses of a polled tool loop, of a stream, of a cancelled run, and of their thread."""
    recorder, clock = Recorder(service), service.clock
    assistant = await recorder.ask("POST", "/assistants", model="gpt-4o", tools=[WEATHER], instructions="Be brief.")
    runs = f"/threads/{await service.create_thread('CALL get_weather {}')}/runs"
    waiting = await service.wait_until_rest((await service.post(runs, assistant_id=assistant["id"])).body)
    await recorder.ask("GET", run_path(waiting))
    clock.advance(5)
    await service.submit_outputs(waiting)
    await recorder.ask("GET", run_path(waiting))
    clock.advance(5)
    await recorder.ask("POST", runs, assistant_id=assistant["id"], tools=[], stream=True)
    clock.advance(5)
    cancelled = await service.wait_until_rest((await service.post(runs, assistant_id=assistant["id"])).body)
    await service.post(f"{run_path(cancelled)}/cancel")
    await recorder.ask("GET", runs)
    await recorder.ask("GET", runs.replace("runs", "messages"))
    await recorder.ask("DELETE", runs.removesuffix("/runs"))
    return [drop_request(exchange, f"answer {number}") for number, exchange in enumerate(recorder.exchanges)]


async def test_inferred_requests_are_replayed_and_the_responses_are_equal(responses: list[Exchange]) -> None:
    verdicts = {each.exchange.file: (each.verdict, each.mismatches) for each in await replay_inferred(responses)}

    assert verdicts == {each.file: (Verdict.EQUAL, []) for each in responses}


async def test_a_falsified_response_without_its_request_is_a_failure(responses: list[Exchange]) -> None:
    falsified = deepcopy(responses)
    falsified[1].response_json["required_action"]["type"] = "something_else"
    falsified[-2].response_json["data"].reverse()

    verdicts = {each.exchange.file: each.verdict for each in await replay_inferred(falsified)}

    assert [file for file, verdict in verdicts.items() if verdict is Verdict.FAILED] == ["answer 1", "answer 5"]


async def test_a_step_without_its_run_is_not_replayable(service: EmulatedService) -> None:
    recorder = Recorder(service)
    run = await service.run_to_rest("Hello")
    await recorder.ask("GET", f"{run_path(run)}/steps")

    (only,) = await replay_inferred([drop_request(recorder.exchanges[0], "steps")])

    assert (only.verdict, only.reason) == (Verdict.NOT_REPLAYABLE, "only a step was recorded, and not its run")


def test_responses_without_requests_belong_to_no_recorded_session(responses: list[Exchange]) -> None:
    recorded: list[RecordedExchange] = [*responses]

    assert group_sessions(recorded) == []

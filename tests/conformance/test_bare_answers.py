"""Answers without their requests: what was asked is inferred, made again and compared."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

import pytest

from tests.conformance.recorded_sessions.inferred_requests import infer_sessions
from tests.conformance.recorded_sessions.recordings import RecordedExchange
from tests.conformance.recorded_sessions.session_replay import JudgedExchange, Verdict, replay_session
from tests.conformance.recorded_sessions.sessions import group_sessions
from tests.conformance.test_judge import Exchange, Recorder
from tests.emulated_service import WEATHER, EmulatedService, run_path


async def judged(bare: Sequence[Exchange]) -> list[JudgedExchange]:
    recorded: list[RecordedExchange] = [*bare]
    return [each for session in infer_sessions(recorded) for each in await replay_session(session)]


def alone(exchange: Exchange, file: str) -> Exchange:
    """The answer without its request; a loader guesses the path from what the object is."""
    return replace(exchange, file=file, method=None, status=None, query="", request_json=None, response_body=None)


@pytest.fixture
async def answers(service: EmulatedService) -> list[Exchange]:
    """What was read of a tool loop that was polled, of a stream, of a run that was cancelled, and of their thread."""
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
    return [alone(exchange, f"answer {number}") for number, exchange in enumerate(recorder.exchanges)]


async def test_what_must_have_been_asked_is_asked_again_and_the_answers_are_equal(answers: list[Exchange]) -> None:
    verdicts = {each.exchange.file: (each.verdict, each.mismatches) for each in await judged(answers)}

    assert verdicts == {each.file: (Verdict.EQUAL, []) for each in answers}


async def test_a_bare_answer_that_is_another_is_a_failure(answers: list[Exchange]) -> None:
    falsified = deepcopy(answers)
    falsified[1].response_json["required_action"]["type"] = "something_else"
    falsified[-2].response_json["data"].reverse()

    verdicts = {each.exchange.file: each.verdict for each in await judged(falsified)}

    assert [file for file, verdict in verdicts.items() if verdict is Verdict.FAILED] == ["answer 1", "answer 5"]


async def test_a_step_alone_tells_too_little(service: EmulatedService) -> None:
    recorder = Recorder(service)
    run = await service.run_to_rest("Hello")
    await recorder.ask("GET", f"{run_path(run)}/steps")

    (only,) = await judged([alone(recorder.exchanges[0], "steps")])

    assert (only.verdict, only.reason) == (Verdict.NOT_REPLAYABLE, "only a step was recorded, and not its run")


def test_bare_answers_belong_to_no_session_of_requests(answers: list[Exchange]) -> None:
    recorded: list[RecordedExchange] = [*answers]

    assert group_sessions(recorded) == []

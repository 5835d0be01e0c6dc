"""How long events are kept for those who come back, and how much room they may take."""

from __future__ import annotations

import pytest

from tests.manual_clock import ManualClock
from threadbridge.engine.run_stream import RunStream
from threadbridge.errors import BridgeError
from threadbridge.ports import Event, RunReference, StreamState
from threadbridge.runtime.clock_and_ids import new_id
from threadbridge.settings import Limits
from threadbridge_adapters.event_bus.in_process import EventLog, InProcessEventBus

COMPLETED = Event("thread.run.completed", {"status": "completed"})
WORD = Event("thread.message.delta", {"text": "x" * 100})


def run(run_id: str) -> RunReference:
    return RunReference("default", run_id)


def some_logs(clock: ManualClock | None = None, **limits: float) -> InProcessEventBus:
    return InProcessEventBus(Limits.model_validate(limits), clock or ManualClock(), new_id)


def told(logs: InProcessEventBus, run_id: str, *events: Event) -> EventLog:
    """A turn whose events were published without a reader."""
    log = logs.open_turn(run(run_id))
    feed = RunStream(log, 10, has_reader=False)
    for event in events:
        feed.publish([event])
    feed.finish()
    return log


def kept(logs: InProcessEventBus, *run_ids: str) -> list[bool]:
    return [logs.find_log(run(run_id)) is not None for run_id in run_ids]


def test_a_log_is_kept_for_ten_minutes_after_the_end_of_its_run() -> None:
    clock = ManualClock()
    logs = some_logs(clock)
    told(logs, "run_1", COMPLETED)

    clock.advance(599)
    before = kept(logs, "run_1")
    clock.advance(1)

    assert (before, kept(logs, "run_1")) == ([True], [False])


def test_the_log_of_a_run_that_waits_is_kept_for_as_long_after_it_must_expire() -> None:
    clock = ManualClock()
    logs = some_logs(clock, replay_seconds=10)
    told(logs, "run_1", Event("thread.run.requires_action", {"expires_at": int(clock.now()) + 600}))

    clock.advance(609)
    before = kept(logs, "run_1")
    clock.advance(1)

    assert (before, kept(logs, "run_1")) == ([True], [False])


def test_the_log_of_a_run_at_work_is_kept_however_long_it_takes() -> None:
    clock = ManualClock()
    logs = some_logs(clock)
    RunStream(logs.open_turn(run("run_1")), 10).publish([WORD])

    clock.advance(10_000)
    logs.discard_expired()

    assert kept(logs, "run_1") == [True]


def test_what_is_too_old_is_forgotten_though_nobody_asks_for_it() -> None:
    clock = ManualClock()
    logs = some_logs(clock)
    log = told(logs, "run_1", WORD, COMPLETED)

    clock.advance(600)
    logs.discard_expired()

    assert (log.byte_size, log.start, log.end) == (0, 2, 2)


def test_a_waiting_log_goes_on_with_the_next_turn_and_any_other_begins_anew() -> None:
    logs = some_logs()
    waiting = told(logs, "run_1", Event("thread.run.requires_action", {"expires_at": 1_800_000_000}))
    broken = told(logs, "run_2", WORD)

    again = [logs.open_turn(run("run_1")), logs.open_turn(run("run_2"))]

    assert again[0] is waiting
    assert again[1].name != broken.name
    assert broken.state is StreamState.BROKEN


def test_beyond_its_bound_a_log_loses_its_oldest_events() -> None:
    logs = some_logs(replay_bytes_per_run=2000)

    log = told(logs, "run_1", *[WORD] * 100, COMPLETED)

    assert log.byte_size <= 2000
    assert log.find_position(f"{log.name}-{log.end}") == log.end == 101
    assert log.find_position(f"{log.name}-1") is None
    with pytest.raises(BridgeError, match="read too slowly"):
        log.read_frames(0, 1)


def test_beyond_the_bound_of_all_the_logs_at_rest_go_first_the_oldest_before_the_others() -> None:
    logs = some_logs(replay_bytes=2500)
    at_work = RunStream(logs.open_turn(run("run_0")), 10, has_reader=False)
    at_work.publish([WORD])
    for number in (1, 2, 3):
        told(logs, f"run_{number}", *[WORD] * 5, COMPLETED)

    assert kept(logs, "run_0", "run_1", "run_2", "run_3") == [True, False, True, True]


def test_beyond_the_bound_of_all_a_log_at_work_loses_its_oldest_events_when_it_is_the_last() -> None:
    logs = some_logs(replay_bytes=2000)
    feed = RunStream(logs.open_turn(run("run_1")), 10, has_reader=False)

    for _ in range(100):
        feed.publish([WORD])

    log = logs.find_log(run("run_1"))
    assert log is not None
    assert 0 < log.byte_size <= 2000


async def test_forgetting_leaves_a_reader_what_he_has_not_read() -> None:
    clock = ManualClock()
    logs = some_logs(clock)
    feed = RunStream(logs.open_turn(run("run_1")), 10)
    feed.publish([WORD, COMPLETED])
    feed.finish()
    await anext(feed)

    clock.advance(600)
    logs.discard_expired()

    assert [event.name async for event in feed] == ["thread.run.completed"]


@pytest.mark.parametrize("event_id", ["", "x", "-1", "{name}", "{name}-", "{name}-0x1", "{name}-3", "{name}--1", "x-1"])
def test_an_id_that_was_never_given_out_is_no_position(event_id: str) -> None:
    log = told(some_logs(), "run_1", WORD, COMPLETED)

    assert log.find_position(event_id.format(name=log.name)) is None


def test_the_id_of_each_event_is_the_position_behind_it() -> None:
    log = told(some_logs(), "run_1", WORD, COMPLETED)

    assert [log.find_position(f"{log.name}-{number}") for number in (0, 1, 2)] == [0, 1, 2]

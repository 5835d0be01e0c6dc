"""`history = "conversation"`: the service keeps a conversation for each thread, which heals whatever becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.bridge.engine.upstream_state_fixtures import (
    SWEEP_SECONDS,
    anchor,
    asked,
    known,
    other_requests,
    place_of,
    run_on,
    sent,
    states,
    tidied,
)
from tests.clocks import StandingClock
from tests.differences.service import WEATHER, Service, emulated, text_of
from threadbridge.errors import UpstreamError
from threadbridge.ports import ObjectKind, UpstreamResponse, Wire
from threadbridge.settings import Settings
from threadbridge_adapters.composition import assemble
from threadbridge_adapters.simulator import Manner, SimulatedUpstream, Simulator
from threadbridge_adapters.simulator._server_quirks import Manners
from threadbridge_adapters.stores import open_store

CONVERSATION: dict[str, Any] = {"history": "conversation"}


async def test_a_conversation_is_made_with_the_first_run_and_told_what_it_does_not_know() -> None:
    async with emulated(**CONVERSATION) as service:
        thread_id = await service.thread("SAY one")
        nothing_yet = list(service.simulator.requests)
        assistant_id = await service.assistant(instructions="Be brief.")
        await run_on(service, thread_id, assistant_id)
        second = await run_on(service, thread_id, assistant_id, "SAY two")
        [conversation_id] = {body["conversation"] for body in asked(service)}

        assert nothing_yet == []
        assert other_requests(service) == ["POST /conversations"]
        assert service.simulator.conversations.retrieve(conversation_id)["metadata"] == {"thread_id": thread_id}
        assert [sent(body) for body in asked(service)] == [["user: SAY one"], ["user: SAY two"]]
        assert known(service) == ["user: SAY one", "assistant: one", "user: SAY two"]
        assert (await states(service, second))[0] == {
            "mode": "conversation",
            "continues": conversation_id,
            "reason": None,
        }


async def test_the_conversation_holds_what_the_thread_holds() -> None:
    async with emulated(**CONVERSATION) as service:
        run = await service.run("CALL get_weather {}\nSAY done", tools=[WEATHER])
        await service.answered(run, "rain")
        await run_on(service, run["thread_id"], run["assistant_id"], "SAY more")
        row = await anchor(service, run["thread_id"])
        assert row is not None

        items = service.simulator.conversations.list_items(row["upstream_id"], {"order": "asc"})["data"]
        assert [item["type"] for item in items] == [
            "message",
            "function_call",
            "function_call_output",
            "message",
            "message",
            "message",
        ]
        assert sent(asked(service)[1]) == ["function_call_output rain"]


async def test_a_conversation_that_was_deleted_at_the_service_is_made_anew_within_the_turn() -> None:
    async with emulated(**CONVERSATION) as service:
        run = await service.run("SAY one")
        before = await anchor(service, run["thread_id"])
        assert before is not None
        service.simulator.conversations.delete(before["upstream_id"])
        again = await run_on(service, run["thread_id"], run["assistant_id"], "SAY two")
        after = await anchor(service, run["thread_id"])

        assert again["status"] == "completed"
        assert (await states(service, again))[0]["reason"] == "not_found"
        assert after is not None
        assert after["upstream_id"] != before["upstream_id"]
        assert known(service) == ["user: SAY one", "assistant: one", "user: SAY two"]


async def test_a_conversation_with_a_call_nobody_here_knows_is_replaced_and_deleted() -> None:
    async with emulated(**CONVERSATION) as service:
        run = await service.run("SAY one")
        row = await anchor(service, run["thread_id"])
        assert row is not None
        call = {"type": "function_call", "call_id": "call_of_another", "name": "f", "arguments": "{}"}
        service.simulator.conversations.create_items(row["upstream_id"], {"items": [call]})
        again = await run_on(service, run["thread_id"], run["assistant_id"], "SAY two")
        told = known(service)
        others = await tidied(service, asked_for=3)

        assert again["status"] == "completed"
        assert (await states(service, again))[0]["reason"] == "unanswered_calls"
        assert others[2] == f"DELETE /conversations/{row['upstream_id']}"
        assert told == ["user: SAY one", "assistant: one", "user: SAY two"]


async def test_calls_that_nobody_answered_are_left_behind_with_their_conversation() -> None:
    async with emulated(**CONVERSATION) as service:
        waiting = await service.run("CALL get_weather {}", tools=[WEATHER])
        await service.post(f"/threads/{waiting['thread_id']}/runs/{waiting['id']}/cancel")
        run = await run_on(service, waiting["thread_id"], waiting["assistant_id"], "SAY never mind")

        assert run["status"] == "completed"
        assert (await states(service, run))[0]["reason"] == "unanswered_calls"
        assert known(service) == ["user: CALL get_weather {}", "user: SAY never mind"]


async def held(service: Service, thread_id: str) -> Any:
    """Somebody else's response in the thread's conversation, begun and not finished: its lock."""
    row = await anchor(service, thread_id)
    assert row is not None
    body = {"model": "gpt-4o", "conversation": row["upstream_id"], "input": "SAY mine", "stream": True}
    events, _ = await service.simulator.stream(body)
    await anext(events)
    return events


async def test_a_conversation_that_somebody_holds_is_waited_for() -> None:
    async with emulated(**CONVERSATION) as service:
        run = await service.run("SAY one")
        other = await held(service, run["thread_id"])
        await service.post(f"/threads/{run['thread_id']}/messages", role="user", content="SAY two")
        started = await service.post(f"/threads/{run['thread_id']}/runs", assistant_id=run["assistant_id"])
        await tried(service, 3)
        await other.aclose()
        service.clock.advance(0.5)
        ended = await service.rested(started.body)

        assert ended["status"] == "completed"
        assert [sent(body) for body in asked(service)[2:]] == [["user: SAY two"]] * 2
        assert (await states(service, ended))[0]["reason"] is None


async def test_one_that_grew_while_it_was_held_is_replaced() -> None:
    async with emulated(**CONVERSATION) as service:
        run = await service.run("SAY one")
        other = await held(service, run["thread_id"])
        await service.post(f"/threads/{run['thread_id']}/messages", role="user", content="SAY two")
        started = await service.post(f"/threads/{run['thread_id']}/runs", assistant_id=run["assistant_id"])
        await tried(service, 3)
        async for _ in other:
            pass
        service.clock.advance(0.5)
        ended = await service.rested(started.body)

        assert ended["status"] == "completed"
        assert (await states(service, ended))[0]["reason"] == "changed_elsewhere"
        assert known(service) == ["user: SAY one", "assistant: one", "user: SAY two"]


async def tried(service: Service, times: int) -> None:
    """Until the service was asked so many times."""
    async with asyncio.timeout(10):
        while len(asked(service)) < times:
            await asyncio.sleep(0.002)
    await asyncio.sleep(0.01)


async def test_one_that_is_held_too_long_is_done_without_and_told_later_what_it_missed() -> None:
    async with emulated(history="conversation", limits={"conversation_lock_seconds": 1.5}) as service:
        run = await service.run("SAY one")
        other = await held(service, run["thread_id"])
        await service.post(f"/threads/{run['thread_id']}/messages", role="user", content="SAY two")
        started = await service.post(f"/threads/{run['thread_id']}/runs", assistant_id=run["assistant_id"])
        for attempt, seconds in ((3, 0.5), (4, 1.0)):
            await tried(service, attempt)
            service.clock.advance(seconds)
        ended = await service.rested(started.body)
        await other.aclose()
        after = await run_on(service, run["thread_id"], run["assistant_id"], "SAY three")

        assert (ended["status"], after["status"]) == ("completed", "completed")
        assert (await states(service, ended))[0] == {"mode": "local", "continues": None, "reason": "locked"}
        assert (asked(service)[-2]["store"], "conversation" in asked(service)[-2]) == (False, False)
        assert sent(asked(service)[-1]) == ["user: SAY two", "assistant: two", "user: SAY three"]


@pytest.mark.parametrize("text", ["INCOMPLETE max_output_tokens", "FAIL server_error No luck."])
async def test_a_turn_that_did_not_complete_leaves_its_conversation_behind(text: str) -> None:
    async with emulated(**CONVERSATION) as service:
        run = await service.run("SAY one")
        before = await anchor(service, run["thread_id"])
        await run_on(service, run["thread_id"], run["assistant_id"], text)
        again = await run_on(service, run["thread_id"], run["assistant_id"], "SAY three")
        others = await tidied(service, asked_for=3)

        assert before is not None
        assert (await states(service, again))[0]["reason"] == "turn_lost"
        assert others[2] == f"DELETE /conversations/{before['upstream_id']}"
        assert known(service)[:3] == ["user: SAY one", "assistant: one", f"user: {text}"]


async def test_a_refused_request_leaves_the_conversation_as_it_was() -> None:
    async with emulated(**CONVERSATION) as service:
        run = await service.run("SAY one")
        refused = await run_on(service, run["thread_id"], run["assistant_id"], "HTTP 429")
        again = await run_on(service, run["thread_id"], run["assistant_id"], "SAY three")

        assert refused["status"] == "failed"
        assert (await states(service, again))[0]["reason"] is None
        assert sent(asked(service)[-1]) == ["user: HTTP 429", "user: SAY three"]
        assert other_requests(service) == ["POST /conversations"]


async def test_deleting_a_thread_deletes_its_conversation() -> None:
    async with emulated(**CONVERSATION) as service:
        run = await service.run("SAY one")
        row = await anchor(service, run["thread_id"])
        await service.delete(f"/threads/{run['thread_id']}")
        others = await tidied(service, asked_for=2)

        assert row is not None
        assert others[1] == f"DELETE /conversations/{row['upstream_id']}"
        assert await anchor(service, run["thread_id"]) is None


async def test_without_conversations_a_run_sends_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    async with emulated(**CONVERSATION) as service:
        monkeypatch.setattr(place_of(service).upstream, "request", refusing)
        run = await service.run("SAY one")

        assert run["status"] == "completed"
        assert (await states(service, run))[0] == {"mode": "local", "continues": None, "reason": "unavailable"}
        assert asked(service)[0]["store"] is False


async def refusing(method: str, path: str, body: Wire | None = None) -> Wire:
    raise UpstreamError(f"Nothing is at {method} {path}.", status=404, body=body)


@pytest.mark.parametrize("manner", [Manner.CONVERSATION_BY_STRING, Manner.DROPS_FIRST_ITEMS, Manner.NO_LOCKS])
async def test_s1_s2_s13_servers_that_do_it_otherwise_are_borne(manner: Manner) -> None:
    async with emulated(**CONVERSATION) as service:
        service.simulator.manners = Manners([manner])
        run = await service.run("SAY one")
        await run_on(service, run["thread_id"], run["assistant_id"], "SAY two")

        assert known(service) == ["user: SAY one", "assistant: one", "user: SAY two"]


@pytest.mark.parametrize("status", [404, 503])
async def test_a_conversation_that_cannot_be_deleted_yet_is_deleted_later(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with emulated(**CONVERSATION) as service:
        run = await service.run("SAY one")
        attempts: list[str] = []

        async def failing(method: str, path: str, body: Wire | None = None) -> Wire:
            attempts.append(f"{method} {path}")
            raise UpstreamError("Not now.", status=status, body=body)

        with monkeypatch.context() as patch:
            patch.setattr(place_of(service).upstream, "request", failing)
            await service.delete(f"/threads/{run['thread_id']}")
            service.clock.advance(SWEEP_SECONDS)
            while not attempts:
                await asyncio.sleep(0.002)
            await asyncio.sleep(0.02)
        left = await service.store.read(
            lambda session: session.get_page(ObjectKind.CLEANUP_INTENT, limit=9, order="asc").data, tenant="default"
        )

    assert len(left) == (0 if status == 404 else 1)


# -- Processes that die ----------------------------------------------------------------------------------------------


class Unheard(SimulatedUpstream):
    """A service that answers, and whose answers never arrive once `deaf` is set."""

    deaf = False

    async def create_response(self, body: bytes) -> UpstreamResponse:
        response = await super().create_response(body)
        if self.deaf:
            await asyncio.Event().wait()
        return response

    async def aclose(self) -> None:
        """It outlives those who ask it."""


@asynccontextmanager
async def process(folder: Path, upstream: Unheard, clock: StandingClock) -> AsyncGenerator[Service]:
    """One life of a process on the folder's store; it ends in the middle of whatever it does."""
    settings = Settings.model_validate({**CONVERSATION, "simulate": True, "limits": {"drain_seconds": 0}})
    store = await open_store(f"sqlite:///{folder / 'threads.db'}")
    backend = assemble(settings, store=store, upstream=upstream, clock=clock)
    try:
        yield Service(backend, upstream.simulator, clock, store)
    finally:
        await backend.aclose()


async def test_an_answer_that_was_never_written_down_is_neither_lost_nor_said_twice(tmp_path: Path) -> None:
    clock, simulator = StandingClock(), Simulator()
    upstream = Unheard(simulator)
    async with process(tmp_path, upstream, clock) as service:
        run = await service.run("SAY one")
        old = await anchor(service, run["thread_id"])
        upstream.deaf = True
        await service.post(f"/threads/{run['thread_id']}/messages", role="user", content="SAY two")
        started = await service.post(f"/threads/{run['thread_id']}/runs", assistant_id=run["assistant_id"])
        await tried(service, 2)
    upstream.deaf = False
    async with process(tmp_path, upstream, clock) as service:
        ended = await service.rested(started.body)
        row = await anchor(service, run["thread_id"])
        assert row is not None
        items = simulator.conversations.list_items(row["upstream_id"], {"order": "asc"})["data"]
        messages = await service.messages(ended)

    told = [item["content"][0]["text"] for item in items]
    assert old is not None
    assert row["upstream_id"] != old["upstream_id"]
    assert ended["status"] == "completed"
    assert told == ["SAY one", "one", "SAY two", "two"]
    assert [text_of(message) for message in messages] == told

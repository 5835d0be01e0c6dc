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
    describe_input,
    describe_known_items,
    engine_context_of,
    get_continuation,
    list_other_requests,
    list_response_requests,
    list_turn_states,
    run_to_rest,
    wait_for_cleanup,
)
from tests.emulated_service import WEATHER, EmulatedService, message_text, open_service
from tests.manual_clock import ManualClock
from threadbridge.api_types import JsonMapping, JsonObject
from threadbridge.errors import UpstreamError
from threadbridge.ports import ObjectKind, UpstreamResponse
from threadbridge.settings import Settings
from threadbridge_adapters.composition import assemble_backend
from threadbridge_adapters.simulator import ServerQuirk, SimulatedUpstream, Simulator
from threadbridge_adapters.simulator._server_quirks import ServerQuirks
from threadbridge_adapters.stores import open_store

CONVERSATION: dict[str, Any] = {"history": "conversation"}


async def test_a_conversation_is_made_with_the_first_run_and_told_what_it_does_not_know() -> None:
    async with open_service(**CONVERSATION) as service:
        thread_id = await service.create_thread("SAY one")
        nothing_yet = list(service.simulator.requests)
        assistant_id = await service.create_assistant(instructions="Be brief.")
        await run_to_rest(service, thread_id, assistant_id)
        second = await run_to_rest(service, thread_id, assistant_id, "SAY two")
        [conversation_id] = {body["conversation"] for body in list_response_requests(service)}

        assert nothing_yet == []
        assert list_other_requests(service) == ["POST /conversations"]
        assert service.simulator.conversations.retrieve(conversation_id)["metadata"] == {"thread_id": thread_id}
        assert [describe_input(body) for body in list_response_requests(service)] == [
            ["user: SAY one"],
            ["user: SAY two"],
        ]
        assert describe_known_items(service) == ["user: SAY one", "assistant: one", "user: SAY two"]
        assert (await list_turn_states(service, second))[0] == {
            "mode": "conversation",
            "continues": conversation_id,
            "reason": None,
        }


async def test_the_conversation_holds_what_the_thread_holds() -> None:
    async with open_service(**CONVERSATION) as service:
        run = await service.run_to_rest("CALL get_weather {}\nSAY done", tools=[WEATHER])
        await service.submit_outputs(run, "rain")
        await run_to_rest(service, run["thread_id"], run["assistant_id"], "SAY more")
        row = await get_continuation(service, run["thread_id"])
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
        assert describe_input(list_response_requests(service)[1]) == ["function_call_output rain"]


async def test_a_conversation_that_was_deleted_at_the_service_is_made_anew_within_the_turn() -> None:
    async with open_service(**CONVERSATION) as service:
        run = await service.run_to_rest("SAY one")
        before = await get_continuation(service, run["thread_id"])
        assert before is not None
        service.simulator.conversations.delete(before["upstream_id"])
        again = await run_to_rest(service, run["thread_id"], run["assistant_id"], "SAY two")
        after = await get_continuation(service, run["thread_id"])

        assert again["status"] == "completed"
        assert (await list_turn_states(service, again))[0]["reason"] == "not_found"
        assert after is not None
        assert after["upstream_id"] != before["upstream_id"]
        assert describe_known_items(service) == ["user: SAY one", "assistant: one", "user: SAY two"]


async def test_a_conversation_with_a_call_nobody_here_knows_is_replaced_and_deleted() -> None:
    async with open_service(**CONVERSATION) as service:
        run = await service.run_to_rest("SAY one")
        row = await get_continuation(service, run["thread_id"])
        assert row is not None
        call = {"type": "function_call", "call_id": "call_of_another", "name": "f", "arguments": "{}"}
        service.simulator.conversations.create_items(row["upstream_id"], {"items": [call]})
        again = await run_to_rest(service, run["thread_id"], run["assistant_id"], "SAY two")
        told = describe_known_items(service)
        others = await wait_for_cleanup(service, request_count=3)

        assert again["status"] == "completed"
        assert (await list_turn_states(service, again))[0]["reason"] == "unanswered_calls"
        assert others[2] == f"DELETE /conversations/{row['upstream_id']}"
        assert told == ["user: SAY one", "assistant: one", "user: SAY two"]


async def test_calls_that_nobody_answered_are_left_behind_with_their_conversation() -> None:
    async with open_service(**CONVERSATION) as service:
        waiting = await service.run_to_rest("CALL get_weather {}", tools=[WEATHER])
        await service.post(f"/threads/{waiting['thread_id']}/runs/{waiting['id']}/cancel")
        run = await run_to_rest(service, waiting["thread_id"], waiting["assistant_id"], "SAY never mind")

        assert run["status"] == "completed"
        assert (await list_turn_states(service, run))[0]["reason"] == "unanswered_calls"
        assert describe_known_items(service) == ["user: CALL get_weather {}", "user: SAY never mind"]


async def held(service: EmulatedService, thread_id: str) -> Any:
    """Somebody else's response in the thread's conversation, begun and not finished: its lock."""
    row = await get_continuation(service, thread_id)
    assert row is not None
    body = {"model": "gpt-4o", "conversation": row["upstream_id"], "input": "SAY mine", "stream": True}
    events, _ = await service.simulator.stream_response(body)
    await anext(events)
    return events


async def test_a_conversation_that_somebody_holds_is_waited_for() -> None:
    async with open_service(**CONVERSATION) as service:
        run = await service.run_to_rest("SAY one")
        other = await held(service, run["thread_id"])
        await service.post(f"/threads/{run['thread_id']}/messages", role="user", content="SAY two")
        started = await service.post(f"/threads/{run['thread_id']}/runs", assistant_id=run["assistant_id"])
        await tried(service, 3)
        await other.aclose()
        service.clock.advance(0.5)
        ended = await service.wait_until_rest(started.body)

        assert ended["status"] == "completed"
        assert [describe_input(body) for body in list_response_requests(service)[2:]] == [["user: SAY two"]] * 2
        assert (await list_turn_states(service, ended))[0]["reason"] is None


async def test_one_that_grew_while_it_was_held_is_replaced() -> None:
    async with open_service(**CONVERSATION) as service:
        run = await service.run_to_rest("SAY one")
        other = await held(service, run["thread_id"])
        await service.post(f"/threads/{run['thread_id']}/messages", role="user", content="SAY two")
        started = await service.post(f"/threads/{run['thread_id']}/runs", assistant_id=run["assistant_id"])
        await tried(service, 3)
        async for _ in other:
            pass
        service.clock.advance(0.5)
        ended = await service.wait_until_rest(started.body)

        assert ended["status"] == "completed"
        assert (await list_turn_states(service, ended))[0]["reason"] == "changed_elsewhere"
        assert describe_known_items(service) == ["user: SAY one", "assistant: one", "user: SAY two"]


async def tried(service: EmulatedService, times: int) -> None:
    """Until the service was asked so many times."""
    async with asyncio.timeout(10):
        while len(list_response_requests(service)) < times:
            await asyncio.sleep(0.002)
    await asyncio.sleep(0.01)


async def test_one_that_is_held_too_long_is_done_without_and_told_later_what_it_missed() -> None:
    async with open_service(history="conversation", limits={"conversation_lock_seconds": 1.5}) as service:
        run = await service.run_to_rest("SAY one")
        other = await held(service, run["thread_id"])
        await service.post(f"/threads/{run['thread_id']}/messages", role="user", content="SAY two")
        started = await service.post(f"/threads/{run['thread_id']}/runs", assistant_id=run["assistant_id"])
        for attempt, seconds in ((3, 0.5), (4, 1.0)):
            await tried(service, attempt)
            service.clock.advance(seconds)
        ended = await service.wait_until_rest(started.body)
        await other.aclose()
        after = await run_to_rest(service, run["thread_id"], run["assistant_id"], "SAY three")

        assert (ended["status"], after["status"]) == ("completed", "completed")
        assert (await list_turn_states(service, ended))[0] == {"mode": "local", "continues": None, "reason": "locked"}
        assert (
            list_response_requests(service)[-2]["store"],
            "conversation" in list_response_requests(service)[-2],
        ) == (False, False)
        assert describe_input(list_response_requests(service)[-1]) == [
            "user: SAY two",
            "assistant: two",
            "user: SAY three",
        ]


@pytest.mark.parametrize("text", ["INCOMPLETE max_output_tokens", "FAIL server_error No luck."])
async def test_a_turn_that_did_not_complete_leaves_its_conversation_behind(text: str) -> None:
    async with open_service(**CONVERSATION) as service:
        run = await service.run_to_rest("SAY one")
        before = await get_continuation(service, run["thread_id"])
        await run_to_rest(service, run["thread_id"], run["assistant_id"], text)
        again = await run_to_rest(service, run["thread_id"], run["assistant_id"], "SAY three")
        others = await wait_for_cleanup(service, request_count=3)

        assert before is not None
        assert (await list_turn_states(service, again))[0]["reason"] == "turn_lost"
        assert others[2] == f"DELETE /conversations/{before['upstream_id']}"
        assert describe_known_items(service)[:3] == ["user: SAY one", "assistant: one", f"user: {text}"]


async def test_a_refused_request_leaves_the_conversation_as_it_was() -> None:
    async with open_service(**CONVERSATION) as service:
        run = await service.run_to_rest("SAY one")
        refused = await run_to_rest(service, run["thread_id"], run["assistant_id"], "HTTP 429")
        again = await run_to_rest(service, run["thread_id"], run["assistant_id"], "SAY three")

        assert refused["status"] == "failed"
        assert (await list_turn_states(service, again))[0]["reason"] is None
        assert describe_input(list_response_requests(service)[-1]) == ["user: HTTP 429", "user: SAY three"]
        assert list_other_requests(service) == ["POST /conversations"]


async def test_a_request_rejected_for_no_known_reason_with_and_without_the_conversation_leaves_it_as_it_was() -> None:
    async with open_service(**CONVERSATION) as service:
        run = await service.run_to_rest("SAY one")
        before = await get_continuation(service, run["thread_id"])
        rejected = await run_to_rest(service, run["thread_id"], run["assistant_id"], "HTTP 400")
        after = await get_continuation(service, run["thread_id"])
        again = await run_to_rest(service, run["thread_id"], run["assistant_id"], "SAY three")

        assert before is not None
        assert rejected["status"] == "failed"
        assert after == before
        assert (await list_turn_states(service, again))[0]["reason"] is None
        assert f"DELETE /conversations/{before['upstream_id']}" not in list_other_requests(service)


async def test_deleting_a_thread_deletes_its_conversation() -> None:
    async with open_service(**CONVERSATION) as service:
        run = await service.run_to_rest("SAY one")
        row = await get_continuation(service, run["thread_id"])
        await service.delete(f"/threads/{run['thread_id']}")
        others = await wait_for_cleanup(service, request_count=2)

        assert row is not None
        assert others[1] == f"DELETE /conversations/{row['upstream_id']}"
        assert await get_continuation(service, run["thread_id"]) is None


async def test_without_conversations_a_run_sends_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_service(**CONVERSATION) as service:
        monkeypatch.setattr(engine_context_of(service).upstream, "request", refusing)
        run = await service.run_to_rest("SAY one")

        assert run["status"] == "completed"
        assert (await list_turn_states(service, run))[0] == {
            "mode": "local",
            "continues": None,
            "reason": "unavailable",
        }
        assert list_response_requests(service)[0]["store"] is False


async def refusing(method: str, path: str, body: JsonMapping | None = None) -> JsonObject:
    raise UpstreamError(f"Nothing is at {method} {path}.", status=404, body=body)


@pytest.mark.parametrize(
    "manner", [ServerQuirk.CONVERSATION_BY_STRING, ServerQuirk.DROPS_FIRST_ITEMS, ServerQuirk.NO_LOCKS]
)
async def test_s1_s2_s13_servers_that_do_it_otherwise_are_borne(manner: ServerQuirk) -> None:
    async with open_service(**CONVERSATION) as service:
        service.simulator.quirks = ServerQuirks([manner])
        run = await service.run_to_rest("SAY one")
        await run_to_rest(service, run["thread_id"], run["assistant_id"], "SAY two")

        assert describe_known_items(service) == ["user: SAY one", "assistant: one", "user: SAY two"]


@pytest.mark.parametrize("status", [404, 503])
async def test_a_conversation_that_cannot_be_deleted_yet_is_deleted_later(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_service(**CONVERSATION) as service:
        run = await service.run_to_rest("SAY one")
        attempts: list[str] = []

        async def failing(method: str, path: str, body: JsonMapping | None = None) -> JsonObject:
            attempts.append(f"{method} {path}")
            raise UpstreamError("Not now.", status=status, body=body)

        with monkeypatch.context() as patch:
            patch.setattr(engine_context_of(service).upstream, "request", failing)
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
async def process(folder: Path, upstream: Unheard, clock: ManualClock) -> AsyncGenerator[EmulatedService]:
    """One life of a process on the folder's store; it ends in the middle of whatever it does."""
    settings = Settings.model_validate({**CONVERSATION, "simulate": True, "limits": {"drain_seconds": 0}})
    store = await open_store(f"sqlite:///{folder / 'threads.db'}")
    backend = assemble_backend(settings, store=store, upstream=upstream, clock=clock)
    try:
        yield EmulatedService(backend, upstream.simulator, clock, store)
    finally:
        await backend.aclose()


async def test_an_answer_that_was_never_written_down_is_neither_lost_nor_said_twice(tmp_path: Path) -> None:
    clock, simulator = ManualClock(), Simulator()
    upstream = Unheard(simulator)
    async with process(tmp_path, upstream, clock) as service:
        run = await service.run_to_rest("SAY one")
        old = await get_continuation(service, run["thread_id"])
        upstream.deaf = True
        await service.post(f"/threads/{run['thread_id']}/messages", role="user", content="SAY two")
        started = await service.post(f"/threads/{run['thread_id']}/runs", assistant_id=run["assistant_id"])
        await tried(service, 2)
    upstream.deaf = False
    async with process(tmp_path, upstream, clock) as service:
        ended = await service.wait_until_rest(started.body)
        row = await get_continuation(service, run["thread_id"])
        assert row is not None
        items = simulator.conversations.list_items(row["upstream_id"], {"order": "asc"})["data"]
        messages = await service.list_messages(ended)

    told = [item["content"][0]["text"] for item in items]
    assert old is not None
    assert row["upstream_id"] != old["upstream_id"]
    assert ended["status"] == "completed"
    assert told == ["SAY one", "one", "SAY two", "two"]
    assert [message_text(message) for message in messages] == told

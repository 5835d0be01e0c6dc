"""What of a thread reaches the model, what is kept of the choice, and that nothing is counted twice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, cast

import pytest

from tests.bridge.engine.backend_process import (
    BackendProcess,
    has_status,
    list_texts,
    queue_run,
    run_backend,
    wait_until,
)
from tests.emulated_service import WEATHER, EmulatedService, message_text, open_service
from tests.manual_clock import ManualClock
from tests.request_context import CONTEXT
from threadbridge.api_types import JsonMapping, JsonValue, MessageObject, RunObject
from threadbridge.engine.backend import ResponsesBackend
from threadbridge.ports import Session, Turn
from threadbridge_adapters.simulator import FunctionCall, Reasoning, Scenario, ScriptedResponse

SMALL: dict[str, Any] = {"models": {"gpt-4o": {"model": "gpt-4o", "context_tokens": 120}}}


async def turns(service: EmulatedService, run: RunObject) -> list[Turn]:
    assert isinstance(service.backend, ResponsesBackend)
    place = service.backend._ctx  # pyright: ignore[reportPrivateUsage]

    def look(session: Session) -> list[Turn]:
        return list(session.list_turns(run["id"]))

    return await place.store.read(look, tenant=place.tenant)


async def report(service: EmulatedService, run: RunObject) -> JsonMapping:
    (turn,) = await turns(service, run)
    assert turn.report is not None
    return turn.report


async def run_on(service: EmulatedService, thread_id: str, **body: object) -> RunObject:
    assistant_id = await service.create_assistant()
    started = await service.post(f"/threads/{thread_id}/runs", assistant_id=assistant_id, **body)
    return await service.wait_until_rest(started.body)


async def test_a_turn_keeps_what_was_sent_and_dropped_and_why() -> None:
    async with open_service(**SMALL) as service:
        run = await run_on(
            service, await service.create_thread(*["twelve words of text to fill a line with something " * 2] * 9)
        )
        found = await report(service, run)

    history = found["history"]
    assert history["sent"]["messages"] + history["dropped"]["messages"] == 9
    assert history["dropped"]["reason"] == "context"
    assert 0 < history["sent"]["tokens"] <= history["budget"]["tokens"] == 120
    assert [span["messages"] for span in history["spans"]] == [1, history["sent"]["messages"] - 1]
    assert found["model"] == {"requested": "gpt-4o", "asked": "gpt-4o", "reasoning_effort": None}


async def test_a_turn_that_was_not_asked_keeps_why() -> None:
    async with open_service() as service:
        run = await service.run_to_rest("long " * 100, run={"max_prompt_tokens": 16})
        found = await report(service, run)

    assert found["history"]["fits"] is False
    assert found["history"]["budget"] == {"tokens": 16, "source": "max_prompt_tokens"}
    assert found["history"]["dropped"] == {"messages": 1, "tokens": 105, "reason": "max_prompt_tokens"}


async def test_last_messages_are_reported_as_asked_for() -> None:
    async with open_service() as service:
        thread_id = await service.create_thread("one", "two", "three")
        run = await run_on(service, thread_id, truncation_strategy={"type": "last_messages", "last_messages": 2})
        history = (await report(service, run))["history"]

    assert (history["sent"]["messages"], history["dropped"]["messages"]) == (2, 1)
    assert history["dropped"]["reason"] == "truncation_strategy"


async def test_the_warnings_of_a_turn_are_kept() -> None:
    async with open_service() as service:
        run = await service.run_to_rest("Hi", model="gpt-6.2-sol", temperature=0.5)
        found = await report(service, run)

    assert found["warnings"] == ["The model gpt-6.2-sol does not accept temperature; 0.5 has no effect."]


async def test_no_text_is_counted_twice_in_the_life_of_a_store(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: Counter[str] = Counter()

    def count(text: str) -> int:
        counted[text] += 1
        return len(text)

    monkeypatch.setattr("threadbridge_adapters.token_counter.create_token_counter", lambda: count)
    async with open_service() as service:
        thread_id = await service.create_thread("first of all", "CALL get_weather {}")
        assistant_id = await service.create_assistant(tools=[WEATHER])
        for _ in range(2):
            run = await service.wait_until_rest(
                (await service.post(f"/threads/{thread_id}/runs", assistant_id=assistant_id)).body
            )
            await service.submit_outputs(run, f"sunny {run['id']}")
            await service.post(f"/threads/{thread_id}/messages/{await newest(service, thread_id)}", metadata={"a": "b"})
            await service.post(
                f"/threads/{thread_id}/messages", role="user", content=f"CALL get_weather {{}} {run['id']}"
            )
        texts = {
            message_text(message) for message in (await service.get(f"/threads/{thread_id}/messages")).body["data"]
        }

    assert {text: counted[text] for text in texts if counted[text] != 1} == {}
    assert counted["first of all"] == 1


async def test_no_text_is_counted_again_after_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: Counter[str] = Counter()

    def count(text: str) -> int:
        counted[text] += 1
        return len(text)

    async def ask(life: BackendProcess, asked: RunObject) -> list[str]:
        thread_id = asked["thread_id"]
        await life.backend.create_message(CONTEXT, thread_id, {"role": "user", "content": f"again, {len(counted)}"})
        run = await life.backend.create_run(CONTEXT, thread_id, {"assistant_id": asked["assistant_id"]})
        await wait_until(life, run, has_status("completed"))
        return await list_texts(life, thread_id)

    monkeypatch.setattr("threadbridge_adapters.token_counter.create_token_counter", lambda: count)
    clock = ManualClock()
    async with run_backend(tmp_path, clock) as life:
        asked = await wait_until(life, await queue_run(life, "first of all"), has_status("completed"))
        await ask(life, asked)
    async with run_backend(tmp_path, clock) as life:
        await ask(life, asked)
        said = await ask(life, asked)

    assert len(said) == 8
    assert {text: counted[text] for text in said} == dict.fromkeys(said, 1)


async def newest(service: EmulatedService, thread_id: str) -> str:
    return str((await service.get(f"/threads/{thread_id}/messages", limit="1")).body["data"][0]["id"])


async def test_imported_messages_are_counted_when_a_run_first_meets_them() -> None:
    async with open_service() as service:
        assert isinstance(service.backend, ResponsesBackend)
        place = service.backend._ctx  # pyright: ignore[reportPrivateUsage]
        await service.backend.warm_up()
        thread_id = await service.create_thread()
        body = {"id": "msg_old", "object": "thread.message", "created_at": 1, "thread_id": thread_id, "role": "user"}
        content: JsonValue = [{"type": "text", "text": {"value": "from long ago", "annotations": []}}]
        message = cast("MessageObject", {**body, "content": content})
        await place.store.write(
            lambda session: session.append_entries(thread_id, [entry(message)]),
            tenant=place.tenant,
        )

        await run_on(service, thread_id)
        places = await place.store.read(lambda session: session.list_positions(thread_id, limit=9), tenant=place.tenant)

    assert [found.token_count is not None for found in places] == [True, True]


def entry(message: MessageObject) -> Any:
    from threadbridge.ports import Entry

    return Entry(message=message)


async def test_reasoning_weighs_within_its_run_only() -> None:
    async with open_service() as service:
        service.simulator.enqueue(
            Scenario(response=ScriptedResponse([Reasoning("thought", tokens=9), FunctionCall("get_weather", "{}")]))
        )
        run = await service.submit_outputs(await service.run_to_rest("Hi", tools=[WEATHER], model="gpt-6-sol"))
        first, second = [turn.report for turn in await turns(service, run)]
        assert first is not None
        assert second is not None

    assert second["history"]["sent"]["entries"] > first["history"]["sent"]["entries"]

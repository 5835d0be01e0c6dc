"""Where tokens are counted: never inside a transaction, and on the event loop only where that is quick."""

from __future__ import annotations

import threading

import pytest

from tests.emulated_service import WEATHER, open_service
from threadbridge.engine.token_counts import MAX_INLINE_CHARACTERS, TokenCounting
from threadbridge.ports import Entry, WarmsUp, WireRequest
from threadbridge.wire import dispatch
from threadbridge.wire.dispatch import LARGE_BODY_BYTES
from threadbridge.wire.request_parser import OperationCall, parse_request

LARGE = "many words " * (MAX_INLINE_CHARACTERS // 10)


class RecordingCounter:
    """Counts characters, and records on which thread it was asked for which text."""

    def __init__(self) -> None:
        self.threads: list[tuple[str, threading.Thread]] = []

    def is_loaded(self) -> bool:
        return bool(self.threads)

    def __call__(self, text: str) -> int:
        self.threads.append((text, threading.current_thread()))
        return len(text)

    def threads_of(self, text: str) -> list[threading.Thread]:
        return [thread for counted, thread in self.threads if counted == text]


async def test_no_transaction_and_no_loop_counts_a_large_text(monkeypatch: pytest.MonkeyPatch) -> None:
    counter = RecordingCounter()
    monkeypatch.setattr("threadbridge_adapters.token_counter.create_token_counter", lambda: counter)
    async with open_service() as service:
        assistant_id = await service.create_assistant(tools=[WEATHER])
        thread_id = await service.create_thread(f"1 {LARGE}", "CALL get_weather {}")
        run = await service.wait_until_rest(
            (await service.post(f"/threads/{thread_id}/runs", assistant_id=assistant_id)).body
        )
        await service.submit_outputs(run, f"2 {LARGE}")
        await service.post(f"/threads/{thread_id}/messages", role="user", content=f"3 {LARGE}")
        parts = [{"type": "text", "text": f"4 {LARGE}"}]
        await service.post(f"/threads/{thread_id}/messages", role="user", content=parts)

    for text in (f"{number} {LARGE}" for number in range(1, 5)):
        (thread,) = counter.threads_of(text)
        assert thread is not threading.current_thread()
        assert not thread.name.startswith("threadbridge-store")


async def test_the_tokenizer_is_loaded_off_the_loop_and_small_texts_need_no_count_before_the_transaction() -> None:
    counter = RecordingCounter()
    counting = TokenCounting(counter, counter.is_loaded)

    await counting.load()
    counts, is_large = await counting.count_body({"content": "small"})
    await counting.count_entries([Entry(item={"type": "function_call_output", "call_id": "call_1", "output": "short"})])

    assert [thread is threading.current_thread() for _, thread in counter.threads] == [False, True]
    assert (counts, is_large) == ({}, False)


async def test_a_body_that_is_not_valid_yet_is_counted_as_far_as_it_has_texts() -> None:
    counting = TokenCounting(len, lambda: True)

    counts, is_large = await counting.count_body(
        {
            "content": [{"type": "text", "text": "one"}, {"text": 2}, None],
            "thread": {"messages": [{"content": LARGE}, "four"], "thread": {"messages": [{"content": "five"}]}},
            "additional_messages": {"content": "six"},
            "tool_outputs": [{"output": "seven"}, {"output": 8}],
        }
    )

    assert (counts, is_large) == ({"one": 3, LARGE: len(LARGE), "seven": 5}, True)


async def test_a_backend_loads_its_tokenizer_before_a_server_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    counter = RecordingCounter()
    monkeypatch.setattr("threadbridge_adapters.token_counter.create_token_counter", lambda: counter)
    async with open_service() as service:
        assert isinstance(service.backend, WarmsUp)
        await service.backend.warm_up()

    assert len(counter.threads) == 1


async def test_a_large_body_is_parsed_off_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []
    parse = parse_request

    def record(request: WireRequest, *, max_body_bytes: int) -> OperationCall:
        threads.append(threading.current_thread())
        return parse(request, max_body_bytes=max_body_bytes)

    monkeypatch.setattr(dispatch, "parse_request", record)
    async with open_service() as service:
        thread_id = await service.create_thread()
        await service.post(f"/threads/{thread_id}/messages", role="user", content="small")
        await service.post(f"/threads/{thread_id}/messages", role="user", content="x" * LARGE_BODY_BYTES)

    assert [thread is threading.current_thread() for thread in threads] == [True, True, False]


async def test_short_threads_are_answered_without_a_tokenizer(monkeypatch: pytest.MonkeyPatch) -> None:
    counter = RecordingCounter()
    monkeypatch.setattr("threadbridge_adapters.token_counter.create_token_counter", lambda: counter)
    async with open_service() as service:
        run = await service.run_to_rest("SAY one")

    assert run["status"] == "completed"
    assert not counter.threads


async def test_a_history_that_may_not_fit_is_counted_by_the_tokenizer(monkeypatch: pytest.MonkeyPatch) -> None:
    counter = RecordingCounter()
    monkeypatch.setattr("threadbridge_adapters.token_counter.create_token_counter", lambda: counter)
    async with open_service() as service:
        run = await service.run_to_rest("SAY one, two, three, four", run={"max_prompt_tokens": 16})

    assert run["status"] == "incomplete"
    (text, thread), *_ = counter.threads
    assert text == ""
    assert thread is not threading.current_thread()
    assert not thread.name.startswith("threadbridge-store")


async def test_many_short_texts_load_the_tokenizer() -> None:
    counter = RecordingCounter()
    counting = TokenCounting(counter, counter.is_loaded)

    loaded = [(await counting.count_body({"content": "short"}), counter.is_loaded())[1] for _ in range(100)]

    assert (loaded[0], loaded[-1]) == (False, True)
    assert [thread is threading.current_thread() for _, thread in counter.threads] == [False]

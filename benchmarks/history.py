"""Selecting a run's history on a thread of 100,000 messages compared with one of 1,000; and sending 1,000 items.

Measured in this process. Selection is timed separately, on a file store whose messages have stored token counts.
The items are sent by a complete run of the responses backend, compared with the equivalent typed call of the SDK.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from openai import AsyncOpenAI
from openai.types.responses import ResponseInputParam
from openai.types.responses.response_output_text_param import ResponseOutputTextParam

from benchmarks import _processes
from benchmarks._litellm import MODEL
from benchmarks._request_context import CONTEXT
from benchmarks._results import Row, make_ratio_row
from benchmarks._sample_sizes import Effort
from threadbridge.api_types import (
    CreateMessageBody,
    CreateRunBody,
    MessageObject,
    MessageRole,
    RunObject,
    TruncationStrategy,
)
from threadbridge.context_window.history_selector import SelectedHistory, select_history
from threadbridge.context_window.tokens import HistoryRules, add_token_counts
from threadbridge.ports import Backend, Entry, Session, Store
from threadbridge.runtime.clock_and_ids import new_id
from threadbridge.service import assistants, messages, runs, threads
from threadbridge.service.context import ServiceContext, ServiceRules
from threadbridge.settings import Settings, TruncationSettings, UpstreamSettings
from threadbridge_adapters.composition import open_backend
from threadbridge_adapters.stores import open_store
from threadbridge_adapters.token_counter import create_token_counter

SELECTION_BOUND = 1.2
SENDING_BOUND = 0.03
SHORT_THREAD = 1_000
#: The context window of gpt-4, smaller than both threads.
WINDOW = TruncationSettings(context_tokens=6_144)
#: Messages per transaction while the threads are prepared.
BATCH_SIZE = 5_000
TENANT = "default"
SECONDS_TO_FINISH = 0.5


def _make_message(number: int) -> CreateMessageBody:
    role: MessageRole = "user" if number % 2 == 0 else "assistant"
    return {"role": role, "content": f"Message {number}, of the usual length. " * 4}


# -- Selection-----------------------------------------------------------------------------------------------------


def _fill_thread(rules: HistoryRules, length: int, session: Session) -> RunObject:
    """A run on a thread of this number of messages, all with token counts."""
    context = ServiceContext(time.time(), new_id, "benchmark", ServiceRules(history=rules))
    thread_id = str(threads.create(session, context, {})["id"])
    question, answer = (messages.create(session, context, thread_id, _make_message(number)) for number in (0, 1))
    for start in range(2, length, BATCH_SIZE):
        numbers = range(start, min(start + BATCH_SIZE, length))
        templates: list[MessageObject] = [answer if number % 2 else question for number in numbers]
        new_messages: list[MessageObject] = [{**template, "id": new_id("msg")} for template in templates]
        session.append_entries(
            thread_id, add_token_counts([Entry(message=message) for message in new_messages], rules.count_tokens)
        )
    assistant = assistants.create(session, context, {"model": MODEL, "instructions": "Be brief."})
    return runs.create(session, context, thread_id, {"assistant_id": assistant["id"]}).run


def _select_history(rules: HistoryRules, run: RunObject, session: Session) -> SelectedHistory:
    return select_history(session, rules, run, prior_usage=None, first=True)


async def _measure_selection_cpu(store: Store, rules: HistoryRules, run: RunObject, times: int) -> float:
    """CPU microseconds of this process for one selection of the run's history."""
    before = time.process_time()
    for _ in range(times):
        await store.read(partial(_select_history, rules, run), tenant=TENANT)
    return (time.process_time() - before) / times * 1e6


async def _measure_selection(effort: Effort, path: Path) -> Row:
    rules = HistoryRules(WINDOW, count_tokens=create_token_counter())
    store = await open_store(f"sqlite:///{path}")
    try:
        long_run = await store.write(partial(_fill_thread, rules, effort.longest_thread), tenant=TENANT)
        short_run = await store.write(partial(_fill_thread, rules, SHORT_THREAD), tenant=TENANT)
        pairs = [
            (
                await _measure_selection_cpu(store, rules, long_run, effort.history_selections),
                await _measure_selection_cpu(store, rules, short_run, effort.history_selections),
            )
            for _ in range(effort.repeats + 1)
        ]
    finally:
        await store.aclose()
    what = f"choosing the history of a run on {effort.longest_thread} messages, CPU"
    # The first pair is a warm-up.
    return make_ratio_row(what, "µs", pairs[1:], beside=f"{SHORT_THREAD} messages", bound=SELECTION_BOUND)


# -- Sending -------------------------------------------------------------------------------------------------------


async def _run_once(backend: Backend, thread_id: str, body: CreateRunBody) -> None:
    """A run from its creation until its message is stored."""
    run = await backend.create_run(CONTEXT, thread_id, body)
    await asyncio.sleep(SECONDS_TO_FINISH)
    status = (await backend.retrieve_run(CONTEXT, thread_id, run["id"])).run["status"]
    if status != "completed":
        raise RuntimeError(f"the run is {status} after {SECONDS_TO_FINISH} s")


async def _request_once(client: AsyncOpenAI, items: ResponseInputParam) -> None:
    """The same request as sent by a program that was migrated by hand."""
    await client.responses.create(model=MODEL, instructions="Be brief.", input=items, store=False)


async def _measure_cpu(work: Callable[[], Awaitable[None]], times: int) -> float:
    """CPU milliseconds of this process for one of `times` calls."""
    before = time.process_time()
    for _ in range(times):
        await work()
    return (time.process_time() - before) / times * 1e3


def _make_typed_items(count: int) -> ResponseInputParam:
    """The items that our run sends, with the fields that the SDK's types also require."""
    items: ResponseInputParam = []
    for number in range(count):
        text = str(_make_message(number)["content"])
        if number % 2 == 0:
            items.append({"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]})
        else:
            part: ResponseOutputTextParam = {"type": "output_text", "text": text, "annotations": []}
            item_id = f"msg_{number}"
            items.append(
                {"type": "message", "id": item_id, "role": "assistant", "status": "completed", "content": [part]}
            )
    return items


async def _measure_sending(effort: Effort, url: str, path: Path) -> Row:
    items = effort.items_sent
    upstream = UpstreamSettings.model_validate({"base_url": url, "api_key": "sk-benchmark"})
    backend = await open_backend(Settings(store=f"sqlite:///{path}", upstream=upstream))
    client = AsyncOpenAI(base_url=url, api_key="sk-benchmark")
    try:
        thread_id = str((await backend.create_thread(CONTEXT, {}))["id"])
        for number in range(items):
            await backend.create_message(CONTEXT, thread_id, _make_message(number))
        assistant = await backend.create_assistant(CONTEXT, {"model": MODEL, "instructions": "Be brief."})
        newest: TruncationStrategy = {"type": "last_messages", "last_messages": items}
        body: CreateRunBody = {"assistant_id": assistant["id"], "truncation_strategy": newest}
        ours, typed = (
            partial(_run_once, backend, thread_id, body),
            partial(_request_once, client, _make_typed_items(items)),
        )
        pairs = [
            (await _measure_cpu(ours, effort.send_repeats), await _measure_cpu(typed, effort.send_repeats))
            for _ in range(effort.repeats + 1)
        ]
    finally:
        await client.close()
        await backend.aclose()
    what = f"whole run that sends {items} items, CPU"
    return make_ratio_row(what, "ms", pairs[1:], beside="the SDK's typed call", bound=SENDING_BOUND)


def measure(effort: Effort, directory: Path, log: Callable[[str], None]) -> list[Row]:
    """Rows for selecting and sending history."""
    log(f"writing a thread of {effort.longest_thread} messages")
    selection_row = asyncio.run(_measure_selection(effort, directory / "choosing.db"))
    with _processes.run_upstream() as upstream:
        sending_row = asyncio.run(_measure_sending(effort, upstream.url, directory / "sending.db"))
    return [selection_row, sending_row]

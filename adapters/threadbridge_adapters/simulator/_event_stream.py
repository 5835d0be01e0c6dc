"""The events of a response and their delivery, also in the background: types, keys, order and numbers as recorded.

The streamed and the plain form of a response come from the same value, so that they always agree.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from threadbridge.api_types import JsonObject
from threadbridge.ports import Clock
from threadbridge_adapters.simulator._scenarios import Scenario
from threadbridge_adapters.simulator._state import ConversationLock, StoredResponse
from threadbridge_adapters.simulator._tokens_and_compaction import split_arguments, split_words

_PLACEHOLDER_NUMBER = -1
_PADDING_BLOCK = 16  # deltas are padded to a multiple of it (recorded)
_PADDING = "aB3dE5fG7hJ9kL2mN4pQ6rS8tU1vW0xY" * 2
#: Failure codes that also have an `error` event (recorded for this one).
_CODES_WITH_ERROR_EVENT = frozenset({"insufficient_quota"})


def build_events(initial: JsonObject, final: JsonObject, *, obfuscated: bool = True) -> Iterator[JsonObject]:
    """All events from `response.created` to the terminal one; `initial` is the response without output."""
    for number, event in enumerate(_build_unnumbered_events(initial, final, obfuscated=obfuscated)):
        event["sequence_number"] = number
        yield event


def _make_event(kind: str, **fields: Any) -> JsonObject:
    """An event with its keys in the recorded order: `type`, then the others by alphabet. Its number is set later."""
    fields["sequence_number"] = _PLACEHOLDER_NUMBER
    return {"type": kind, **dict(sorted(fields.items()))}


def _build_unnumbered_events(initial: JsonObject, final: JsonObject, *, obfuscated: bool) -> Iterator[JsonObject]:
    if initial["background"]:
        queued = {**initial, "status": "queued"}
        yield _make_event("response.created", response=queued)
        yield _make_event("response.queued", response=queued)
    else:
        yield _make_event("response.created", response=initial)
    yield _make_event("response.in_progress", response=initial)
    last = len(final["output"]) - 1
    for index, item in enumerate(final["output"]):
        is_interrupted = final["status"] == "failed" and index == last and item.get("status") == "incomplete"
        yield _make_event("response.output_item.added", item=_make_added_item(item), output_index=index)
        for event in _build_item_events(index, item, obfuscated):
            if is_interrupted and event["type"].endswith(".done"):
                break  # of an item that a failure interrupts, the client receives only deltas
            yield event
        else:
            yield _make_event("response.output_item.done", item=item, output_index=index)
    error = final["error"]
    if error is not None and error["code"] in _CODES_WITH_ERROR_EVENT:
        error_body = {"type": error["code"], "code": error["code"], "message": error["message"], "param": None}
        yield _make_event("error", error=error_body)
    yield _make_event(f"response.{final['status']}", response=final)


def _make_added_item(item: JsonObject) -> JsonObject:
    match item["type"]:
        case "message":
            return {**item, "status": "in_progress", "content": []}
        case "function_call":
            return {**item, "status": "in_progress", "arguments": ""}
        case "file_search_call":
            return {**item, "status": "in_progress", "queries": [], "results": None}
        case "code_interpreter_call":
            outputs: JsonObject = {"outputs": None if item["outputs"] is None else []}
            return {**item, "status": "in_progress", "code": "", **outputs}
        case "compaction":
            return item
        case _:
            return {**item, "summary": []}


def _build_item_events(index: int, item: JsonObject, obfuscated: bool) -> Iterator[JsonObject]:
    """The events of one output item between `output_item.added` and `output_item.done`."""
    where: JsonObject = {"item_id": item["id"], "output_index": index}
    match item["type"]:
        case "message":
            part = item["content"][0]
            part_where: JsonObject = {**where, "content_index": 0}
            empty_part: JsonObject = (
                {**part, "refusal": ""} if part["type"] == "refusal" else {**part, "annotations": [], "text": ""}
            )
            yield _make_event("response.content_part.added", part=empty_part, **part_where)
            if part["type"] == "refusal":
                for piece in split_words(part["refusal"]):
                    yield _make_event("response.refusal.delta", delta=piece, **part_where)  # not padded (recorded)
                yield _make_event("response.refusal.done", refusal=part["refusal"], **part_where)
            else:
                yield from _build_text_events(part, part_where, obfuscated)
            yield _make_event("response.content_part.done", part=part, **part_where)
        case "function_call":
            yield from _make_deltas(
                "response.function_call_arguments.delta", split_arguments(item["arguments"]), where, obfuscated
            )
            yield _make_event("response.function_call_arguments.done", arguments=item["arguments"], **where)
        case "reasoning":
            for number, part in enumerate(item["summary"]):
                summary: JsonObject = {**where, "summary_index": number}
                yield _make_event("response.reasoning_summary_part.added", part={**part, "text": ""}, **summary)
                yield from _make_deltas(
                    "response.reasoning_summary_text.delta", split_words(part["text"]), summary, obfuscated
                )
                yield _make_event("response.reasoning_summary_text.done", text=part["text"], **summary)
                yield _make_event("response.reasoning_summary_part.done", part=part, **summary)
        case "file_search_call":
            for step in ("in_progress", "searching", "completed"):
                yield _make_event(f"response.file_search_call.{step}", **where)
        case "code_interpreter_call":
            yield _make_event("response.code_interpreter_call.in_progress", **where)
            yield from _make_deltas(
                "response.code_interpreter_call_code.delta", split_words(item["code"]), where, obfuscated
            )
            yield _make_event("response.code_interpreter_call_code.done", code=item["code"], **where)
            yield _make_event("response.code_interpreter_call.interpreting", **where)
            yield _make_event("response.code_interpreter_call.completed", **where)
        case _:
            return  # a compaction is complete when it is added


def _build_text_events(part: JsonObject, where: JsonObject, obfuscated: bool) -> Iterator[JsonObject]:
    """Text deltas and annotations: a file citation directly after the text before its index, others after the whole
    text (recorded).
    """
    annotations = [
        (
            annotation,
            _make_event(
                "response.output_text.annotation.added", annotation=annotation, annotation_index=number, **where
            ),
        )
        for number, annotation in enumerate(part["annotations"])
    ]
    pending = deque((note["index"], event) for note, event in annotations if note["type"] == "file_citation")
    template = _make_template("response.output_text.delta", {**where, "logprobs": []}, obfuscated)
    text, end = part["text"], 0
    for word in split_words(text):
        start, end = end, end + len(word)
        while pending and pending[0][0] < end:
            cut, event = pending.popleft()
            if cut > start:
                yield _make_delta(template, text[start:cut])
                start = cut
            yield event
        yield _make_delta(template, text[start:end])
    yield from (event for _, event in pending)
    yield from (event for note, event in annotations if note["type"] != "file_citation")
    yield _make_event("response.output_text.done", logprobs=[], text=text, **where)


def _make_template(kind: str, where: JsonObject, obfuscated: bool) -> JsonObject:
    """A delta event that is copied for every delta of an item: to sort the keys of each would triple its cost."""
    return _make_event(kind, delta="", **where, **({"obfuscation": ""} if obfuscated else {}))


def _make_delta(template: JsonObject, piece: str) -> JsonObject:
    """A delta, padded so that its length does not reveal that of the text."""
    if "obfuscation" not in template:
        return {**template, "delta": piece}
    return {**template, "delta": piece, "obfuscation": _PADDING[: _PADDING_BLOCK - len(piece) % _PADDING_BLOCK]}


def _make_deltas(kind: str, pieces: Iterable[str], where: JsonObject, obfuscated: bool) -> Iterator[JsonObject]:
    template = _make_template(kind, where, obfuscated)
    return (_make_delta(template, piece) for piece in pieces)


TERMINAL_EVENTS = frozenset({"response.completed", "response.incomplete", "response.failed"})


class ConnectionBrokenError(Exception):
    """The script breaks the connection here."""


@dataclass(frozen=True, slots=True)
class ResponseTask:
    """Produces the response to an accepted request. Call `stream_events` or `wait_for_response`, once."""

    request_id: str
    scenario: Scenario
    clock: Clock
    #: Creates all events. The last one contains the finished response.
    make_events: Callable[[], Iterable[JsonObject]]
    #: Creates the response to a request that is not streamed.
    make_plain_response: Callable[[], JsonObject]
    #: Stores the finished response; called before the last event is sent.
    store_response: Callable[[], None]
    #: The lock on the conversation until the response is finished.
    lock: ConversationLock

    async def stream_events(self) -> AsyncGenerator[JsonObject]:
        """The events with the script's delays. Other tasks run between any two events."""
        pause, last = self.scenario.delta_delay, self.scenario.break_after
        self.lock.acquire()
        try:
            if self.scenario.delay:
                await self.clock.sleep(self.scenario.delay)
            for count, event in enumerate(self.make_events()):
                if count == last:
                    break
                if count:
                    await (self.clock.sleep(pause) if pause else asyncio.sleep(0))
                if event["type"] in TERMINAL_EVENTS:
                    self.store_response()
                    self.lock.release()
                yield event
            if last is not None:
                raise ConnectionBrokenError
        finally:
            self.lock.release()

    async def wait_for_response(self) -> JsonObject:
        """The finished response, after the same delay as its stream."""
        self.lock.acquire()
        try:
            if self.scenario.delay:
                await self.clock.sleep(self.scenario.delay)
            if self.scenario.break_after is not None:
                raise ConnectionBrokenError
            if self.scenario.delta_delay:
                await self.clock.sleep(self.scenario.delta_delay * sum(1 for _ in self.make_events()))
            else:
                await asyncio.sleep(0)
            self.store_response()
            return self.make_plain_response()
        finally:
            self.lock.release()


UNFINISHED = frozenset({"queued", "in_progress"})


@dataclass(slots=True)
class _Job:
    task: asyncio.Task[None]
    new_events: asyncio.Event = field(default_factory=asyncio.Event)


class BackgroundJobs:
    """The tasks behind background responses."""

    def __init__(self) -> None:
        self._jobs: dict[str, _Job] = {}

    def start(self, stored_response: StoredResponse, response_task: ResponseTask) -> None:
        """Start producing the response; the stored response shows its progress."""
        response_id = stored_response.body["id"]

        async def produce() -> None:
            async with aclosing(response_task.stream_events()) as events:
                async for event in events:
                    if "response" in event:
                        stored_response.body = event["response"]
                    if stored_response.is_streamed:
                        stored_response.events.append(event)
                    self._notify_followers(response_id)
                    await asyncio.sleep(0)

        task = asyncio.get_running_loop().create_task(produce())
        self._jobs[response_id] = _Job(task)

        def finish(_: asyncio.Task[None]) -> None:
            self._notify_followers(response_id)
            self._jobs.pop(response_id, None)

        task.add_done_callback(finish)

    async def follow_events(self, stored_response: StoredResponse, *, after: int = -1) -> AsyncGenerator[JsonObject]:
        """The events with sequence numbers above `after`, past and future, until the response is terminal."""
        seen = 0
        while True:
            while seen < len(stored_response.events):
                event = stored_response.events[seen]
                seen += 1
                if event["sequence_number"] > after:
                    yield event
            job = self._jobs.get(stored_response.body["id"])
            if job is None:
                return
            job.new_events.clear()
            await job.new_events.wait()

    def cancel(self, stored_response: StoredResponse) -> None:
        """Cancel an unfinished response; a finished one is not changed."""
        if stored_response.body["status"] not in UNFINISHED:
            return
        stored_response.body = {**stored_response.body, "status": "cancelled"}
        job = self._jobs.get(stored_response.body["id"])
        if job is not None:
            job.task.cancel()

    async def aclose(self) -> None:
        """Cancel running tasks and wait for them."""
        tasks = [job.task for job in self._jobs.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _notify_followers(self, response_id: str) -> None:
        job = self._jobs.get(response_id)
        if job is not None:
            job.new_events.set()

"""The simulator itself: one object that answers requests, whatever carries them."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from threadbridge.ports import Clock, IdGenerator, Wire
from threadbridge.runtime.clock_and_ids import SystemClock
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator import _response_objects as objects
from threadbridge_adapters.simulator import _validators as checks
from threadbridge_adapters.simulator._background import BackgroundJobs
from threadbridge_adapters.simulator._compaction import compacted, read_of
from threadbridge_adapters.simulator._containers import Containers
from threadbridge_adapters.simulator._conversations import Conversations
from threadbridge_adapters.simulator._default_reply import compose
from threadbridge_adapters.simulator._event_stream import narrate
from threadbridge_adapters.simulator._files import Files
from threadbridge_adapters.simulator._full_text_search import Index
from threadbridge_adapters.simulator._hosted_tools import HostedTools
from threadbridge_adapters.simulator._ids import new_id as fresh_id
from threadbridge_adapters.simulator._item_pairing import check_pairs, resolve
from threadbridge_adapters.simulator._models import Models
from threadbridge_adapters.simulator._pagination import page
from threadbridge_adapters.simulator._request import (
    PARAMETERS,
    Request,
    check_capabilities,
    check_json_mentioned,
    parse,
)
from threadbridge_adapters.simulator._response_task import TERMINAL, ConnectionBrokenError, Performance
from threadbridge_adapters.simulator._scenarios import Answer, Scenario
from threadbridge_adapters.simulator._server_quirks import Manner, Manners
from threadbridge_adapters.simulator._state import Conversation, Hold, Limits, Memory, StoredResponse
from threadbridge_adapters.simulator._tokens import input_tokens
from threadbridge_adapters.simulator._uploads import Uploads
from threadbridge_adapters.simulator._vector_search import Searches
from threadbridge_adapters.simulator._vector_stores import VectorStores

#: Scenarios for the requests to come, or a function that picks one (None: do the usual).
Script: TypeAlias = Iterable[Scenario] | Callable[[Wire], Scenario | None]

_COUNTED = (
    "conversation",
    "input",
    "instructions",
    "model",
    "parallel_tool_calls",
    "previous_response_id",
    "reasoning",
    "text",
    "tool_choice",
    "tools",
    "truncation",
)


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it arrived."""

    method: str
    path: str
    body: Any


@dataclass(frozen=True, slots=True)
class _Accepted:
    """A request that passed every check."""

    request: Request
    stored: StoredResponse
    performance: Performance


class Simulator:
    """A deterministic stand-in for the Responses service: honest about its rules, scripted in its answers.

    It is never a model: it echoes, obeys the instructions in the last user message (`_language`), or does what the
    script says. Everything is kept in memory within `limits`; `requests` holds what was received, the oldest first.
    With `manners` it behaves, over HTTP, as servers do that are not OpenAI's.
    Close it with `aclose`, which stops background responses.
    """

    def __init__(
        self,
        script: Script = (),
        *,
        clock: Clock | None = None,
        new_id: IdGenerator = fresh_id,
        limits: Limits | None = None,
        models: Models | None = None,
        manners: Collection[Manner] = (),
    ) -> None:
        limits = limits or Limits()
        self.limits = limits
        self.models = models or Models()
        self.manners = Manners(manners)
        self.clock = clock or SystemClock()
        self.new_id = new_id
        self.requests: deque[Received] = deque(maxlen=limits.requests)
        self._pick: Callable[[Wire], Scenario | None] | None = script if callable(script) else None
        self._queue: deque[Scenario] = deque(() if callable(script) else script)
        self._memory = Memory(limits, self.clock)
        self._jobs = BackgroundJobs()
        self._index = Index()
        self.conversations = Conversations(self._memory, self.clock, new_id)
        self.files = Files(limits, self.clock, new_id)
        self.uploads = Uploads(self.files, limits, self.clock, new_id)
        self.vector_stores = VectorStores(self.files, self._index, limits, self.clock, new_id)
        self.searches = Searches(self.vector_stores, self._index)
        self.containers = Containers(self.files, limits, self.clock, new_id)
        self._tools = HostedTools(self.files, self.vector_stores, self.searches, self.containers)

    def enqueue(self, *scenarios: Scenario) -> None:
        """Play these for the next responses to be created, in order, before anything else."""
        self._queue.extend(scenarios)

    async def aclose(self) -> None:
        """Stop background responses, and forget what can be searched."""
        await self._jobs.aclose()
        self._index.close()

    async def create(self, raw: Any) -> tuple[Wire, str]:
        """Make a response and give it whole, with the request's id; a background one as it is queued."""
        accepted = self._accept(raw)
        performance = accepted.performance
        if accepted.request.background:
            self._start(accepted)
            return self._shown(accepted.stored), performance.request_id
        return await performance.whole(), performance.request_id

    async def stream(self, raw: Any) -> tuple[AsyncGenerator[Wire], str]:
        """Make a response and give its events, with the request's id. Refusals are raised here, not while iterating."""
        accepted = self._accept(raw)
        performance = accepted.performance
        if not accepted.request.background:
            return performance.events(), performance.request_id
        self._start(accepted)
        events = self._jobs.follow(accepted.stored)
        return _breaking(events, performance.scenario.break_after), performance.request_id

    def retrieve(self, response_id: str) -> Wire:
        """A stored response."""
        return self._shown(self._memory.response(response_id))

    def resume(self, response_id: str, *, after: int = -1) -> AsyncGenerator[Wire]:
        """The stream of a background response again, from the event after this number."""
        stored = self._memory.response(response_id)
        if not stored.streamed:
            text = "This response cannot be streamed because it was not created with background=true and stream=true."
            raise errors.ServiceError(text, param="stream")
        return self._jobs.follow(stored, after=after)

    def delete(self, response_id: str) -> Wire:
        """Forget a response."""
        self._jobs.cancel(self._memory.forget_response(response_id))
        return {"id": response_id, "object": "response", "deleted": True}

    def cancel(self, response_id: str) -> Wire:
        """Stop a background response (§10: no other can be cancelled). Asking twice is allowed."""
        stored = self._memory.response(response_id)
        if not stored.body["background"]:
            raise errors.ServiceError("Cannot cancel a synchronous response.")
        self._jobs.cancel(stored)
        return self._shown(stored)

    def input_items(self, response_id: str, query: Mapping[str, str]) -> Wire:
        """What a response was asked, with all that came before, newest first (recorded)."""
        stored = self._memory.response(response_id)
        return page([*stored.history, *stored.input_items], query)

    def input_tokens(self, raw: Any) -> Wire:
        """What a request would be charged for."""
        body = checks.members("", raw, {name: PARAMETERS[name] for name in _COUNTED})
        request = parse({"model": "unnamed", **body}, self.models, self.clock.now())
        history, _ = self._history(request)
        items = resolve(request.items, self._memory, store=True)
        total = input_tokens(read_of([*history, *items]), request.body.get("instructions"), request.tools)
        return {"object": "response.input_tokens", "input_tokens": total}

    def _accept(self, raw: Any) -> _Accepted:
        request_id = self.new_id("req")
        self.requests.append(Received("POST", "/responses", raw))
        try:
            return self._prepare(raw, request_id)
        except errors.ServiceError as error:
            error.request_id = request_id
            raise

    def _prepare(self, raw: Any, request_id: str) -> _Accepted:
        """Schema, then existence, then the model, then what belongs together (§15)."""
        scenario = self._scripted(raw)
        if scenario.error is not None:
            raise scenario.error
        request = parse(raw, self.models, self.clock.now())
        history, conversation = self._history(request)
        items = resolve(request.items, self._memory, store=request.store)
        self._tools.check(request.tools, items)
        check_capabilities(request)
        context = [*history, *items]
        check_json_mentioned(request, context)
        if Manner.TAKES_OPEN_CALLS not in self.manners:
            check_pairs(history, items, self._memory)
        charged = input_tokens(read_of(context), request.body.get("instructions"), request.tools)
        if charged > self.limits.context_tokens and request.body.get("truncation") != "auto":
            raise errors.context_length_exceeded()
        scenario = _completed(scenario, request, context)
        if scenario.answer is not None:
            scenario = replace(scenario, answer=self._tools.perform(scenario.answer, request, context))
        return self._accepted(request, request_id, scenario, history, items, conversation)

    def _scripted(self, raw: Any) -> Scenario:
        if self._queue:
            return self._queue.popleft()
        picked = self._pick(raw) if self._pick is not None else None
        return picked or Scenario()

    def _history(self, request: Request) -> tuple[Sequence[Wire], Conversation | None]:
        if request.previous_response_id is not None:
            return self._memory.previous(request.previous_response_id).context(), None
        if request.conversation_id is None:
            return (), None
        conversation = self._memory.conversation(request.conversation_id)
        if conversation.locked and Manner.NO_LOCKS not in self.manners:
            text = "Another process is currently operating on this conversation. Please retry in a few seconds."
            raise errors.ServiceError(text, param="conversation", code="conversation_locked")
        return list(conversation.items.values()), conversation

    def _accepted(
        self,
        request: Request,
        request_id: str,
        scenario: Scenario,
        history: Sequence[Wire],
        items: Sequence[Wire],
        conversation: Conversation | None,
    ) -> _Accepted:
        start = objects.begun(request, response_id=self.new_id("resp"), created_at=int(self.clock.now()))
        end = self._end(start, request, scenario, [*history, *items])
        keeps = request.store or request.background or conversation is not None
        asked = objects.stored_items(items, self.new_id) if keeps else []
        queued = {**start, "status": "queued"} if request.background else start
        stored = StoredResponse(queued, asked, history, access=request.family.access, streamed=request.stream)
        return _Accepted(
            request,
            stored,
            Performance(
                request_id=request_id,
                scenario=scenario,
                clock=self.clock,
                tell=lambda: _told(scenario, start, end, request),
                plain=lambda: objects.plain(end, access=request.family.access),
                finish=lambda: self._finish(request, stored, end, conversation),
                hold=Hold(conversation),
            ),
        )

    def _end(self, start: Wire, request: Request, scenario: Scenario, context: Sequence[Wire]) -> Wire:
        if scenario.events is not None:
            ends = [event["response"] for event in scenario.events if event.get("type") in TERMINAL]
            end: Wire = ends[-1] if ends else start
            self._memory.note_replayed(end["output"])
            return end
        charged = input_tokens(read_of(context), request.body.get("instructions"), request.tools)
        answer = scenario.answer or Answer()
        now = int(self.clock.now())
        end = objects.ended(start, request, answer, input_tokens=charged, now=now, new_id=self.new_id)
        return compacted(end, request.body, context, self.new_id)

    def _finish(self, request: Request, stored: StoredResponse, end: Wire, conversation: Conversation | None) -> None:
        if end["status"] == "completed" and end.get("completed_at") is not None:
            end["completed_at"] = max(end["completed_at"], int(self.clock.now()))
        stored.body = end
        if request.store or request.background:
            self._memory.keep(stored)
        if conversation is not None and end["status"] in ("completed", "incomplete"):
            self._memory.append(conversation, [*stored.input_items, *end["output"]])

    def _start(self, accepted: _Accepted) -> None:
        self._memory.keep(accepted.stored)
        whole = replace(accepted.performance, scenario=replace(accepted.performance.scenario, break_after=None))
        self._jobs.start(accepted.stored, whole)

    def _shown(self, stored: StoredResponse) -> Wire:
        return objects.plain(stored.body, access=stored.access)


def _completed(scripted: Scenario, request: Request, context: Sequence[Wire]) -> Scenario:
    """The scenario with what the script left open filled in from the message."""
    if scripted.answer is not None or scripted.events is not None:
        return scripted
    usual = compose(request, context)
    if usual.error is not None:
        raise usual.error
    return replace(
        usual,
        delay=scripted.delay,
        delta_delay=scripted.delta_delay or usual.delta_delay,
        break_after=usual.break_after if scripted.break_after is None else scripted.break_after,
    )


def _told(scenario: Scenario, start: Wire, end: Wire, request: Request) -> Iterable[Wire]:
    if scenario.events is not None:
        return scenario.events
    return narrate(start, end, obfuscated=request.obfuscated)


async def _breaking(events: AsyncGenerator[Wire], after: int | None) -> AsyncGenerator[Wire]:
    count = 0
    async with aclosing(events):
        async for event in events:
            if count == after:
                raise ConnectionBrokenError
            count += 1
            yield event

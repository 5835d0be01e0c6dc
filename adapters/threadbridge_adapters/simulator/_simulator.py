"""The simulator: one object that answers requests from any transport."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from threadbridge.api_types import JsonObject
from threadbridge.ports import Clock, IdGenerator
from threadbridge.runtime.clock_and_ids import SystemClock
from threadbridge_adapters.server_quirks import ServerQuirk
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator import _response_objects as response_objects
from threadbridge_adapters.simulator import _validators as validators
from threadbridge_adapters.simulator._containers import Containers
from threadbridge_adapters.simulator._conversations import Conversations
from threadbridge_adapters.simulator._event_stream import (
    TERMINAL_EVENTS,
    BackgroundJobs,
    ConnectionBrokenError,
    ResponseTask,
    build_events,
)
from threadbridge_adapters.simulator._files import Files, Uploads
from threadbridge_adapters.simulator._hosted_tools import HostedTools
from threadbridge_adapters.simulator._input_items import check_media_availability, check_pairing, resolve_references
from threadbridge_adapters.simulator._models import ModelTable
from threadbridge_adapters.simulator._response_request import (
    PARAMETERS,
    ResponseRequest,
    check_capabilities,
    check_json_mentioned,
    parse_request,
)
from threadbridge_adapters.simulator._scenarios import Scenario, ScriptedResponse, compose_scenario
from threadbridge_adapters.simulator._server_quirks import ServerQuirks
from threadbridge_adapters.simulator._state import (
    Conversation,
    ConversationLock,
    SimulatorLimits,
    SimulatorState,
    StoredResponse,
)
from threadbridge_adapters.simulator._state import new_id as make_random_id
from threadbridge_adapters.simulator._tokens_and_compaction import (
    compact_response,
    count_input_tokens,
    select_visible_context,
)
from threadbridge_adapters.simulator._validators import paginate
from threadbridge_adapters.simulator._vector_search import VectorSearch
from threadbridge_adapters.simulator._vector_store_files import FullTextIndex
from threadbridge_adapters.simulator._vector_stores import VectorStores

#: Scenarios for the next requests, or a function that chooses one (None: the default reply).
Script: TypeAlias = Iterable[Scenario] | Callable[[JsonObject], Scenario | None]

_TOKEN_COUNT_PARAMETERS = (
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
class ReceivedRequest:
    """One request as received."""

    method: str
    path: str
    body: Any


@dataclass(frozen=True, slots=True)
class _AcceptedRequest:
    """A request that passed validation."""

    request: ResponseRequest
    stored_response: StoredResponse
    response_task: ResponseTask


class Simulator:
    """A deterministic simulator of the Responses service with its validation rules and scripted outputs.

    It is not a model: it echoes, follows the directives in the last user message (`_prompt_directives`), or plays the
    script. All state is in memory within `limits`; `requests` holds the received requests, oldest first. With `quirks`
    it behaves like another server over HTTP.
    Close it with `aclose`, which stops background responses.
    """

    def __init__(
        self,
        script: Script = (),
        *,
        clock: Clock | None = None,
        new_id: IdGenerator = make_random_id,
        limits: SimulatorLimits | None = None,
        models: ModelTable | None = None,
        quirks: Collection[ServerQuirk] = (),
    ) -> None:
        limits = limits or SimulatorLimits()
        self.limits = limits
        self.models = models or ModelTable()
        self.quirks = ServerQuirks(quirks)
        self.clock = clock or SystemClock()
        self.new_id = new_id
        self.requests: deque[ReceivedRequest] = deque(maxlen=limits.requests)
        #: URLs that the service cannot download any more, with the HTTP status of the download.
        self.unavailable_urls: dict[str, int] = {}
        self._choose_scenario: Callable[[JsonObject], Scenario | None] | None = script if callable(script) else None
        self._queued_scenarios: deque[Scenario] = deque(() if callable(script) else script)
        self._state = SimulatorState(limits, self.clock)
        self._jobs = BackgroundJobs()
        self._index = FullTextIndex()
        self.conversations = Conversations(self._state, self.clock, new_id)
        self.files = Files(limits, self.clock, new_id)
        self.uploads = Uploads(self.files, limits, self.clock, new_id)
        self.vector_stores = VectorStores(self.files, self._index, limits, self.clock, new_id)
        self.vector_search = VectorSearch(self.vector_stores, self._index)
        self.containers = Containers(self.files, limits, self.clock, new_id)
        self._hosted_tools = HostedTools(self.files, self.vector_stores, self.vector_search, self.containers)

    def enqueue(self, *scenarios: Scenario) -> None:
        """Play these scenarios for the next create requests, in order, before the script."""
        self._queued_scenarios.extend(scenarios)

    async def aclose(self) -> None:
        """Stop background responses and delete the search index."""
        await self._jobs.aclose()
        self._index.close()

    async def create_response(self, raw: Any) -> tuple[JsonObject, str]:
        """Create a response and return it with the request id; a background response is returned while queued."""
        accepted_request = self._accept(raw)
        response_task = accepted_request.response_task
        if accepted_request.request.background:
            self._start_background(accepted_request)
            return self._to_plain_response(accepted_request.stored_response), response_task.request_id
        return await response_task.wait_for_response(), response_task.request_id

    async def stream_response(self, raw: Any) -> tuple[AsyncGenerator[JsonObject], str]:
        """Create a response and return its events with the request id. Errors are raised here, not while iterating."""
        accepted_request = self._accept(raw)
        response_task = accepted_request.response_task
        if not accepted_request.request.background:
            return response_task.stream_events(), response_task.request_id
        self._start_background(accepted_request)
        events = self._jobs.follow_events(accepted_request.stored_response)
        return _break_stream(events, response_task.scenario.break_after), response_task.request_id

    def retrieve_response(self, response_id: str) -> JsonObject:
        """A stored response."""
        return self._to_plain_response(self._state.get_response(response_id))

    def resume_stream(self, response_id: str, *, after: int = -1) -> AsyncGenerator[JsonObject]:
        """The events of a background response after this sequence number."""
        stored_response = self._state.get_response(response_id)
        if not stored_response.is_streamed:
            text = "This response cannot be streamed because it was not created with background=true and stream=true."
            raise errors.ServiceError(text, param="stream")
        return self._jobs.follow_events(stored_response, after=after)

    def delete_response(self, response_id: str) -> JsonObject:
        """Delete a response."""
        self._jobs.cancel(self._state.delete_response(response_id))
        return {"id": response_id, "object": "response", "deleted": True}

    def cancel_response(self, response_id: str) -> JsonObject:
        """Cancel a background response (§10: no other can be cancelled). Repeated calls are allowed."""
        stored_response = self._state.get_response(response_id)
        if not stored_response.body["background"]:
            raise errors.ServiceError("Cannot cancel a synchronous response.")
        self._jobs.cancel(stored_response)
        return self._to_plain_response(stored_response)

    def list_input_items(self, response_id: str, query: Mapping[str, str]) -> JsonObject:
        """The input items of a response with its whole context, newest first (recorded)."""
        stored_response = self._state.get_response(response_id)
        return paginate([*stored_response.history, *stored_response.input_items], query)

    def count_input_tokens(self, raw: Any) -> JsonObject:
        """The input token count of a request."""
        body = validators.check_members("", raw, {name: PARAMETERS[name] for name in _TOKEN_COUNT_PARAMETERS})
        request = parse_request({"model": "unnamed", **body}, self.models, self.clock.now())
        history, _ = self._load_history(request)
        items = resolve_references(request.items, self._state, store=True)
        total = count_input_tokens(
            select_visible_context([*history, *items]), request.body.get("instructions"), request.tools
        )
        return {"object": "response.input_tokens", "input_tokens": total}

    def _accept(self, raw: Any) -> _AcceptedRequest:
        """Validate a create request in the service's order (§15): schema, referenced objects, model, item pairing."""
        request_id = self.new_id("req")
        self.requests.append(ReceivedRequest("POST", "/responses", raw))
        try:
            scenario = Scenario()
            if self._queued_scenarios:
                scenario = self._queued_scenarios.popleft()
            elif self._choose_scenario is not None:
                scenario = self._choose_scenario(raw) or scenario
            if scenario.error is not None:
                raise scenario.error
            request = parse_request(raw, self.models, self.clock.now())
            history, conversation = self._load_history(request)
            items = resolve_references(request.items, self._state, store=request.store)
            self._hosted_tools.check_resources(request.tools, history, items)
            check_media_availability([*history, *items], self.files, self.unavailable_urls)
            check_capabilities(request)
            check_json_mentioned(request, [*history, *items])
            if ServerQuirk.TAKES_OPEN_CALLS not in self.quirks:
                check_pairing(history, items, self._state)
            return self._prepare(request, request_id, scenario, history, items, conversation)
        except errors.ServiceError as error:
            error.request_id = request_id
            raise

    def _load_history(self, request: ResponseRequest) -> tuple[Sequence[JsonObject], Conversation | None]:
        """The items before the request's own, and the conversation that it names."""
        if request.previous_response_id is not None:
            return self._state.get_previous_response(request.previous_response_id).build_context(), None
        if request.conversation_id is None:
            return (), None
        conversation = self._state.get_conversation(request.conversation_id)
        if conversation.is_locked and ServerQuirk.NO_LOCKS not in self.quirks:
            text = "Another process is currently operating on this conversation. Please retry in a few seconds."
            raise errors.ServiceError(text, param="conversation", code="conversation_locked")
        return list(conversation.items.values()), conversation

    def _prepare(
        self,
        request: ResponseRequest,
        request_id: str,
        scenario: Scenario,
        history: Sequence[JsonObject],
        items: Sequence[JsonObject],
        conversation: Conversation | None,
    ) -> _AcceptedRequest:
        """The whole response to a valid request, produced before its first event is sent."""
        context = [*history, *items]
        input_tokens = count_input_tokens(
            select_visible_context(context), request.body.get("instructions"), request.tools
        )
        if input_tokens > self.limits.context_tokens and request.body.get("truncation") != "auto":
            if ServerQuirk.OVERFLOW_WORDS in self.quirks:
                text = f"prompt is too long: {input_tokens} tokens > {self.limits.context_tokens} maximum"
                raise errors.ServiceError(text)
            raise errors.context_length_exceeded()
        scenario = _fill_in_scenario(scenario, request, context)
        if scenario.response is not None:
            scenario = replace(scenario, response=self._hosted_tools.run_tools(scenario.response, request, context))
        now = int(self.clock.now())
        initial = response_objects.make_initial_response(request, response_id=self.new_id("resp"), created_at=now)
        if scenario.events is not None:
            ends = [event["response"] for event in scenario.events if event.get("type") in TERMINAL_EVENTS]
            final: JsonObject = ends[-1] if ends else initial
            self._state.record_replayed_contents(final["output"])
        else:
            answer = scenario.response or ScriptedResponse()
            final = response_objects.make_final_response(
                initial, request, answer, input_tokens=input_tokens, now=now, new_id=self.new_id
            )
            final = compact_response(final, request.body, context, self.new_id)
        is_stored = request.store or request.background or conversation is not None
        stored_response = StoredResponse(
            {**initial, "status": "queued"} if request.background else initial,
            response_objects.to_stored_items(items, self.new_id) if is_stored else [],
            history,
            names_access_programs=request.traits.names_access_programs,
            is_streamed=request.stream,
        )

        def make_events() -> Iterable[JsonObject]:
            if scenario.events is not None:
                return scenario.events
            return build_events(initial, final, obfuscated=request.is_obfuscated)

        def store_response() -> None:
            if final["status"] == "completed" and final.get("completed_at") is not None:
                final["completed_at"] = max(final["completed_at"], int(self.clock.now()))
            stored_response.body = final
            if request.store or request.background:
                self._state.put_response(stored_response)
            if conversation is not None and final["status"] in ("completed", "incomplete"):
                self._state.append_items(conversation, [*stored_response.input_items, *final["output"]])

        response_task = ResponseTask(
            request_id=request_id,
            scenario=scenario,
            clock=self.clock,
            make_events=make_events,
            make_plain_response=lambda: response_objects.to_plain_response(
                final, names_access_programs=request.traits.names_access_programs
            ),
            store_response=store_response,
            lock=ConversationLock(conversation),
        )
        return _AcceptedRequest(request, stored_response, response_task)

    def _start_background(self, accepted_request: _AcceptedRequest) -> None:
        self._state.put_response(accepted_request.stored_response)
        unbroken_task = replace(
            accepted_request.response_task, scenario=replace(accepted_request.response_task.scenario, break_after=None)
        )
        self._jobs.start(accepted_request.stored_response, unbroken_task)

    def _to_plain_response(self, stored_response: StoredResponse) -> JsonObject:
        return response_objects.to_plain_response(
            stored_response.body, names_access_programs=stored_response.names_access_programs
        )


def _fill_in_scenario(scenario: Scenario, request: ResponseRequest, context: Sequence[JsonObject]) -> Scenario:
    """The scenario with unset fields filled in from the directives of the message."""
    if scenario.response is not None or scenario.events is not None:
        return scenario
    default = compose_scenario(request, context)
    if default.error is not None:
        raise default.error
    return replace(
        default,
        delay=scenario.delay,
        delta_delay=scenario.delta_delay or default.delta_delay,
        break_after=default.break_after if scenario.break_after is None else scenario.break_after,
    )


async def _break_stream(events: AsyncGenerator[JsonObject], after: int | None) -> AsyncGenerator[JsonObject]:
    count = 0
    async with aclosing(events):
        async for event in events:
            if count == after:
                raise ConnectionBrokenError
            count += 1
            yield event

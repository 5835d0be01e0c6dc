"""The port of a backend: one method per operation of the Assistants API, and two optional abilities."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from threadbridge.api_types import (
    AssistantObject,
    DeletionStatus,
    JsonMapping,
    JsonObject,
    ListObject,
    MessageObject,
    RunObject,
    RunStepObject,
    ThreadObject,
    UpdatedMessageObject,
)
from threadbridge.ports.requests import (
    BackendCapabilities,
    ListQuery,
    PassthroughRequest,
    PolledRun,
    RequestContext,
    WarningSink,
    WireResponse,
    discard_warning,
)
from threadbridge.sse import Event


class Backend(Protocol):
    """Performs the operations of the Assistants API: assistants and threads are stored, and runs are executed.

    The first argument of every operation names the tenant: one backend serves any number of tenants, and none of them
    sees objects of another.

    Request bodies are the parsed JSON bodies of requests, not validated; the backend rejects them with the legacy
    service's texts. Explicit nulls mean "omitted" (C6). List operations return the envelope of A10.

    Every method may raise `errors.RequestError` (`NotFound`, `InvalidRequest`, …: the request is wrong, and nothing was
    changed), `errors.UpstreamError` (the upstream failed or was unreachable) or `errors.StoreError`.

    The three `stream_*` coroutines validate the request and start the run *before* they return, so that a rejection is
    an exception and not an event. They return an iterator of the events of A89 in the orders of A90-A96, which ends by
    itself; the final `done` frame is added by `wire`. Closing the iterator early detaches from the run and does not
    stop it (A100, C3). When an event is yielded, its content is already visible to every other method (C2).

    The four methods that create a run call `warn` before they return, with one sentence for each part of the request
    that is done differently or not at all: a successor instead of a retired model, a parameter that the model rejects.
    """

    @property
    def capabilities(self) -> BackendCapabilities:
        """The optional operations that this backend supports; fixed for its lifetime."""
        ...

    async def aclose(self) -> None:
        """Close connections and stop background work. Called once, by the code that opened the backend."""
        ...

    # Assistants -----------------------------------------------------------------------------------------------
    async def create_assistant(self, context: RequestContext, body: JsonMapping) -> AssistantObject: ...
    async def list_assistants(self, context: RequestContext, query: ListQuery) -> ListObject[AssistantObject]: ...
    async def retrieve_assistant(self, context: RequestContext, assistant_id: str) -> AssistantObject: ...
    async def update_assistant(
        self, context: RequestContext, assistant_id: str, body: JsonMapping
    ) -> AssistantObject: ...
    async def delete_assistant(self, context: RequestContext, assistant_id: str) -> DeletionStatus: ...

    # Threads --------------------------------------------------------------------------------------------------
    async def create_thread(self, context: RequestContext, body: JsonMapping) -> ThreadObject: ...
    async def list_threads(self, context: RequestContext, query: ListQuery) -> ListObject[ThreadObject]:
        """A page of threads. Raises `errors.Unsupported` if `capabilities.lists_threads` is false."""
        ...

    async def retrieve_thread(self, context: RequestContext, thread_id: str) -> ThreadObject: ...
    async def update_thread(self, context: RequestContext, thread_id: str, body: JsonMapping) -> ThreadObject: ...
    async def delete_thread(self, context: RequestContext, thread_id: str) -> DeletionStatus: ...

    # Messages -------------------------------------------------------------------------------------------------
    async def create_message(self, context: RequestContext, thread_id: str, body: JsonMapping) -> MessageObject: ...
    async def list_messages(
        self, context: RequestContext, thread_id: str, query: ListQuery
    ) -> ListObject[MessageObject]:
        """A page of messages; with `query.run_id`, only those of that run (A11)."""
        ...

    async def retrieve_message(self, context: RequestContext, thread_id: str, message_id: str) -> MessageObject: ...
    async def update_message(
        self, context: RequestContext, thread_id: str, message_id: str, body: JsonMapping
    ) -> UpdatedMessageObject: ...
    async def delete_message(self, context: RequestContext, thread_id: str, message_id: str) -> DeletionStatus: ...

    # Runs -----------------------------------------------------------------------------------------------------
    async def create_run(
        self,
        context: RequestContext,
        thread_id: str,
        body: JsonMapping,
        *,
        include: Sequence[str] = (),
        warn: WarningSink = discard_warning,
    ) -> RunObject:
        """Start a run, and return it as `queued`. Raises InvalidRequest with the text of A52 for a busy thread."""
        ...

    async def stream_run(
        self,
        context: RequestContext,
        thread_id: str,
        body: JsonMapping,
        *,
        include: Sequence[str] = (),
        warn: WarningSink = discard_warning,
    ) -> AsyncIterator[Event]: ...
    async def create_thread_and_run(
        self,
        context: RequestContext,
        body: JsonMapping,
        *,
        include: Sequence[str] = (),
        warn: WarningSink = discard_warning,
    ) -> RunObject: ...
    async def stream_thread_and_run(
        self,
        context: RequestContext,
        body: JsonMapping,
        *,
        include: Sequence[str] = (),
        warn: WarningSink = discard_warning,
    ) -> AsyncIterator[Event]: ...
    async def follow_run(
        self, context: RequestContext, thread_id: str, run_id: str, *, after: str | None = None
    ) -> AsyncIterator[Event]:
        """The events of an existing run to its end, across all of its streams: from the first, or after an event.

        While the run waits for tool outputs, the iterator waits too. `after` is the id of an event of this run; raises
        `errors.UnknownEvent` for an id that is unknown or no longer available. For a run whose events are not
        available, the stored objects are replayed: whole messages and ended steps. Any number of followers may follow a
        run without slowing it down; a follower that is too slow gets an error. Raises `errors.Unsupported` if
        `capabilities.follows_runs` is false.
        """
        ...

    async def list_runs(self, context: RequestContext, thread_id: str, query: ListQuery) -> ListObject[RunObject]: ...
    async def retrieve_run(self, context: RequestContext, thread_id: str, run_id: str) -> PolledRun: ...
    async def report_run(self, context: RequestContext, thread_id: str, run_id: str) -> JsonObject:
        """The run report: what was sent and dropped, and what it cost, by turn (docs/reference/costs.md).

        Raises `errors.Unsupported` if `capabilities.reports_runs` is false.
        """
        ...

    async def update_run(
        self, context: RequestContext, thread_id: str, run_id: str, body: JsonMapping
    ) -> RunObject: ...
    async def cancel_run(self, context: RequestContext, thread_id: str, run_id: str) -> RunObject: ...
    async def submit_tool_outputs(
        self, context: RequestContext, thread_id: str, run_id: str, body: JsonMapping
    ) -> RunObject: ...
    async def stream_tool_outputs(
        self, context: RequestContext, thread_id: str, run_id: str, body: JsonMapping
    ) -> AsyncIterator[Event]: ...

    # Run steps ------------------------------------------------------------------------------------------------
    async def list_steps(
        self, context: RequestContext, thread_id: str, run_id: str, query: ListQuery, *, include: Sequence[str] = ()
    ) -> ListObject[RunStepObject]: ...
    async def retrieve_step(
        self, context: RequestContext, thread_id: str, run_id: str, step_id: str, *, include: Sequence[str] = ()
    ) -> RunStepObject: ...


@runtime_checkable
class WarmsUp(Protocol):
    """A backend that answers its first requests faster after it has loaded what they need. Servers call it."""

    async def warm_up(self) -> None:
        """Load what requests will need. The backend also works without this call."""
        ...


@runtime_checkable
class ChecksReadiness(Protocol):
    """A backend that can check whether what it needs works now. The gateway asks it for `GET /readyz`."""

    def list_readiness_checks(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """A check for each part, by its name, which is public. A check raises an error if its part does not work."""
        ...


@runtime_checkable
class HandlesPassthrough(Protocol):
    """A backend that answers some requests outside the Assistants API, for example those for generated files.

    A door asks it first. Without this ability, or if it does not handle a request, the door sends the request upstream.
    """

    async def handle_passthrough(self, context: RequestContext, request: PassthroughRequest) -> WireResponse | None:
        """The response; None, with the body unread, if the request is for the upstream.

        Rejections are responses too. A streamed body raises `errors.UpstreamError` if it is interrupted.
        """
        ...

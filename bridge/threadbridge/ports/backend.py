"""The port of a backend: one method per operation of the Assistants API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol, runtime_checkable

from threadbridge.api_types import Wire
from threadbridge.ports.request_context import RequestContext
from threadbridge.ports.wire_types import (
    BackendCapabilities,
    ListQuery,
    PolledRun,
    WarningSink,
    discard_warning,
)
from threadbridge.sse import Event


class Backend(Protocol):
    """Where assistants and threads live and runs happen: one method per operation of the Assistants API.

    The first argument of every operation says for whom it is: one backend serves any number of tenants, none of which
    sees objects of another.

    Request bodies are the parsed JSON bodies of the wire, unchecked; a backend refuses what it must with the legacy
    service's own words. Explicit nulls mean "not given" (C6). List operations answer the envelope of A10.

    Every method may raise `errors.RequestError` (`NotFound`, `InvalidRequest`, …: the caller's fault, nothing was
    changed), `errors.UpstreamError` (the service behind failed or was unreachable) or `errors.StoreError`.

    The three `stream_*` coroutines check the request and start the run *before* they return, so that a refusal is
    an exception and not an event. What they return yields the events of A89 in the orders of A90-A96 and ends by
    itself; the closing `done` frame is the wire's affair. Closing the iterator early detaches from the run and does
    not stop it (A100, C3). When an event is yielded, what it says is already visible to every other method (C2).

    The four methods that create a run call `warn`, before they return, with one sentence for each thing that will be
    done in another way than the run asks for, or not at all: a successor in place of a retired model, a parameter
    that the model refuses.
    """

    @property
    def capabilities(self) -> BackendCapabilities:
        """What this backend can do; fixed for its lifetime."""
        ...

    async def aclose(self) -> None:
        """Give back connections and stop background work; called once, by whoever opened the backend."""
        ...

    # Assistants -----------------------------------------------------------------------------------------------
    async def create_assistant(self, context: RequestContext, body: Wire) -> Wire: ...
    async def list_assistants(self, context: RequestContext, query: ListQuery) -> Wire: ...
    async def retrieve_assistant(self, context: RequestContext, assistant_id: str) -> Wire: ...
    async def update_assistant(self, context: RequestContext, assistant_id: str, body: Wire) -> Wire: ...
    async def delete_assistant(self, context: RequestContext, assistant_id: str) -> Wire: ...

    # Threads --------------------------------------------------------------------------------------------------
    async def create_thread(self, context: RequestContext, body: Wire) -> Wire: ...
    async def list_threads(self, context: RequestContext, query: ListQuery) -> Wire:
        """A page of threads. Raises `errors.Unsupported` where `capabilities.lists_threads` is false."""
        ...

    async def retrieve_thread(self, context: RequestContext, thread_id: str) -> Wire: ...
    async def update_thread(self, context: RequestContext, thread_id: str, body: Wire) -> Wire: ...
    async def delete_thread(self, context: RequestContext, thread_id: str) -> Wire: ...

    # Messages -------------------------------------------------------------------------------------------------
    async def create_message(self, context: RequestContext, thread_id: str, body: Wire) -> Wire: ...
    async def list_messages(self, context: RequestContext, thread_id: str, query: ListQuery) -> Wire:
        """A page of messages; `query.run_id` keeps those of one run (A11)."""
        ...

    async def retrieve_message(self, context: RequestContext, thread_id: str, message_id: str) -> Wire: ...
    async def update_message(self, context: RequestContext, thread_id: str, message_id: str, body: Wire) -> Wire: ...
    async def delete_message(self, context: RequestContext, thread_id: str, message_id: str) -> Wire: ...

    # Runs -----------------------------------------------------------------------------------------------------
    async def create_run(
        self,
        context: RequestContext,
        thread_id: str,
        body: Wire,
        *,
        include: Sequence[str] = (),
        warn: WarningSink = discard_warning,
    ) -> Wire:
        """Start a run and answer it as `queued`. Refuses a busy thread with the text of A52."""
        ...

    async def stream_run(
        self,
        context: RequestContext,
        thread_id: str,
        body: Wire,
        *,
        include: Sequence[str] = (),
        warn: WarningSink = discard_warning,
    ) -> AsyncIterator[Event]: ...
    async def create_thread_and_run(
        self, context: RequestContext, body: Wire, *, include: Sequence[str] = (), warn: WarningSink = discard_warning
    ) -> Wire: ...
    async def stream_thread_and_run(
        self, context: RequestContext, body: Wire, *, include: Sequence[str] = (), warn: WarningSink = discard_warning
    ) -> AsyncIterator[Event]: ...
    async def follow_run(
        self, context: RequestContext, thread_id: str, run_id: str, *, after: str | None = None
    ) -> AsyncIterator[Event]:
        """The events of a run that exists, to its end, over all of its streams: from the first, or after an event.

        They wait with a run that waits for tool outputs. `after` is the id of an event of this run; raises
        `errors.UnknownEvent` for one that is unknown, or known no longer. Of a run whose events were not kept, what
        is stored is told: whole messages and ended steps as they come into view. Any number may follow one run, and
        none of them holds it up; one who falls behind what is kept meets an error. Raises `errors.Unsupported` where
        `capabilities.follows_runs` is false.
        """
        ...

    async def list_runs(self, context: RequestContext, thread_id: str, query: ListQuery) -> Wire: ...
    async def retrieve_run(self, context: RequestContext, thread_id: str, run_id: str) -> PolledRun: ...
    async def report_run(self, context: RequestContext, thread_id: str, run_id: str) -> Wire:
        """What the run sent, dropped and cost so far, turn by turn (docs/reference/costs.md).

        Raises `errors.Unsupported` where `capabilities.reports_runs` is false.
        """
        ...

    async def update_run(self, context: RequestContext, thread_id: str, run_id: str, body: Wire) -> Wire: ...
    async def cancel_run(self, context: RequestContext, thread_id: str, run_id: str) -> Wire: ...
    async def submit_tool_outputs(self, context: RequestContext, thread_id: str, run_id: str, body: Wire) -> Wire: ...
    async def stream_tool_outputs(
        self, context: RequestContext, thread_id: str, run_id: str, body: Wire
    ) -> AsyncIterator[Event]: ...

    # Run steps ------------------------------------------------------------------------------------------------
    async def list_steps(
        self, context: RequestContext, thread_id: str, run_id: str, query: ListQuery, *, include: Sequence[str] = ()
    ) -> Wire: ...
    async def retrieve_step(
        self, context: RequestContext, thread_id: str, run_id: str, step_id: str, *, include: Sequence[str] = ()
    ) -> Wire: ...


@runtime_checkable
class WarmsUp(Protocol):
    """A backend that answers its first requests faster once it has loaded what they need. Servers call it."""

    async def warm_up(self) -> None:
        """Load what requests will need. The backend also works without this call."""
        ...

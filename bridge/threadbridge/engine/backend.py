"""The `responses` backend: the Assistants API, emulated over our store and a Responses service (architecture.md)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import TypeAlias, TypeVar

from threadbridge.engine.context import Workplace
from threadbridge.engine.generated_files_api import KeptFiles
from threadbridge.engine.inline_executor import Workforce
from threadbridge.engine.run_followers import Followers
from threadbridge.engine.run_stream import Feed
from threadbridge.engine.thread_queue import WaitingRoom
from threadbridge.ports import (
    Capabilities,
    Event,
    ListQuery,
    PassedRequest,
    PassesOn,
    PolledRun,
    Session,
    Warn,
    Wire,
    WireResponse,
    begins_at_once,
    may_wait,
    unheard,
)
from threadbridge.service import assistants, attachments, messages, run_reports, run_steps, runs, threads, tool_outputs
from threadbridge.service.attachments import Needs, Supplied
from threadbridge.service.context import Context
from threadbridge.service.leases import is_abandoned
from threadbridge.service.poll_hints import poll_after_ms
from threadbridge.service.run_expiry import Overdue, settle
from threadbridge.service.runs import StartedRun
from threadbridge.service.thread_lock import may_be_free
from threadbridge.service.tool_outputs import Submission
from threadbridge.settings import Limits, UnknownCursor
from threadbridge.translation.run_warnings import run_warnings
from threadbridge.translation.step_includes import event_without_content
from threadbridge.translation.wire_objects import read_thread, run_event, sse_run, step_event

T = TypeVar("T")
NeedsOfThread: TypeAlias = Callable[[Session, Limits, str, Wire], Needs]
Queued = TypeVar("Queued", StartedRun, Submission)


class ResponsesBackend:
    """`ports.Backend` for one tenant. Each method is one decision of the core in one transaction of the store."""

    capabilities = Capabilities(lists_threads=True, streams=True, follows_runs=True, reports_runs=True)
    begins_at_once = True

    def __init__(self, place: Workplace, workforce: Workforce) -> None:
        self._place = place
        self._workforce = workforce
        self._kept_files = KeptFiles(place)
        self._unknown_cursor: UnknownCursor = place.policies.unknown_cursor
        self._waiting_room = WaitingRoom(
            place.clock,
            seats=place.limits.busy_waiting_requests if place.policies.busy_thread == "queue" else 0,
            patience=place.limits.busy_wait_seconds,
        )
        self._followers = Followers(place.logs, place.clock, self._read, workforce.take_up)

    async def aclose(self) -> None:
        """Let running turns end, for a bounded time; then close upstream and store."""
        self._waiting_room.close()
        await self._workforce.drain()
        await self._place.upstream.aclose()
        await self._place.store.aclose()

    async def pass_on(self, request: PassedRequest) -> WireResponse | None:
        """What is not the Assistants API's: files that code made are answered here, the rest by the simulator; a real
        service is left to the door.
        """
        kept = await self._kept_files.answer(request)
        if kept is not None:
            return kept
        upstream = self._place.upstream
        return await upstream.pass_on(request) if isinstance(upstream, PassesOn) else None

    # Assistants
    async def create_assistant(self, body: Wire) -> Wire:
        return await self._supplied(
            attachments.of_assistant(self._place.limits, body),
            lambda supplied: self._write(lambda session, context: assistants.create(session, context, body, supplied)),
        )

    async def list_assistants(self, query: ListQuery) -> Wire:
        return await self._read(
            lambda session, _: assistants.list_all(session, query, unknown_cursor=self._unknown_cursor)
        )

    async def retrieve_assistant(self, assistant_id: str) -> Wire:
        return await self._read(lambda session, _: assistants.retrieve(session, assistant_id))

    async def update_assistant(self, assistant_id: str, body: Wire) -> Wire:
        return await self._supplied(
            attachments.of_assistant_update(self._place.limits, body),
            lambda _: self._write(lambda session, context: assistants.update(session, context, assistant_id, body)),
        )

    async def delete_assistant(self, assistant_id: str) -> Wire:
        return await self._write(lambda session, _: assistants.delete(session, assistant_id))

    # Threads
    async def create_thread(self, body: Wire) -> Wire:
        return await self._supplied(
            attachments.of_thread(self._place.limits, body),
            lambda supplied: self._write(lambda session, context: threads.create(session, context, body, supplied)),
        )

    async def list_threads(self, query: ListQuery) -> Wire:
        return await self._read(
            lambda session, _: threads.list_all(session, query, unknown_cursor=self._unknown_cursor)
        )

    async def retrieve_thread(self, thread_id: str) -> Wire:
        return await self._read(lambda session, _: threads.retrieve(session, thread_id))

    async def update_thread(self, thread_id: str, body: Wire) -> Wire:
        return await self._supplied(
            attachments.of_thread_update(self._place.limits, body),
            lambda _: self._write(lambda session, context: threads.update(session, context, thread_id, body)),
        )

    async def delete_thread(self, thread_id: str) -> Wire:
        deletion = await self._write(lambda session, context: threads.delete(session, context, thread_id))
        if deletion.run_id is not None:
            await may_wait()
            await self._stop(deletion.run_id)
        return deletion.answer

    # Messages
    async def create_message(self, thread_id: str, body: Wire) -> Wire:
        def write(supplied: Supplied | None) -> Awaitable[Wire]:
            return self._in_turn(
                thread_id,
                lambda: self._write(
                    lambda session, context: messages.create(session, context, thread_id, body, supplied)
                ),
            )

        return await self._supplied(await self._needs_of(attachments.of_message, thread_id, body, [body]), write)

    async def list_messages(self, thread_id: str, query: ListQuery) -> Wire:
        return await self._read(
            lambda session, _: messages.list_all(session, thread_id, query, unknown_cursor=self._unknown_cursor)
        )

    async def retrieve_message(self, thread_id: str, message_id: str) -> Wire:
        return await self._read(lambda session, _: messages.retrieve(session, thread_id, message_id))

    async def update_message(self, thread_id: str, message_id: str, body: Wire) -> Wire:
        return await self._write(
            lambda session, context: messages.update(session, context, thread_id, message_id, body)
        )

    async def delete_message(self, thread_id: str, message_id: str) -> Wire:
        return await self._write(lambda session, _: messages.delete(session, thread_id, message_id))

    # Runs
    async def create_run(
        self, thread_id: str, body: Wire, *, include: Sequence[str] = (), warn: Warn = unheard
    ) -> Wire:
        started = await self._start_run(thread_id, body, include)
        self._warn_of(started, warn)
        self._perform(started)
        return started.run

    async def stream_run(
        self, thread_id: str, body: Wire, *, include: Sequence[str] = (), warn: Warn = unheard
    ) -> AsyncIterator[Event]:
        await may_wait()
        started = await self._start_run(thread_id, body, include)
        self._warn_of(started, warn)
        return self._followed(started, _opening(started.run), include)

    async def create_thread_and_run(self, body: Wire, *, include: Sequence[str] = (), warn: Warn = unheard) -> Wire:
        started = await self._start_thread_and_run(body, include)
        self._warn_of(started, warn)
        self._perform(started)
        return started.run

    async def stream_thread_and_run(
        self, body: Wire, *, include: Sequence[str] = (), warn: Warn = unheard
    ) -> AsyncIterator[Event]:
        await may_wait()
        started = await self._start_thread_and_run(body, include)
        self._warn_of(started, warn)
        opening = [Event("thread.created", read_thread(started.thread)), *_opening(started.run)]
        return self._followed(started, opening, include)

    async def follow_run(self, thread_id: str, run_id: str, *, after: str | None = None) -> AsyncIterator[Event]:
        await may_wait()
        return await self._followers.follow(thread_id, run_id, after)

    async def list_runs(self, thread_id: str, query: ListQuery) -> Wire:
        return await self._read(
            lambda session, now: runs.list_all(session, now, thread_id, query, unknown_cursor=self._unknown_cursor)
        )

    async def retrieve_run(self, thread_id: str, run_id: str) -> PolledRun:
        def look(session: Session, now: float) -> tuple[Wire, bool, int | None]:
            run = runs.retrieve(session, now, thread_id, run_id)
            return run, is_abandoned(session, now, run), poll_after_ms(run, now)

        run, abandoned, advice = await self._read(look)
        if abandoned:
            await may_wait()
            self._workforce.take_up(run_id)
        return PolledRun(run, advice)

    async def report_run(self, thread_id: str, run_id: str) -> Wire:
        return await self._read(lambda session, now: run_reports.retrieve(session, now, thread_id, run_id))

    async def update_run(self, thread_id: str, run_id: str, body: Wire) -> Wire:
        return await self._write(lambda session, context: runs.update(session, context, thread_id, run_id, body))

    async def cancel_run(self, thread_id: str, run_id: str) -> Wire:
        await may_wait()
        run = await self._write(lambda session, context: runs.cancel(session, context, thread_id, run_id))
        await self._stop(run_id)  # also where the run ended at once: a worker that fell behind may be ours
        return run

    async def submit_tool_outputs(self, thread_id: str, run_id: str, body: Wire) -> Wire:
        await may_wait()
        submission = await self._queue(
            lambda session, context: tool_outputs.submit(session, context, thread_id, run_id, body)
        )
        self._perform(submission, _going_on(submission))
        return submission.run

    async def stream_tool_outputs(self, thread_id: str, run_id: str, body: Wire) -> AsyncIterator[Event]:
        await may_wait()
        submission = await self._queue(
            lambda session, context: tool_outputs.submit(session, context, thread_id, run_id, body)
        )
        return self._followed(submission, _going_on(submission))

    # Run steps
    async def list_steps(self, thread_id: str, run_id: str, query: ListQuery, *, include: Sequence[str] = ()) -> Wire:
        return await self._read(
            lambda session, now: run_steps.list_all(
                session, now, thread_id, run_id, query, include, unknown_cursor=self._unknown_cursor
            )
        )

    async def retrieve_step(self, thread_id: str, run_id: str, step_id: str, *, include: Sequence[str] = ()) -> Wire:
        return await self._read(
            lambda session, now: run_steps.retrieve(session, now, thread_id, run_id, step_id, include)
        )

    # Shared
    async def _write(self, decide: Callable[[Session, Context], T]) -> T:
        return await self._place.write(decide)

    async def _read(self, look: Callable[[Session, float], T]) -> T:
        """A read; a deadline it meets is written down first (A60)."""
        now = self._place.clock.now()
        if not begins_at_once(self._place.store):
            await may_wait()
        while True:
            try:
                return await self._place.store.read(lambda session: look(session, now), tenant=self._place.tenant)
            except Overdue as overdue:
                await may_wait()
                await self._write(partial(settle, run_id=overdue.run_id))

    async def _stop(self, run_id: str) -> None:
        """The store says that a run is to end: tell its worker, and whoever follows it while it waits."""
        await self._workforce.cancel(run_id)
        waiting = self._place.logs.waiting(run_id)
        if waiting is not None:
            waiting.wake()

    async def _in_turn(self, thread_id: str, ask: Callable[[], Awaitable[T]]) -> T:
        """A transaction that a busy thread refuses, or takes later where requests may wait for it."""
        return await self._waiting_room.served(
            ask, thread_id=thread_id, is_free=lambda: self._read(partial(may_be_free, thread_id=thread_id))
        )

    async def _start_run(self, thread_id: str, body: Wire, include: Sequence[str]) -> StartedRun:
        def write(supplied: Supplied | None) -> Awaitable[StartedRun]:
            return self._in_turn(
                thread_id,
                lambda: self._queue(
                    lambda session, context: runs.create(session, context, thread_id, body, include, supplied)
                ),
            )

        needs = await self._needs_of(attachments.of_run, thread_id, body, body.get("additional_messages"))
        return await self._supplied(needs, write)

    async def _start_thread_and_run(self, body: Wire, include: Sequence[str]) -> StartedRun:
        return await self._supplied(
            attachments.of_thread_and_run(self._place.limits, body),
            lambda supplied: self._queue(
                lambda session, context: runs.create_with_thread(session, context, body, include, supplied)
            ),
        )

    async def _needs_of(self, look: NeedsOfThread, thread_id: str, body: Wire, new_messages: object) -> Needs | None:
        if not attachments.names_files(new_messages):
            return None
        limits = self._place.limits
        return await self._read(lambda session, _: look(session, limits, thread_id, body))

    async def _supplied(self, needs: Needs | None, write: Callable[[Supplied | None], Awaitable[T]]) -> T:
        """A transaction, and before it what it needs done at the service behind."""
        wanted = attachments.possible(needs, self._place.rules.profile)
        if wanted is None:
            return await write(None)
        await may_wait()
        async with self._place.supplier.supplied(wanted) as supplied:
            return await write(supplied)

    async def _queue(self, decide: Callable[[Session, Context], Queued]) -> Queued:
        """A transaction that queues a run, and begins its turn where a place is free."""
        reserved = self._workforce.reserve()
        begun = False
        try:
            await self._place.ready_to_bound()
            queued = await self._place.write(decide, takes_up=reserved)
            begun = queued.turn is not None
        finally:
            if reserved and not begun:
                self._workforce.give_back()
        return queued

    def _warn_of(self, started: StartedRun, warn: Warn) -> None:
        """Tell its creator in what the run will not be what was asked for; the turn tells the log."""
        place, run, turn = self._place, started.run, started.turn
        model = place.rules.models.resolved(run, place.clock.now()) if turn is None else turn.model
        for warning in run_warnings(run, model, place.refusals.of(model.model), place.rules.profile):
            warn(warning)

    def _perform(self, queued: StartedRun | Submission, opening: Sequence[Event] = ()) -> None:
        """Perform the run's next turn; where its earlier ones were told, this one is too, the given events first."""
        told = bool(opening) and self._place.logs.waiting(queued.run["id"]) is not None
        self._employ(queued, self._feed(queued, opening, has_reader=False) if told else None)

    def _followed(
        self, queued: StartedRun | Submission, opening: Sequence[Event], include: Sequence[str] = ()
    ) -> AsyncIterator[Event]:
        """Perform the run's next turn and hand out its events, the given ones first."""
        feed = self._feed(queued, opening, include)
        self._employ(queued, feed)
        return feed

    def _feed(
        self,
        queued: StartedRun | Submission,
        opening: Sequence[Event],
        include: Sequence[str] = (),
        *,
        has_reader: bool = True,
    ) -> Feed:
        """A way into the run's log, with what searches found for those who asked for it (A77)."""
        bare = not include and any(tool["type"] == "file_search" for tool in queued.run["tools"])
        feed = Feed(
            self._place.logs.opened(queued.run["id"]),
            self._place.limits.stream_buffer_events,
            has_reader=has_reader,
            shown=event_without_content if bare else None,
        )
        feed.put(opening)
        return feed

    def _employ(self, queued: StartedRun | Submission, feed: Feed | None) -> None:
        self._workforce.employ(queued.run["id"], start=queued.turn, feed=feed)


def _opening(run: Wire) -> tuple[Event, Event]:
    """`created` and `queued` carry the same object (A90)."""
    shown = sse_run(run)
    return Event("thread.run.created", shown), Event("thread.run.queued", shown)


def _going_on(submission: Submission) -> tuple[Event, Event]:
    """The step that got its outputs, and the run, queued again (A91)."""
    run = submission.run
    return step_event(submission.step, run["expires_at"]), run_event(run)

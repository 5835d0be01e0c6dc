"""One exchange with the model: the request goes out, what comes back goes through the translator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import orjson

from threadbridge.context_window.report import not_sent, too_long, turn_report
from threadbridge.engine.context import Workplace
from threadbridge.engine.exact_count import exact_tokens
from threadbridge.engine.hosted_tool_session import HostedWork
from threadbridge.engine.image_inlining import OwnImages
from threadbridge.engine.run_stream import Feed
from threadbridge.engine.upstream_state import KeptState
from threadbridge.errors import UpstreamError
from threadbridge.logs import logger
from threadbridge.ports import Event, UpstreamStream, Wire
from threadbridge.service.turns import TurnStart
from threadbridge.translation.container_errors import ended_by_container, refused_for_container
from threadbridge.translation.input_token_count import not_counted
from threadbridge.translation.overflow import ended_as_too_long, refused_as_too_long
from threadbridge.translation.parameter_rejections import refused_parameter, refused_to_compact, uncompacted_warning
from threadbridge.translation.request_builder import build_request
from threadbridge.translation.response_to_events import events_of
from threadbridge.translation.stream_translator import TurnTranslator
from threadbridge.translation.tool_mapping import HostedTools
from threadbridge.translation.turn_result import Ending

T = TypeVar("T")

_log = logger("threadbridge.run")

#: How long the end of a response may take once its last event is there.
_LAST_BYTES_SECONDS = 1.0
#: Events that end a response and may say that it is worth asking again.
_BAD_ENDS = frozenset({"response.failed", "error"})


class Conversation:
    """Asks the model for one response and hands its events to the translator.

    With a feed that somebody reads the response is streamed, and events are told as they come; where nobody watches it
    is fetched whole. `closing` holds the last events, which may only be told once the turn is written.
    """

    def __init__(self, place: Workplace, start: TurnStart, translator: TurnTranslator, feed: Feed | None) -> None:
        self._place = place
        self.state = KeptState(place, start)
        self._translator = translator
        self._feed = feed
        self.closing: Sequence[Event] = ()
        self._stream: UpstreamStream | None = None
        self._replaced = False  # the container, for this turn
        self._left_out: frozenset[str] = frozenset()  # parameters the model refused in this turn
        self._shortened = 0  # how often, for the service found it too long
        self._notes: tuple[str, ...] = ()  # what became of its history, for the report
        self._logged: tuple[str, ...] = ()  # of what the run asks for and does not get
        self._events: AsyncIterator[Wire] | None = None
        self.hosted = HostedWork(place, start, translator)
        self._images = OwnImages(place)

    async def hold(self) -> None:
        """The whole exchange. Raises UpstreamError."""
        if not await self._fits():
            self._do_not_ask()
        elif self._feed is None or not self._feed.is_watched:
            await self._fetch()
        else:
            await self._relay(self._feed)
        await self.hosted.finished()

    async def _fits(self) -> bool:
        """Whether the prompt is within its budget, as the service counts it where it is asked to; less of the thread is
        sent where it was not (A80).
        """
        truncation = self._place.rules.history.truncation
        if truncation.counting == "offline" or self.state.start.report["budget"] is None:
            return True
        for _ in range(truncation.exact_requests):
            await self.state.ready()
            body = await self._request(await self.hosted.tools(), stream=False)
            try:
                counted = await exact_tokens(self._place.upstream, body, seconds=truncation.exact_seconds)
            except UpstreamError as error:
                self._note(not_counted(error.message))
                break
            fits = await self.state.recount(counted)
            if fits is not None:
                return fits
        return bool(self.state.start.report["fits"])

    def _do_not_ask(self) -> None:
        """Nothing is sent, and the run says that its budget is too small."""
        history = not_sent(self.state.start.report)
        self._translator.report = {"history": history, "model": None, "warnings": list(self._notes)}
        self.closing = self._translator.interrupt(Ending("incomplete", refused=True))

    async def _fetch(self) -> None:
        response = await self._asked(self._place.upstream.create, stream=False)
        self._translator.request_id = response.request_id
        for event in events_of(response.body):
            if (self.hosted.watches or event["type"] in _BAD_ENDS) and await self._starts_over(event):
                return await self._fetch()
            if self.hosted.watches:
                self._tell(await self.hosted.before(event["type"]))
            told = self._translator.feed(event)
            if self.hosted.watches:
                self.hosted.after()
            if self._translator.outcome is not None:
                self.closing = told
                break
            self._tell(told)
        return self._end_of_events()

    async def _relay(self, feed: Feed) -> None:
        translator, watches = self._translator, self.hosted.watches
        self._stream = await self._asked(self._place.upstream.stream, stream=True)
        translator.request_id = self._stream.request_id
        self._events = aiter(self._stream)
        async for event in self._events:
            if (watches or event.get("type") in _BAD_ENDS) and await self._starts_over(event):
                return await self._relay(feed)
            if watches:
                feed.put(await self.hosted.before(event["type"]))
            told = translator.feed(event)
            if watches:
                self.hosted.after()
            if translator.outcome is not None:
                self.closing = told
                break
            feed.put(told)
            if feed.is_full:
                await self._wait_for(feed)
        return self._end_of_events()

    async def _starts_over(self, event: Wire) -> bool:
        """Whether this event ends the response for a reason that can be helped, and it is asked for again.

        It is not where words or function calls were told already: then the run fails, and says why.
        """
        if not self._translator.can_start_over or not await self._helped(event):
            return False
        self._tell(self._translator.start_over(event))
        stream, self._stream, self._events = self._stream, None, None
        if stream is not None:
            await stream.aclose()
        return True

    async def _helped(self, event: Wire) -> bool:
        if ended_as_too_long(event):
            return await self._is_shortened()
        error = ended_by_container(event)
        return error is not None and await self._has_another_container(error["message"])

    def _tell(self, events: Sequence[Event]) -> None:
        if self._feed is not None:
            self._feed.put(events)

    async def _wait_for(self, feed: Feed) -> None:
        """A reader may be slow; one who stands still is given up, and the run goes on without him (A100)."""
        try:
            async with asyncio.timeout(self._place.limits.stalled_reader_seconds):
                await feed.room()
        except TimeoutError:
            _log.warning("nobody reads the stream; the run goes on without it", run_id=self.state.start.run["id"])
            feed.give_up()

    @property
    def is_connected(self) -> bool:
        """Whether there is a stream to hang up on."""
        return self._stream is not None

    async def hang_up(self) -> None:
        """Let the connection go. A response that was understood is read to its end first, for a moment at most:
        only then can its connection serve the next one.
        """
        if self._stream is None or self._events is None:
            return
        try:
            if self.closing:
                async with asyncio.timeout(_LAST_BYTES_SECONDS):
                    async for _ in self._events:
                        pass
        except (TimeoutError, UpstreamError):
            pass
        finally:
            await self._stream.aclose()

    def _end_of_events(self) -> None:
        if self._translator.outcome is None:
            self.closing = self._translator.end_of_stream()

    async def _asked(self, ask: Callable[[bytes], Awaitable[T]], *, stream: bool) -> T:
        """The answer of the service, asked again where it refused what can be done without.

        What the service was to have kept and has not is sent (§9). A container that has died is replaced once (§4); a
        prompt that is too long is shortened; a sampling parameter that turns out to be refused is left out here and,
        where that was all that was wrong, from then on (§15).
        """
        while True:
            await self.state.ready()
            body = await self._request(await self.hosted.tools(), stream=stream)
            try:
                answer = await ask(orjson.dumps(body))
            except UpstreamError as error:
                if not (
                    self._leaves_out_what_is_refused(error, body)
                    or await self.state.recovers_from(error)
                    or (refused_for_container(error) and await self._has_another_container(error.message))
                    or (refused_as_too_long(error) and await self._is_shortened())
                    or self._does_without_compaction(error, body)
                ):
                    raise
            else:
                if self._left_out:
                    self._learn(body["model"])
                return answer

    def _leaves_out_what_is_refused(self, error: UpstreamError, body: Wire) -> bool:
        parameter = refused_parameter(error, body)
        if parameter is not None:
            self._left_out |= {parameter}
        return parameter is not None

    def _learn(self, model: str) -> None:
        refusals = self._place.refusals
        learned = refusals.learn(model, self._left_out - refusals.of(model))
        if learned:
            self._place.later(refusals.keep(learned))

    async def _has_another_container(self, reason: str) -> bool:
        if self._replaced or not await self.hosted.replace_container():
            return False
        self._replaced = True
        await self.state.send_whole("container_replaced")
        _log.info("the thread's container was replaced", run_id=self.state.start.run["id"], error=reason)
        return True

    def _does_without_compaction(self, error: UpstreamError, body: Wire) -> bool:
        if not refused_to_compact(error, body):
            return False
        self.state.start = replace(self.state.start, compact_at=None)
        self._note(uncompacted_warning(body["model"]))
        return True

    async def _is_shortened(self) -> bool:
        """The service counted more than we did. Whether there is less to be sent now, so that it is worth asking."""
        before = self.state.start
        if self._shortened >= self._place.rules.history.truncation.overflow_retries or not await self.state.shorten():
            return False
        self._shortened += 1
        self._note(too_long(before.report, self.state.start.report, before.run))
        return True

    def _note(self, warning: str) -> None:
        self._notes = (*self._notes, warning)
        _log.warning(warning, run_id=self.state.start.run["id"], thread_id=self.state.start.run["thread_id"])

    async def _request(self, hosted: HostedTools, *, stream: bool) -> Wire:
        start = self.state.start
        run = start.run
        model = start.model
        plan = build_request(
            run,
            start.timeline,
            model=model,
            stream=stream,
            first_turn=start.number == 1,
            prior_usage=start.prior_usage,
            compact_at=start.compact_at,
            hosted=hosted,
            refused=self._place.refusals.of(model.model) | self._left_out,
            profile=self._place.rules.profile,
            continuation=start.continuation,
        )
        warnings = [*self._notes, *plan.warnings]
        self._translator.report = turn_report(start.report, run, model, warnings, start.continuation)
        for warning in plan.warnings:
            if warning not in self._logged:  # a request may be made several times
                _log.warning(warning, run_id=run["id"], thread_id=run["thread_id"])
        self._logged = plan.warnings
        return await self._images.shown(plan.body)

"""One exchange with the model: the request goes out, what comes back goes through the translator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar

import orjson

from threadbridge.api_types import CreateResponseBody, ResponseEvent
from threadbridge.context_window.report import (
    build_turn_report,
    mark_not_sent,
)
from threadbridge.engine.context import EngineContext
from threadbridge.engine.generated_files import ImageInliner
from threadbridge.engine.hosted_tool_session import HostedToolSession
from threadbridge.engine.recovery import recover_from_error, recover_from_event
from threadbridge.engine.remedies import TurnRemedies
from threadbridge.engine.run_stream import RunStream
from threadbridge.engine.upstream_state import UpstreamState
from threadbridge.errors import UpstreamError
from threadbridge.logs import get_logger
from threadbridge.ports import Event, Upstream, UpstreamStream
from threadbridge.schemas.error_messages import shorten
from threadbridge.service.turns import TurnStart
from threadbridge.translation.hosted_tools.hosted_tool import HostedToolResources
from threadbridge.translation.rejected_references import (
    list_references,
    replace_references,
)
from threadbridge.translation.request_builder import (
    INPUT_TOKENS_PATH,
    build_count_failure_warning,
    build_count_request,
    build_request,
    parse_token_count,
)
from threadbridge.translation.stream_translator import TurnInterruption, TurnTranslator, iterate_events

T = TypeVar("T")

_log = get_logger("threadbridge.run")

#: How long the end of a response may take once its last event is there.
_DRAIN_SECONDS = 1.0
#: Events that end a response with an error that a remedy may exist for.
_FAILURE_EVENTS = frozenset({"response.failed", "response.error", "error"})
#: What the translator raises for an event with values of wrong types.
_MALFORMED = (AttributeError, IndexError, KeyError, TypeError, ValueError)


class ModelExchange:
    """Requests one response of the model and passes its events to the translator.

    If the turn has readers the response is streamed and events are published as they arrive; otherwise it is fetched
    whole. `closing_events` are published after the turn is committed.
    """

    def __init__(
        self, ctx: EngineContext, start: TurnStart, translator: TurnTranslator, run_stream: RunStream | None
    ) -> None:
        self._ctx = ctx
        self.upstream_state = UpstreamState(ctx, start)
        self._translator = translator
        self._run_stream = run_stream
        self.closing_events: Sequence[Event] = ()
        self._upstream_stream: UpstreamStream | None = None
        self._last_body: CreateResponseBody | None = None
        self._warnings: tuple[str, ...] = ()  # about the history and the request, for the report
        self._logged_warnings: tuple[str, ...] = ()  # about parameters that are changed or dropped
        self._upstream_events: AsyncIterator[ResponseEvent] | None = None
        self.tool_session = HostedToolSession(ctx, start, translator, warn=self._add_warning)
        self._remedies = TurnRemedies(ctx, self.upstream_state, self.tool_session, warn=self._add_warning)
        self._image_inliner = ImageInliner(ctx)

    async def perform(self) -> None:
        """The whole exchange. Raises UpstreamError."""
        if not await self._check_token_budget():  # the run ends as incomplete without a request
            history = mark_not_sent(self.upstream_state.start.report)
            self._translator.report = {"history": history, "model": None, "warnings": list(self._warnings)}
            self.closing_events = self._translator.interrupt(TurnInterruption("incomplete", unbilled=True))
        elif self._run_stream is None or not self._run_stream.has_readers:
            await self._fetch_response()
        else:
            await self._relay_stream(self._run_stream)
        await self.tool_session.wait_for_file_copies()

    async def _check_token_budget(self) -> bool:
        """Whether the prompt is within its budget, as the upstream counts it if settings say so. A longer one is
        shortened (A80).
        """
        truncation = self._ctx.rules.history.truncation
        if truncation.counting == "offline" or self.upstream_state.start.report["budget"] is None:
            return True
        for _ in range(truncation.exact_requests):
            await self.upstream_state.ensure_conversation()
            body = await self._build_request(await self.tool_session.prepare_tools(), stream=False)
            try:
                token_count = await _fetch_input_token_count(self._ctx.upstream, body, seconds=truncation.exact_seconds)
            except UpstreamError as error:
                self._add_warning(build_count_failure_warning(error.message))
                break
            fits = await self.upstream_state.recount(token_count)
            if fits is not None:
                return fits
        return bool(self.upstream_state.start.report["fits"])

    async def _fetch_response(self) -> None:
        response = await self._send_with_recovery(self._ctx.upstream.create_response, stream=False)
        self._translator.request_id = response.request_id
        for event in iterate_events(response.body):
            if (
                self.tool_session.runs_code or event["type"] in _FAILURE_EVENTS
            ) and await self._start_over_if_recoverable(event):
                return await self._fetch_response()
            if self.tool_session.runs_code:
                self._publish(await self.tool_session.discover_files_before(event["type"]))
            try:
                events = self._translator.translate(event)
            except _MALFORMED as exc:
                raise _build_malformed_event_error(event) from exc
            if self.tool_session.runs_code:
                self.tool_session.start_file_copies()
            if self._translator.outcome is not None:
                self.closing_events = events
                break
            self._publish(events)
        return self._end_if_incomplete()

    async def _relay_stream(self, run_stream: RunStream) -> None:
        translator, runs_code = self._translator, self.tool_session.runs_code
        self._upstream_stream = await self._send_with_recovery(self._ctx.upstream.stream_response, stream=True)
        translator.request_id = self._upstream_stream.request_id
        self._upstream_events = aiter(self._upstream_stream)
        async for event in self._upstream_events:
            if (runs_code or event.get("type") in _FAILURE_EVENTS) and await self._start_over_if_recoverable(event):
                return await self._relay_stream(run_stream)
            if runs_code:
                run_stream.publish(await self.tool_session.discover_files_before(event["type"]))
            try:
                events = translator.translate(event)
            except _MALFORMED as exc:
                raise _build_malformed_event_error(event) from exc
            if runs_code:
                self.tool_session.start_file_copies()
            if translator.outcome is not None:
                self.closing_events = events
                break
            run_stream.publish(events)
            if run_stream.is_full:
                await self._wait_for_reader(run_stream)
        return self._end_if_incomplete()

    async def _start_over_if_recoverable(self, event: ResponseEvent) -> bool:
        """Whether this event ends the response with an error that a remedy helps; then it is requested again.

        After text or function calls were published it is not: then the run fails with the upstream's error.
        """
        if not self._translator.can_start_over or not await recover_from_event(
            self._remedies, event, self._last_body or {}
        ):
            return False
        self._publish(self._translator.start_over(event))
        stream, self._upstream_stream, self._upstream_events = self._upstream_stream, None, None
        if stream is not None:
            await stream.aclose()
        return True

    def _publish(self, events: Sequence[Event]) -> None:
        if self._run_stream is not None:
            self._run_stream.publish(events)

    async def _wait_for_reader(self, run_stream: RunStream) -> None:
        """Wait for a slow reader; detach one that reads nothing for too long, and continue the run (A100)."""
        try:
            async with asyncio.timeout(self._ctx.limits.stalled_reader_seconds):
                await run_stream.drain()
        except TimeoutError:
            _log.warning(
                "the reader of the stream does not read; the run continues without it",
                run_id=self.upstream_state.start.run["id"],
            )
            run_stream.detach_reader()

    @property
    def has_open_stream(self) -> bool:
        """Whether a stream is open."""
        return self._upstream_stream is not None

    async def close_stream(self) -> None:
        """Close the stream. A complete response is first read to its end, in bounded time, so that the next request can
        reuse its connection.
        """
        if self._upstream_stream is None or self._upstream_events is None:
            return
        try:
            if self.closing_events:
                async with asyncio.timeout(_DRAIN_SECONDS):
                    async for _ in self._upstream_events:
                        pass
        except (TimeoutError, UpstreamError):
            pass
        finally:
            await self._upstream_stream.aclose()

    def _end_if_incomplete(self) -> None:
        if self._translator.outcome is None:
            self.closing_events = self._translator.finish_stream()

    async def _send_with_recovery(self, send: Callable[[bytes], Awaitable[T]], *, stream: bool) -> T:
        """The answer of the upstream. A rejected request is changed by a remedy (`engine.recovery`) and sent again.

        A rejected parameter is left out for the rest of the turn and, if that alone helped, of all later turns (§15).
        """
        while True:
            await self.upstream_state.ensure_conversation()
            body = await self._build_request(await self.tool_session.prepare_tools(), stream=stream)
            try:
                answer = await send(orjson.dumps(body))
            except UpstreamError as error:
                if not await recover_from_error(self._remedies, error, body):
                    raise self._remedies.unknown_error or error from error
            else:
                self._remedies.record_rejections(body["model"])
                return answer

    def _add_warning(self, warning: str) -> None:
        self._warnings = (*self._warnings, warning)
        _log.warning(
            warning, run_id=self.upstream_state.start.run["id"], thread_id=self.upstream_state.start.run["thread_id"]
        )

    async def _build_request(self, hosted: HostedToolResources, *, stream: bool) -> CreateResponseBody:
        start = self.upstream_state.start
        run = start.run
        model = start.model
        plan = build_request(
            run,
            start.timeline,
            model=model,
            stream=stream,
            first_turn=start.number == 1,
            prior_usage=start.prior_usage,
            compact_threshold=start.compact_at,
            hosted_tools=hosted,
            rejected_parameters=self._ctx.parameter_rejections.list_rejected_parameters(model.model)
            | self._remedies.rejected_parameters,
            profile=self._ctx.rules.profile,
            continuation=start.continuation,
        )
        body = plan.body
        lost: Sequence[str] = ()
        references = list_references(body)
        if references:
            known = self._ctx.parameter_rejections.list_rejected_references(references, run["id"])
            body, lost = replace_references(body, self._remedies.rejected_references | known)
        plan_warnings = (*plan.warnings, *lost)
        warnings = [*self._warnings, *plan_warnings]
        self._translator.report = build_turn_report(start.report, run, model, warnings, start.continuation)
        for warning in plan_warnings:
            if warning not in self._logged_warnings:  # a request may be built several times
                _log.warning(warning, run_id=run["id"], thread_id=run["thread_id"])
        self._logged_warnings = plan_warnings
        self._last_body = await self._image_inliner.inline_images(body)
        return self._last_body


async def _fetch_input_token_count(upstream: Upstream, body: CreateResponseBody, *, seconds: float) -> int:
    """The tokens of a request as the upstream counts them. Raises UpstreamError if it does not answer in time."""
    try:
        async with asyncio.timeout(seconds):
            answer = await upstream.request("POST", INPUT_TOKENS_PATH, build_count_request(body))
    except TimeoutError:
        raise UpstreamError(f"It took longer than {seconds:g} s.") from None
    token_count = parse_token_count(answer)
    if token_count is None:
        raise UpstreamError("There is no number of tokens in its answer.")
    return token_count


def _build_malformed_event_error(event: ResponseEvent) -> UpstreamError:
    """The error that ends a run at an event that breaks the API's own schema, with the beginning of the event."""
    return UpstreamError(f"The service sent an event that cannot be read: {shorten(orjson.dumps(event).decode())}")

"""One exchange with the model: the request goes out, what comes back goes through the translator."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from threadbridge.emulation.turns import TurnStart
from threadbridge.ports import Event
from threadbridge.responses.request import build_request
from threadbridge.responses.translator import TurnTranslator
from threadbridge.responses.whole import events_of
from threadbridge_adapters.logs import logger
from threadbridge_adapters.responses.feed import Feed
from threadbridge_adapters.responses.workplace import Workplace

_log = logger("threadbridge.run")


class Conversation:
    """Asks the model for one response and hands its events to the translator.

    With a feed the response is streamed, and events are told as they come; without one nobody watches, and it is
    fetched whole. `closing` holds the last events, which may only be told once the turn is written.
    """

    def __init__(self, place: Workplace, start: TurnStart, translator: TurnTranslator, feed: Feed | None) -> None:
        self._place = place
        self._start = start
        self._translator = translator
        self._feed = feed
        self.closing: Sequence[Event] = ()

    async def hold(self) -> None:
        """The whole exchange. Raises UpstreamError."""
        if self._feed is None:
            await self._fetch()
        else:
            await self._relay(self._feed)

    async def _fetch(self) -> None:
        response = await self._place.upstream.create(self._request(stream=False))
        self._translator.request_id = response.request_id
        for event in events_of(response.body):
            self.closing = self._translator.feed(event)
        self._end_of_events()

    async def _relay(self, feed: Feed) -> None:
        translator = self._translator
        stream = await self._place.upstream.stream(self._request(stream=True))
        translator.request_id = stream.request_id
        try:
            async for event in stream:
                told = translator.feed(event)
                if translator.outcome is not None:
                    self.closing = told
                    break
                feed.put(told)
                if feed.is_full:
                    await feed.room()
            self._end_of_events()
        finally:
            await stream.aclose()

    def _end_of_events(self) -> None:
        if self._translator.outcome is None:
            self.closing = self._translator.end_of_stream()

    def _request(self, *, stream: bool) -> bytes:
        run = self._start.run
        plan = build_request(
            run,
            self._start.timeline,
            model=self._place.model(run),
            stream=stream,
            first_turn=self._start.number == 1,
            prior_usage=self._start.prior_usage,
        )
        for warning in plan.warnings:
            _log.warning(warning, run_id=run["id"], thread_id=run["thread_id"])
        return orjson.dumps(plan.body)

"""The loop of an agent: follow the run, answer its calls, until it ends."""

from __future__ import annotations

import contextlib
import random
from collections.abc import AsyncIterator, Callable
from typing import NoReturn

from threadbridge.client._backend_caller import Ask, AsyncEvents, AsyncLine
from threadbridge.client._call_options import Asked
from threadbridge.errors import BridgeError, InvalidRequest, UpstreamError
from threadbridge.ports import Event, PolledRun, Wire
from threadbridge.run_states import RunStatus, can_transition
from threadbridge.tool_loop.function_calls import Tools, pending_calls, prepared
from threadbridge.tool_loop.poll_backoff import Pacing
from threadbridge.tool_loop.run_outcome import RESTING, ending, round_limit
from threadbridge.types import AssistantStreamEvent, parse_event

#: What a run is after its calls were answered, until it tells more itself (A59).
_ANSWERED = {"status": RunStatus.QUEUED.value, "required_action": None}


class AsyncExecution:
    """One run on its way through the loop. What is decided is decided in `threadbridge.tool_loop`."""

    def __init__(
        self,
        line: AsyncLine,
        thread_id: str,
        tools: Tools,
        on_event: Callable[[AssistantStreamEvent], object] | None,
        *,
        rounds: int,
        at_once: int,
        timeout: float | None,
    ) -> None:
        self._line = line
        self._thread_id = thread_id
        self._tools = tools
        self._on_event = on_event
        self._rounds = rounds
        self._at_once = at_once
        self._timeout = timeout
        self._pacing = Pacing(random.random)
        self._streams = line.backend.capabilities.streams
        self._run: Wire | None = None  # as it was last heard of

    async def completed(self, call: Asked) -> Wire:
        """The run at its good end. Raises the RunError of any other."""
        try:
            run = await self._settled(await self._begin(call))
            answered = 0
            while run["status"] == RunStatus.REQUIRES_ACTION:
                if answered == self._rounds:
                    await self._give_up(run)
                run = await self._settled(await self._answer(run))
                answered += 1
        except UpstreamError:
            raise  # the service is not there, and neither would it hear of a cancel
        except BaseException:
            await self._abandon()
            raise
        failure = ending(run)
        if failure is not None:
            raise failure
        return run

    async def _begin(self, call: Asked) -> Wire:
        thread_id = self._thread_id
        if self._streams:
            return await self._follow(
                await self._line.open(
                    lambda backend: backend.stream_run(thread_id, call.body, include=call.include), self._timeout
                )
            )
        return await self._ask(lambda backend: backend.create_run(thread_id, call.body, include=call.include))

    async def _answer(self, run: Wire) -> Wire:
        calls = [prepared(call, self._tools) for call in pending_calls(run)]
        outputs = await self._line.perform(calls, at_once=self._at_once)
        pairs = zip(calls, outputs, strict=True)
        body = {"tool_outputs": [{"tool_call_id": call.call_id, "output": output} for call, output in pairs]}
        try:
            events = await self._submit(run["id"], body)
        except (InvalidRequest, UpstreamError):
            # The run may have expired meanwhile, or the answer got lost after the outputs had arrived.
            now = await self._look(run["id"])
            if now.run["status"] == RunStatus.REQUIRES_ACTION:
                raise
            return now.run
        return await self._follow(events) if events is not None else self._known()

    async def _submit(self, run_id: str, body: Wire) -> AsyncEvents | None:
        thread_id = self._thread_id
        if self._streams:
            events = await self._line.open(
                lambda backend: backend.stream_tool_outputs(thread_id, run_id, body), self._timeout
            )
            self._run = {**self._known(), **_ANSWERED}
            return events
        await self._ask(lambda backend: backend.submit_tool_outputs(thread_id, run_id, body))
        return None

    async def _follow(self, events: AsyncEvents) -> Wire:
        try:
            async for event in self._heard(events):
                if event.data.get("object") == "thread.run":
                    self._run = event.data
                if self._on_event is not None:
                    await self._line.tell(self._on_event, parse_event(event))
        finally:
            await events.close()
        return self._known()

    async def _heard(self, events: AsyncEvents) -> AsyncIterator[Event]:
        """The events until the stream ends or breaks; a run that is known goes on without it."""
        while True:
            try:
                event = await events.__anext__()
            except StopAsyncIteration:
                return
            except UpstreamError:
                if self._run is None:
                    raise
                return
            yield event

    async def _settled(self, run: Wire) -> Wire:
        self._pacing.another_round()
        advised = None
        while run["status"] not in RESTING:
            await self._line.sleep(self._pacing.pause(advised))
            run, advised = await self._look(run["id"])
        return run

    async def _look(self, run_id: str) -> PolledRun:
        polled = await self._line.ask(lambda backend: backend.retrieve_run(self._thread_id, run_id), self._timeout)
        self._run = polled.run
        return polled

    async def _ask(self, question: Ask[Wire]) -> Wire:
        self._run = await self._line.ask(question, self._timeout)
        return self._run

    async def _cancel(self, run: Wire) -> Wire:
        return await self._ask(lambda backend: backend.cancel_run(self._thread_id, run["id"]))

    async def _give_up(self, run: Wire) -> NoReturn:
        raise round_limit(await self._cancel(run), self._rounds)

    async def _abandon(self) -> None:
        if self._run is not None and can_transition(self._run, RunStatus.CANCELLING):
            with contextlib.suppress(BridgeError):
                await self._cancel(self._run)

    def _known(self) -> Wire:
        if self._run is None:
            raise UpstreamError("The stream ended before it told of a run.")
        return self._run

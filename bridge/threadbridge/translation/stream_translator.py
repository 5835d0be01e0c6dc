"""One response of the Responses API becomes one turn of a run: its events, and the rows it leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

from threadbridge.errors import TranslationError
from threadbridge.ports import Event, NewId, Turn, Wire
from threadbridge.run_states import RunStatus, stepped
from threadbridge.translation.produced_files import ContainerPlace, ProducedFile
from threadbridge.translation.run_errors import INTERRUPTIONS, Closing, closing_of_incomplete, last_error, last_error_of
from threadbridge.translation.turn_builder import TurnWriter
from threadbridge.translation.turn_result import Ending, TurnOutcome
from threadbridge.translation.usage import added, usage_of, zero_usage
from threadbridge.translation.wire_objects import run_event

#: A method of the translator, looked up by a word of the upstream.
_Handler: TypeAlias = Callable[[Any, Wire], list[Event]]

_CANCELLED_UPSTREAM = "The upstream service cancelled the response."
_ENDED_EARLY = "The upstream service ended its stream before the response was finished."


class TurnTranslator:
    """Feed it the events of one response, send what it returns. Pure: time and ids are handed in.

    `run` is the run as just stored, in progress. The first event returned is `thread.run.step.created`; those before
    it (A90) are the caller's. `prior_usage` is the sum over the run's earlier turns.

    Once `outcome` is set the turn is over: store it, and only then send the events of the call that set it. For this
    reason, and because only the last step of a turn bears its usage (§16 G2), a message is closed when the next
    visible item opens or the turn ends, not when the upstream finishes it.

    All function calls of a turn form one tool_calls step, which stays open until its outputs are submitted (A70,
    A75). Should the model write a message after a call, the message's step opens and closes while the step of the
    calls is open: A74 knows no such turn, and two steps would leave a part of the calls unanswerable. Every call of a
    hosted tool is a step of its own. Reasoning is kept for replay and not shown; a turn of nothing else has no step.

    `produced` are the files that code made, as they become known: fetch them meanwhile. `known_files` are those of
    earlier turns, by their place in a container. Before the last event of a response that used a `container_id`,
    tell with `discover` what lies in that container: not every file is cited (§12).
    """

    def __init__(
        self,
        run: Wire,
        *,
        new_id: NewId,
        now: Callable[[], float],
        prior_usage: Wire | None = None,
        number: int = 1,
        request_id: str | None = None,
        known_files: Mapping[ContainerPlace, str] | None = None,
    ) -> None:
        self.outcome: TurnOutcome | None = None
        #: The id the upstream gave the request; may be set as soon as it is known.
        self.request_id = request_id
        #: What the request was made of, kept with the turn.
        self.report: Wire | None = None
        self._run = run
        self._now = now
        self._prior_usage = prior_usage
        self._lost_usage: Wire | None = None  # of responses that another one took the place of
        self._number = number
        self._response_id: str | None = None
        self._model: str | None = None
        self._last_item_id: str | None = None
        self._refused = False
        self._writer = TurnWriter(run, new_id=new_id, now=now, known_files=known_files)
        #: The container in which the turn's code ran, once any did.
        self.container_id: str | None = None

    @property
    def produced(self) -> Sequence[ProducedFile]:
        """The files that the turn's code made, in the order they became known."""
        return self._writer.produced.files

    def discover(self, files: Sequence[Wire]) -> list[Event]:
        """The files in the turn's container (`GET /containers/{id}/files`): those never cited are told of too."""
        if self.container_id is None or self.outcome is not None:
            return []
        return self._writer.discover(self.container_id, files)

    def feed(self, event: Wire) -> list[Event]:
        """The run's events for one upstream event; none for a type nobody knows, and none after the end."""
        handle = self._HANDLERS.get(event.get("type", ""))
        return handle(self, event) if handle is not None and self.outcome is None else []

    def interrupt(self, ending: Ending) -> list[Event]:
        """Close everything that is open and end the run as told (A60, A95, A96).

        The events of a cancelled turn begin with `thread.run.cancelling`. Raises TranslationError when the turn is
        over already.
        """
        if self.outcome is not None:
            raise TranslationError(f"the turn of run {self._run['id']} is over and cannot be {ending.status}")
        self._refused = ending.refused and self._response_id is None
        if ending.status != "cancelled":
            error = (ending.last_error or last_error(None)) if ending.status == "failed" else None
            return self._cut(INTERRUPTIONS[ending.status], {}, error)
        self._run = stepped(self._run, RunStatus.CANCELLING, self._second())
        return [run_event(self._run), *self._cut(INTERRUPTIONS["cancelled"], {})]

    def end_of_stream(self) -> list[Event]:
        """The upstream has no more events: a turn that is not over by now has failed. Does nothing otherwise."""
        error = last_error(_ENDED_EARLY, request_id=self.request_id)
        return self.interrupt(Ending("failed", error)) if self.outcome is None else []

    @property
    def can_start_over(self) -> bool:
        """Whether another response can take the place of this one without taking back what was told."""
        return self.outcome is None and self._writer.can_start_over

    def start_over(self, event: Wire) -> list[Event]:
        """The response ended with this event, and another one will be asked for in its place.

        The steps told of so far stay: searches and code that were over as completed, the others as failed. Raises
        TranslationError unless `can_start_over`.
        """
        if not self.can_start_over:
            raise TranslationError(f"the turn of run {self._run['id']} has said what cannot be taken back")
        response: Wire = event.get("response") or {}
        error = self._told(response.get("error") or event.get("error") or event)
        self._lost_usage = self._usage(response)
        self.container_id = None
        return self._writer.start_over(error=error)

    # One method per upstream event ----------------------------------------------------------------------------

    def _began(self, event: Wire) -> list[Event]:
        self._note(event.get("response") or {})
        return []

    def _item_added(self, event: Wire) -> list[Event]:
        return self._writer.start(event.get("item") or {}, index=event.get("output_index"))

    def _text(self, event: Wire) -> list[Event]:
        return self._writer.fragment("text", event)

    def _refusal(self, event: Wire) -> list[Event]:
        return self._writer.fragment("refusal", event)

    def _arguments(self, event: Wire) -> list[Event]:
        return self._writer.arguments(event)

    def _annotation(self, event: Wire) -> list[Event]:
        return self._writer.annotation(event)

    def _code(self, event: Wire) -> list[Event]:
        return self._writer.code(event)

    def _item_done(self, event: Wire) -> list[Event]:
        self.container_id = (event.get("item") or {}).get("container_id") or self.container_id
        return self._writer.finish(event.get("item") or {}, index=event.get("output_index"))

    def _ended(self, event: Wire) -> list[Event]:
        response = event.get("response") or {}
        self._note(response)
        output: Sequence[Wire] = response.get("output") or []
        self._last_item_id = output[-1].get("id") if output else None
        events = self._writer.settle(output)
        # Some servers say `response.completed` of a response that calls itself incomplete.
        end = self._ENDS.get(response.get("status", "")) or self._ENDS[event["type"].removeprefix("response.")]
        return [*events, *end(self, response)]

    def _error(self, event: Wire) -> list[Event]:
        # Seen in two shapes: with an `error` object inside, and with its fields on the event itself.
        return self._cut(INTERRUPTIONS["failed"], {}, self._told(event.get("error") or event))

    # One method per end of a response -------------------------------------------------------------------------

    def _completed(self, response: Wire) -> list[Event]:
        usage = self._usage(response)
        calls = self._writer.calls
        if calls is None:
            events = self._writer.close(usage=usage)
            total = added(self._prior_usage, usage)
            run = stepped(self._run, RunStatus.COMPLETED, self._second(), usage=total)
        else:
            # The open step gets the usage with its outputs; until then the turn keeps it (A70, A78).
            events = self._writer.close(usage=zero_usage())
            calls.wait()
            action = calls.required_action()
            run = stepped(self._run, RunStatus.REQUIRES_ACTION, self._second(), required_action=action)
        return [*events, self._over(run, usage, cut=False)]

    def _incomplete(self, response: Wire) -> list[Event]:
        return self._cut(closing_of_incomplete(response), response)

    def _failed(self, response: Wire) -> list[Event]:
        return self._cut(INTERRUPTIONS["failed"], response, self._told(response.get("error")))

    def _cancelled(self, response: Wire) -> list[Event]:
        # Nobody asked for it here: a run that its owner cancelled ends through `interrupt`.
        error = self._told(response.get("error") or {"message": _CANCELLED_UPSTREAM})
        return self._cut(INTERRUPTIONS["failed"], response, error)

    def _cut(self, closing: Closing, response: Wire, error: Wire | None = None) -> list[Event]:
        """Close what is open, hosted calls before the message and that before function calls, and end the run."""
        usage = self._usage(response)
        message, calls, hosted = self._writer.message, self._writer.calls, self._writer.hosted
        last = hosted[-1] if hosted and message is None and calls is None else None
        events: list[Event] = []
        for call in hosted:
            shown = usage if call is last else zero_usage()
            events += call.close(step_status=closing.step, usage=shown, last_error=error)
        if message is not None:
            # The limit struck after the message was written: it is as complete as it was meant to be.
            spared = closing.run is RunStatus.INCOMPLETE and message.whole
            events += message.close(
                step_status=closing.step,
                usage=usage if calls is None else zero_usage(),
                reason=None if spared else closing.message_reason,
                last_error=error,
            )
        if calls is not None:
            events += calls.close(step_status=closing.step, usage=usage, last_error=error)
        changes: Wire = {"usage": added(self._prior_usage, usage), "last_error": error}
        if closing.run_reason is not None:
            changes["incomplete_details"] = {"reason": closing.run_reason}
        run = stepped(self._run, closing.run, self._second(), **changes)
        return [*events, self._over(run, usage, cut=True)]

    def _over(self, run: Wire, usage: Wire, *, cut: bool) -> Event:
        self.outcome = TurnOutcome(
            run=run,
            steps=self._writer.steps,
            entries=self._writer.entries(cut=cut),
            files=tuple(self.produced),
            places=dict(self._writer.produced.places),
            last_item_id=self._last_item_id,
            turn=Turn(
                self._number,
                self._response_id,
                self.request_id,
                self._model,
                None if self._refused else usage,
                self.report,
            ),
        )
        return run_event(run)

    def _usage(self, response: Wire) -> Wire:
        return added(self._lost_usage, usage_of(response))

    def _told(self, error: Any) -> Wire:
        return last_error_of(error, request_id=self.request_id)

    def _note(self, response: Mapping[str, Any]) -> None:
        self._response_id = response.get("id") or self._response_id
        self._model = response.get("model") or self._model

    def _second(self) -> int:
        return int(self._now())

    #: What is read of a stream (§8). Every other type is skipped, for the upstream grows; no `*.done` is needed but
    #: `output_item.done` (S4).
    _HANDLERS: ClassVar[Mapping[str, _Handler]] = {
        "response.created": _began,
        "response.output_item.added": _item_added,
        "response.output_text.delta": _text,
        "response.refusal.delta": _refusal,
        "response.output_text.annotation.added": _annotation,
        "response.function_call_arguments.delta": _arguments,
        "response.code_interpreter_call_code.delta": _code,
        "response.output_item.done": _item_done,
        "response.completed": _ended,
        "response.incomplete": _ended,
        "response.failed": _ended,
        "response.cancelled": _ended,
        "error": _error,
    }

    #: What becomes of the run, by the status of its response (§7).
    _ENDS: ClassVar[Mapping[str, _Handler]] = {
        "completed": _completed,
        "incomplete": _incomplete,
        "failed": _failed,
        "cancelled": _cancelled,
    }

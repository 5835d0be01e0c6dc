"""One response of the Responses API becomes one turn of a run: its events, and the rows it leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeAlias

from threadbridge.errors import TranslationError
from threadbridge.ports import Entry, Event, IdGenerator, Turn, Wire
from threadbridge.run_states import RunStatus, transition_run
from threadbridge.translation.produced_files import ContainerFileRef, ProducedFile
from threadbridge.translation.run_errors import (
    INTERRUPTION_CLOSURES,
    TurnClosure,
    build_last_error,
    convert_error,
    get_incomplete_closure,
)
from threadbridge.translation.turn_builder import TurnBuilder
from threadbridge.translation.usage import add_usage, parse_usage, zero_usage
from threadbridge.translation.wire_objects import build_run_event


@dataclass(frozen=True, slots=True)
class TurnInterruption:
    """Why a turn ends early: an upstream failure, a cancellation, expiry, or a prompt that exceeds its budget."""

    status: Literal["failed", "cancelled", "expired", "incomplete"]
    last_error: Wire | None = None  # {"code", "message"}, with status failed (A47)
    unbilled: bool = False  # the service rejected the request or never got it, and charges nothing


@dataclass(frozen=True, slots=True)
class TurnOutcome:
    """The rows one turn writes, all in one transaction.

    `run` is the run after the turn: `completed`, `requires_action`, `incomplete`, `failed`, `cancelled` or `expired`.
    `steps` are new. They and the messages in `entries` are in REST form (A32, A72).
    """

    run: Wire
    steps: Sequence[Wire]
    entries: Sequence[Entry]
    turn: Turn
    #: The files that code made; the messages cite them already.
    files: Sequence[ProducedFile] = ()
    #: The lasting ids of all files known in containers, by their place.
    container_file_ids: Mapping[ContainerFileRef, str] = field(default_factory=dict[ContainerFileRef, str])
    #: The ID of the last item of the response; None where it has none.
    last_item_id: str | None = None


#: A method of the translator, looked up by a word of the upstream.
_Handler: TypeAlias = Callable[[Any, Wire], list[Event]]

_CANCELLED_UPSTREAM = "The upstream service cancelled the response."
_STREAM_ENDED_EARLY = "The upstream service ended its stream before the response was finished."


class TurnTranslator:
    """Translates the events of one response into the events of a run. Pure: time and IDs are passed in.

    `run` is the run as just stored, in progress. The first event returned is `thread.run.step.created`; the caller
    sends those before it (A90). `prior_usage` is the sum over the run's earlier turns.

    Once `outcome` is set the turn is over: store it, and only then send the events of the call that set it. For this
    reason, and because only the last step of a turn has its usage (§16 G2), a message is closed when the next
    visible item opens or the turn ends, not when the upstream finishes it.

    All function calls of a turn form one tool_calls step, which stays open until its outputs are submitted (A70,
    A75). Should the model write a message after a call, the message's step opens and closes while the step of the
    calls is open: A74 knows no such turn, and two steps would leave a part of the calls unanswerable. Every call of a
    hosted tool is a step of its own. Reasoning is kept for replay and not shown; a turn of nothing else has no step.

    `produced_files` lists the files that code made as they become known, so that they can be copied meanwhile.
    `known_files` are those of earlier turns, by their place in a container. Before the last event of a response that
    used a `container_id`, pass the container's files to `add_container_files`: not every file is cited (§12).
    """

    def __init__(
        self,
        run: Wire,
        *,
        new_id: IdGenerator,
        now: Callable[[], float],
        prior_usage: Wire | None = None,
        number: int = 1,
        request_id: str | None = None,
        known_files: Mapping[ContainerFileRef, str] | None = None,
    ) -> None:
        self.outcome: TurnOutcome | None = None
        #: The id the upstream gave the request; may be set as soon as it is known.
        self.request_id = request_id
        #: What the request was made of, kept with the turn.
        self.report: Wire | None = None
        self._run = run
        self._now = now
        self._prior_usage = prior_usage
        self._discarded_usage: Wire | None = None  # of responses that were replaced
        self._number = number
        self._response_id: str | None = None
        self._model: str | None = None
        self._last_item_id: str | None = None
        self._unbilled = False
        self._builder = TurnBuilder(run, new_id=new_id, now=now, known_files=known_files)
        #: The container in which the turn's code ran, once any did.
        self.container_id: str | None = None

    @property
    def produced_files(self) -> Sequence[ProducedFile]:
        """The files that the turn's code made, in the order they became known."""
        return self._builder.produced_files.files

    def add_container_files(self, files: Sequence[Wire]) -> list[Event]:
        """Add the files in the turn's container (`GET /containers/{id}/files`), so that uncited ones are shown too."""
        if self.container_id is None or self.outcome is not None:
            return []
        return self._builder.add_container_files(self.container_id, files)

    def translate(self, event: Wire) -> list[Event]:
        """The run's events for one upstream event; none for an unknown type, and none after the end."""
        if self.outcome is not None:
            return []
        handle = self._EVENT_HANDLERS.get(event.get("type", ""))
        return self._builder.add_hosted_fragment(event) if handle is None else handle(self, event)

    def interrupt(self, ending: TurnInterruption) -> list[Event]:
        """Close everything that is open and end the run (A60, A95, A96).

        The events of a cancelled turn begin with `thread.run.cancelling`. Raises TranslationError when the turn is
        over already.
        """
        if self.outcome is not None:
            raise TranslationError(f"the turn of run {self._run['id']} is over and cannot be {ending.status}")
        self._unbilled = ending.unbilled and self._response_id is None
        if ending.status != "cancelled":
            error = (ending.last_error or build_last_error(None)) if ending.status == "failed" else None
            return self._close_early(INTERRUPTION_CLOSURES[ending.status], {}, error)
        self._run = transition_run(self._run, RunStatus.CANCELLING, self._now_seconds())
        return [build_run_event(self._run), *self._close_early(INTERRUPTION_CLOSURES["cancelled"], {})]

    def finish_stream(self) -> list[Event]:
        """The upstream has no more events: a turn that is not over by now has failed. Does nothing otherwise."""
        error = build_last_error(_STREAM_ENDED_EARLY, request_id=self.request_id)
        return self.interrupt(TurnInterruption("failed", error)) if self.outcome is None else []

    @property
    def can_start_over(self) -> bool:
        """Whether another response can replace this one without retracting events already sent."""
        return self.outcome is None and self._builder.can_start_over

    def start_over(self, event: Wire) -> list[Event]:
        """Drop the response that this event ended, for another one to be requested.

        Steps already sent stay: finished calls of hosted tools as completed, the others as failed. Raises
        TranslationError unless `can_start_over`.
        """
        if not self.can_start_over:
            raise TranslationError(f"the turn of run {self._run['id']} has sent events that cannot be retracted")
        response: Wire = event.get("response") or {}
        error = self._convert_error(response.get("error") or event.get("error") or event)
        self._discarded_usage = self._sum_usage(response)
        self.container_id = None
        return self._builder.start_over(error=error)

    # One method per upstream event ----------------------------------------------------------------------------

    def _on_response_created(self, event: Wire) -> list[Event]:
        self._record_response(event.get("response") or {})
        return []

    def _on_item_added(self, event: Wire) -> list[Event]:
        return self._builder.start_item(event.get("item") or {}, index=event.get("output_index"))

    def _on_text_delta(self, event: Wire) -> list[Event]:
        return self._builder.add_fragment("text", event)

    def _on_refusal_delta(self, event: Wire) -> list[Event]:
        return self._builder.add_fragment("refusal", event)

    def _on_arguments_delta(self, event: Wire) -> list[Event]:
        return self._builder.add_arguments(event)

    def _on_annotation(self, event: Wire) -> list[Event]:
        return self._builder.add_annotation(event)

    def _on_item_done(self, event: Wire) -> list[Event]:
        self.container_id = (event.get("item") or {}).get("container_id") or self.container_id
        return self._builder.finish_item(event.get("item") or {}, index=event.get("output_index"))

    def _on_response_ended(self, event: Wire) -> list[Event]:
        response = event.get("response") or {}
        self._record_response(response)
        output: Sequence[Wire] = response.get("output") or []
        self._last_item_id = output[-1].get("id") if output else None
        events = self._builder.reconcile_output(output)
        # Some servers send `response.completed` for a response whose status is incomplete.
        end = (
            self._STATUS_HANDLERS.get(response.get("status", ""))
            or self._STATUS_HANDLERS[event["type"].removeprefix("response.")]
        )
        return [*events, *end(self, response)]

    def _on_error(self, event: Wire) -> list[Event]:
        # Seen in two shapes: with an `error` object inside, and with its fields on the event itself.
        return self._close_early(INTERRUPTION_CLOSURES["failed"], {}, self._convert_error(event.get("error") or event))

    # One method per end of a response -------------------------------------------------------------------------

    def _end_completed(self, response: Wire) -> list[Event]:
        usage = self._sum_usage(response)
        calls = self._builder.function_calls
        if calls is None:
            events = self._builder.close(usage=usage)
            total = add_usage(self._prior_usage, usage)
            run = transition_run(self._run, RunStatus.COMPLETED, self._now_seconds(), usage=total)
        else:
            # The open step gets the usage with its outputs; until then the turn keeps it (A70, A78).
            events = self._builder.close(usage=zero_usage())
            calls.leave_open()
            action = calls.build_required_action()
            run = transition_run(self._run, RunStatus.REQUIRES_ACTION, self._now_seconds(), required_action=action)
        return [*events, self._set_outcome(run, usage, incomplete=False)]

    def _end_incomplete(self, response: Wire) -> list[Event]:
        return self._close_early(get_incomplete_closure(response), response)

    def _end_failed(self, response: Wire) -> list[Event]:
        return self._close_early(INTERRUPTION_CLOSURES["failed"], response, self._convert_error(response.get("error")))

    def _end_cancelled(self, response: Wire) -> list[Event]:
        # Not cancelled from here: a run that its owner cancels ends through `interrupt`.
        error = self._convert_error(response.get("error") or {"message": _CANCELLED_UPSTREAM})
        return self._close_early(INTERRUPTION_CLOSURES["failed"], response, error)

    def _close_early(self, closure: TurnClosure, response: Wire, error: Wire | None = None) -> list[Event]:
        """Close what is open, hosted calls before the message and that before function calls, and end the run."""
        usage = self._sum_usage(response)
        message, calls, hosted_calls = self._builder.message, self._builder.function_calls, self._builder.hosted_calls
        last = hosted_calls[-1] if hosted_calls and message is None and calls is None else None
        events: list[Event] = []
        for call in hosted_calls:
            step_usage = usage if call is last else zero_usage()
            events += call.close(step_status=closure.step_status, usage=step_usage, last_error=error)
        if message is not None:
            # The limit struck after the message was written: it is as complete as it was meant to be.
            is_whole = closure.run_status is RunStatus.INCOMPLETE and message.is_complete
            events += message.close(
                step_status=closure.step_status,
                usage=usage if calls is None else zero_usage(),
                reason=None if is_whole else closure.message_reason,
                last_error=error,
            )
        if calls is not None:
            events += calls.close(step_status=closure.step_status, usage=usage, last_error=error)
        changes: Wire = {"usage": add_usage(self._prior_usage, usage), "last_error": error}
        if closure.run_reason is not None:
            changes["incomplete_details"] = {"reason": closure.run_reason}
        run = transition_run(self._run, closure.run_status, self._now_seconds(), **changes)
        return [*events, self._set_outcome(run, usage, incomplete=True)]

    def _set_outcome(self, run: Wire, usage: Wire, *, incomplete: bool) -> Event:
        self.outcome = TurnOutcome(
            run=run,
            steps=self._builder.steps,
            entries=self._builder.build_entries(incomplete=incomplete),
            files=tuple(self.produced_files),
            container_file_ids=dict(self._builder.produced_files.container_file_ids),
            last_item_id=self._last_item_id,
            turn=Turn(
                self._number,
                self._response_id,
                self.request_id,
                self._model,
                None if self._unbilled else usage,
                self.report,
            ),
        )
        return build_run_event(run)

    def _sum_usage(self, response: Wire) -> Wire:
        return add_usage(self._discarded_usage, parse_usage(response))

    def _convert_error(self, error: Any) -> Wire:
        return convert_error(error, request_id=self.request_id)

    def _record_response(self, response: Mapping[str, Any]) -> None:
        self._response_id = response.get("id") or self._response_id
        self._model = response.get("model") or self._model

    def _now_seconds(self) -> int:
        return int(self._now())

    #: What is read of a stream (§8), besides the fragments of hosted tools. Every other type is skipped, since the
    #: upstream grows; no `*.done` is needed but `output_item.done` (S4).
    _EVENT_HANDLERS: ClassVar[Mapping[str, _Handler]] = {
        "response.created": _on_response_created,
        "response.output_item.added": _on_item_added,
        "response.output_text.delta": _on_text_delta,
        "response.refusal.delta": _on_refusal_delta,
        "response.output_text.annotation.added": _on_annotation,
        "response.function_call_arguments.delta": _on_arguments_delta,
        "response.output_item.done": _on_item_done,
        "response.completed": _on_response_ended,
        "response.incomplete": _on_response_ended,
        "response.failed": _on_response_ended,
        "response.cancelled": _on_response_ended,
        "error": _on_error,
    }

    #: What becomes of the run, by the status of its response (§7).
    _STATUS_HANDLERS: ClassVar[Mapping[str, _Handler]] = {
        "completed": _end_completed,
        "incomplete": _end_incomplete,
        "failed": _end_failed,
        "cancelled": _end_cancelled,
    }


#: The event that ends a response, by its status.
_FINAL_EVENT_TYPES: Mapping[str, str] = {
    "completed": "response.completed",
    "incomplete": "response.incomplete",
    "failed": "response.failed",
    "cancelled": "response.cancelled",
}

_UNFINISHED_STATUSES = frozenset({"queued", "in_progress"})


def iterate_events(response: Wire) -> Iterator[Wire]:
    """The fewest events with the content of the response, so that one translator serves streams and whole answers.

    A response that is not finished has no last event; the translator's `finish_stream` ends it.
    """
    yield {"type": "response.created", "response": response}
    for index, item in enumerate(response.get("output") or []):
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    last = _get_final_event_type(response)
    if last is not None:
        yield {"type": last, "response": response}


def _get_final_event_type(response: Wire) -> str | None:
    status: str = response.get("status") or ""
    if status in _UNFINISHED_STATUSES:
        return None
    if status in _FINAL_EVENT_TYPES:
        return _FINAL_EVENT_TYPES[status]
    # Some servers omit the status (S5) or use one of their own; then other fields decide.
    if response.get("error"):
        return "response.failed"
    return "response.incomplete" if response.get("incomplete_details") else "response.completed"

"""One response of the Responses API becomes one turn of a run: its events, and the rows it leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, cast

from threadbridge.api_types import (
    JsonMapping,
    LastError,
    OutputItem,
    OutputTextPart,
    ResponseEvent,
    ResponseObject,
    RunChanges,
    RunObject,
    RunStepObject,
    UsageObject,
)
from threadbridge.errors import TranslationError
from threadbridge.ports import Entry, Event, IdGenerator, Turn
from threadbridge.run_states import RunStatus, transition_run
from threadbridge.translation.generated_files import ContainerFileRef, GeneratedFile
from threadbridge.translation.run_errors import (
    INTERRUPTION_CLOSURES,
    TurnClosure,
    build_last_error,
    convert_error,
    get_incomplete_closure,
)
from threadbridge.translation.turn_builder import TurnBuilder
from threadbridge.translation.wire_objects import add_usage, build_run_event, parse_usage, zero_usage

_CANCELLED_UPSTREAM = "The upstream service cancelled the response."
_STREAM_ENDED_EARLY = "The upstream service ended its stream before the response was finished."

#: The event that ends a response, by its status.
_FINAL_EVENT_TYPES: Mapping[str, str] = {
    "completed": "response.completed",
    "incomplete": "response.incomplete",
    "failed": "response.failed",
    "cancelled": "response.cancelled",
}
_UNFINISHED_STATUSES = frozenset({"queued", "in_progress"})


@dataclass(frozen=True, slots=True)
class TurnInterruption:
    """Why a turn ends early: an upstream failure, a cancellation, expiry, or a prompt that exceeds its budget."""

    status: Literal["failed", "cancelled", "expired", "incomplete"]
    #: With status failed (A47).
    last_error: LastError | None = None
    #: The service rejected the request or never received it, and charges nothing.
    unbilled: bool = False


@dataclass(frozen=True, slots=True)
class TurnOutcome:
    """The rows one turn writes, all in one transaction.

    `run` is the run after the turn: `completed`, `requires_action`, `incomplete`, `failed`, `cancelled` or `expired`.
    `steps` are new. They and the messages in `entries` are in REST form (A32, A72).
    """

    run: RunObject
    steps: Sequence[RunStepObject]
    entries: Sequence[Entry]
    turn: Turn
    #: The files that code made; the messages cite them already.
    files: Sequence[GeneratedFile] = ()
    #: The lasting IDs of all files known in containers, by container and container file.
    container_file_ids: Mapping[ContainerFileRef, str] = field(default_factory=dict[ContainerFileRef, str])
    #: The ID of the last item of the response; None where it has none.
    last_item_id: str | None = None


class TurnTranslator:
    """Translates the events of one response into the events of a run. Pure: time and IDs are passed in.

    `run` is the run as just stored, in progress. The first event returned is `thread.run.step.created`; the caller
    sends those before it (A90). `prior_usage` is the sum over the run's earlier turns.

    Once `outcome` is set the turn is over: store it, and only then send the events of the call that set it. For this
    reason, and because only the last step of a turn has its usage (§16 G2), a message is closed when the next
    visible item opens or the turn ends, not when the upstream finishes it.

    All function calls of a turn form one tool_calls step, which stays open until its outputs are submitted (A70,
    A75). If the model writes a message after a call, the message's step opens and closes while the step of the calls
    is open: A74 knows no such turn, but with two steps some of the calls could not be answered. Every call of a
    hosted tool is a step of its own. Reasoning is stored for replay but not shown, so a turn of reasoning alone has no
    step.

    `generated_files` lists the files that code made as they become known, so that they can be copied meanwhile.
    `known_files` are the IDs of the files of earlier turns. Before the last event of a response that used a
    `container_id`, pass the container's files to `add_container_files`: not every file is cited (§12).
    """

    def __init__(
        self,
        run: RunObject,
        *,
        new_id: IdGenerator,
        now: Callable[[], float],
        prior_usage: UsageObject | None = None,
        number: int = 1,
        request_id: str | None = None,
        known_files: Mapping[ContainerFileRef, str] | None = None,
    ) -> None:
        self.outcome: TurnOutcome | None = None
        #: The ID that the upstream gave the request; may be set as soon as it is known.
        self.request_id = request_id
        #: The report on the request (`context_window.report`), stored with the turn.
        self.report: JsonMapping | None = None
        #: The container in which the turn's code ran, once any did.
        self.container_id: str | None = None
        self._run = run
        self._now = now
        self._prior_usage = prior_usage
        self._discarded_usage: UsageObject | None = None  # of responses that were replaced
        self._number = number
        self._response_id: str | None = None
        self._model: str | None = None
        self._last_item_id: str | None = None
        self._unbilled = False
        self._create_builder = partial(TurnBuilder, run, new_id=new_id, now=now, known_files=known_files)
        self._builder = self._create_builder()

    @property
    def generated_files(self) -> Sequence[GeneratedFile]:
        """The files that the turn's code made, in the order they became known."""
        return self._builder.generated_files.files

    def add_container_files(self, files: Sequence[JsonMapping]) -> list[Event]:
        """Add the files in the turn's container (`GET /containers/{id}/files`), so that uncited ones are shown too."""
        if self.container_id is None or self.outcome is not None:
            return []
        return self._builder.add_container_files(self.container_id, files)

    def translate(self, event: ResponseEvent) -> list[Event]:
        """The run's events for one upstream event; none for an unknown type, and none after the end.

        Read are the types listed here (§8) and the fragments of hosted tools. No `*.done` is needed except
        `output_item.done`, because some servers send no others (S4).
        """
        if self.outcome is not None:
            return []
        builder = self._builder
        match event.get("type"):
            case "response.output_text.delta":
                return builder.add_fragment("text", event)
            case "response.function_call_arguments.delta":
                return builder.add_arguments(event)
            case "response.refusal.delta":
                return builder.add_fragment("refusal", event)
            case "response.output_text.annotation.added":
                return builder.add_annotation(event)
            case "response.output_item.added":
                item = event.get("item")
                return (
                    [] if item is None else builder.start_item(_normalize_item(item), index=event.get("output_index"))
                )
            case "response.output_item.done":
                item = event.get("item")
                if item is None:
                    return []
                fields: JsonMapping = item  # of any hosted tool that works in a container
                self.container_id = fields.get("container_id") or self.container_id
                return builder.finish_item(_normalize_item(item), index=event.get("output_index"))
            case "response.created":
                self._record_response(event.get("response") or {})
                return []
            case "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled":
                return self._end_response(event["type"].removeprefix("response."), event.get("response") or {})
            case "error" | "response.error":
                # Seen in two shapes: with an `error` object inside, and with its fields on the event itself.
                return self._fail({}, event.get("error") or event)
            case _:
                return builder.add_hosted_fragment(event)

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
            return self._close_interrupted(INTERRUPTION_CLOSURES[ending.status], error)
        self._run = transition_run(self._run, RunStatus.CANCELLING, int(self._now()))
        return [build_run_event(self._run), *self._close_interrupted(INTERRUPTION_CLOSURES["cancelled"], None)]

    def _close_interrupted(self, closure: TurnClosure, error: LastError | None) -> list[Event]:
        """Close what is open, or drop it where a value of a wrong type in it keeps it from being closed."""
        try:
            return self._close_early(closure, {}, error)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            self._builder = self._create_builder()
            return self._close_early(closure, {}, error)

    def finish_stream(self) -> list[Event]:
        """The upstream has no more events: a turn that is not over by now has failed. Does nothing otherwise."""
        error = build_last_error(_STREAM_ENDED_EARLY, request_id=self.request_id)
        return self.interrupt(TurnInterruption("failed", error)) if self.outcome is None else []

    @property
    def can_start_over(self) -> bool:
        """Whether another response can replace this one without retracting events already sent."""
        return self.outcome is None and self._builder.can_start_over

    def start_over(self, event: ResponseEvent) -> list[Event]:
        """Drop the response that this event ended, so that another one can be requested.

        Steps already sent stay: finished calls of hosted tools as completed, the others as failed. Raises
        TranslationError unless `can_start_over`.
        """
        if not self.can_start_over:
            raise TranslationError(f"the turn of run {self._run['id']} has sent events that cannot be retracted")
        response: ResponseObject = event.get("response") or {}
        error = convert_error(response.get("error") or event.get("error") or event, request_id=self.request_id)
        self._discarded_usage = add_usage(self._discarded_usage, parse_usage(response))
        self.container_id = None
        return self._builder.start_over(error=error)

    # The end of a response ------------------------------------------------------------------------------------

    def _end_response(self, event_status: str, response: ResponseObject) -> list[Event]:
        """End the turn by the status of its response (§7); for an unknown status the type of the event decides.

        Some servers send `response.completed` for a response whose status is incomplete.
        """
        self._record_response(response)
        output = [_normalize_item(item) for item in response.get("output") or ()]
        self._last_item_id = output[-1].get("id") if output else None
        events = self._builder.reconcile_output(output)
        status = response.get("status")
        match status if status in _FINAL_EVENT_TYPES else event_status:
            case "completed":
                usage = add_usage(self._discarded_usage, parse_usage(response))
                calls = self._builder.function_calls
                if calls is None:
                    events += self._builder.close(usage=usage)
                    total = add_usage(self._prior_usage, usage)
                    run = transition_run(self._run, RunStatus.COMPLETED, int(self._now()), usage=total)
                else:
                    # The open step gets the usage with its outputs; until then the turn keeps it (A70, A78).
                    events += [*self._builder.close(usage=zero_usage()), *calls.leave_open()]
                    action = calls.build_required_action()
                    run = transition_run(self._run, RunStatus.REQUIRES_ACTION, int(self._now()), required_action=action)
                return [*events, self._set_outcome(run, usage, incomplete=False)]
            case "incomplete":
                return [*events, *self._close_early(get_incomplete_closure(response), response)]
            case "cancelled":
                # A run that its owner cancels ends through `interrupt`: here the service cancelled the response.
                return [*events, *self._fail(response, response.get("error") or {"message": _CANCELLED_UPSTREAM})]
            case _:
                return [*events, *self._fail(response, response.get("error"))]

    def _fail(self, response: ResponseObject, error: object) -> list[Event]:
        last_error = convert_error(error, request_id=self.request_id)
        return self._close_early(INTERRUPTION_CLOSURES["failed"], response, last_error)

    def _close_early(
        self, closure: TurnClosure, response: ResponseObject, error: LastError | None = None
    ) -> list[Event]:
        """Close what is open, hosted calls before the message and that before function calls, and end the run."""
        usage = add_usage(self._discarded_usage, parse_usage(response))
        message, calls, hosted_calls = self._builder.message, self._builder.function_calls, self._builder.hosted_calls
        last = hosted_calls[-1] if hosted_calls and message is None and calls is None else None
        events: list[Event] = []
        for call in hosted_calls:
            step_usage = usage if call is last else zero_usage()
            events += call.close(step_status=closure.step_status, usage=step_usage, last_error=error)
        if message is not None:
            # A message that the service finished before the limit was reached is not cut off.
            is_whole = closure.run_status is RunStatus.INCOMPLETE and message.is_complete
            events += message.close(
                step_status=closure.step_status,
                usage=usage if calls is None else zero_usage(),
                reason=None if is_whole else closure.message_reason,
                last_error=error,
            )
        if calls is not None:
            events += calls.close(step_status=closure.step_status, usage=usage, last_error=error)
        changes: RunChanges = {"usage": add_usage(self._prior_usage, usage), "last_error": error}
        if closure.run_reason is not None:
            changes["incomplete_details"] = {"reason": closure.run_reason}
        run = transition_run(self._run, closure.run_status, int(self._now()), **changes)
        return [*events, self._set_outcome(run, usage, incomplete=True)]

    def _set_outcome(self, run: RunObject, usage: UsageObject, *, incomplete: bool) -> Event:
        turn = Turn(
            self._number,
            self._response_id,
            self.request_id,
            self._model,
            None if self._unbilled else usage,
            self.report,
        )
        self.outcome = TurnOutcome(
            run=run,
            steps=self._builder.steps,
            entries=self._builder.build_entries(incomplete=incomplete),
            files=tuple(self.generated_files),
            container_file_ids=dict(self._builder.generated_files.container_file_ids),
            last_item_id=self._last_item_id,
            turn=turn,
        )
        return build_run_event(run)

    def _record_response(self, response: ResponseObject) -> None:
        self._response_id = response.get("id") or self._response_id
        self._model = response.get("model") or self._model


def _normalize_item(item: OutputItem) -> OutputItem:
    """The output item, with the content of a message as a list: some servers send a string."""
    fields: JsonMapping = item
    content = fields.get("content")
    if isinstance(content, str) and fields.get("type") == "message":
        part: OutputTextPart = {"type": "output_text", "text": content, "annotations": []}
        return cast("OutputItem", {**fields, "content": [part]})
    return item


def iterate_events(response: ResponseObject) -> Iterator[ResponseEvent]:
    """The fewest events with the content of a response that was not streamed, so that one translator serves both.

    A response that is not finished has no last event; the translator's `finish_stream` ends it.
    """
    yield {"type": "response.created", "response": response}
    for index, item in enumerate(response.get("output") or []):
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    status = response.get("status") or ""
    if status in _UNFINISHED_STATUSES:
        return
    last = _FINAL_EVENT_TYPES.get(status)
    if last is None:  # some servers omit the status (S5) or use one of their own; then other fields decide
        is_incomplete = bool(response.get("incomplete_details"))
        last = "response.incomplete" if is_incomplete else "response.completed"
        last = "response.failed" if response.get("error") else last
    yield {"type": last, "response": response}

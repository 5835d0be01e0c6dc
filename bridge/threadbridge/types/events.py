"""The events of a streamed run (A89), distinguished by `event`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Generic, Literal, TypeAlias, TypeVar, cast

from threadbridge.sse import Event
from threadbridge.types._model import OrUnknown, WireModel
from threadbridge.types.deltas import MessageDeltaEvent, RunStepDeltaEvent
from threadbridge.types.run import Run, RunStep
from threadbridge.types.thread import Message, Thread

NameT = TypeVar("NameT", bound=str)
DataT = TypeVar("DataT")


class StreamEvent(WireModel, Generic[NameT, DataT]):
    """An event: its name in `event`, its object in `data`."""

    event: NameT
    data: DataT


class ErrorObject(WireModel):
    """An error (A97)."""

    code: str | None = None
    message: str | None = None
    param: str | None = None
    type: str | None = None


class ThreadCreated(StreamEvent[Literal["thread.created"], Thread]):
    """The thread was created, in the same request as the run."""


class ThreadRunCreated(StreamEvent[Literal["thread.run.created"], Run]):
    """The run was created."""


class ThreadRunQueued(StreamEvent[Literal["thread.run.queued"], Run]):
    """The run is queued."""


class ThreadRunInProgress(StreamEvent[Literal["thread.run.in_progress"], Run]):
    """The run is in progress."""


class ThreadRunRequiresAction(StreamEvent[Literal["thread.run.requires_action"], Run]):
    """The run waits for tool outputs."""


class ThreadRunCompleted(StreamEvent[Literal["thread.run.completed"], Run]):
    """The run is completed."""


class ThreadRunIncomplete(StreamEvent[Literal["thread.run.incomplete"], Run]):
    """A token budget or a content filter ended the run."""


class ThreadRunFailed(StreamEvent[Literal["thread.run.failed"], Run]):
    """The run failed with `last_error`."""


class ThreadRunCancelling(StreamEvent[Literal["thread.run.cancelling"], Run]):
    """The run is being cancelled."""


class ThreadRunCancelled(StreamEvent[Literal["thread.run.cancelled"], Run]):
    """The run was cancelled."""


class ThreadRunExpired(StreamEvent[Literal["thread.run.expired"], Run]):
    """The run has expired."""


class ThreadRunStepCreated(StreamEvent[Literal["thread.run.step.created"], RunStep]):
    """A step was created."""


class ThreadRunStepInProgress(StreamEvent[Literal["thread.run.step.in_progress"], RunStep]):
    """A step is in progress."""


class ThreadRunStepCompleted(StreamEvent[Literal["thread.run.step.completed"], RunStep]):
    """A step is completed."""


class ThreadRunStepFailed(StreamEvent[Literal["thread.run.step.failed"], RunStep]):
    """A step failed."""


class ThreadRunStepCancelled(StreamEvent[Literal["thread.run.step.cancelled"], RunStep]):
    """A step was cancelled."""


class ThreadRunStepExpired(StreamEvent[Literal["thread.run.step.expired"], RunStep]):
    """A step has expired."""


class ThreadRunStepDelta(StreamEvent[Literal["thread.run.step.delta"], RunStepDeltaEvent]):
    """A delta of a step."""


class ThreadMessageCreated(StreamEvent[Literal["thread.message.created"], Message]):
    """A message was created."""


class ThreadMessageInProgress(StreamEvent[Literal["thread.message.in_progress"], Message]):
    """A message is in progress."""


class ThreadMessageCompleted(StreamEvent[Literal["thread.message.completed"], Message]):
    """A message is completed."""


class ThreadMessageIncomplete(StreamEvent[Literal["thread.message.incomplete"], Message]):
    """A message is incomplete."""


class ThreadMessageDelta(StreamEvent[Literal["thread.message.delta"], MessageDeltaEvent]):
    """A delta of a message."""


class ErrorEvent(StreamEvent[Literal["error"], ErrorObject]):
    """An error of the service."""


class UnknownEvent(StreamEvent[str, Any]):
    """An event that this version does not know, with its data as received."""


AssistantStreamEvent: TypeAlias = Annotated[
    ThreadCreated
    | ThreadRunCreated
    | ThreadRunQueued
    | ThreadRunInProgress
    | ThreadRunRequiresAction
    | ThreadRunCompleted
    | ThreadRunIncomplete
    | ThreadRunFailed
    | ThreadRunCancelling
    | ThreadRunCancelled
    | ThreadRunExpired
    | ThreadRunStepCreated
    | ThreadRunStepInProgress
    | ThreadRunStepCompleted
    | ThreadRunStepFailed
    | ThreadRunStepCancelled
    | ThreadRunStepExpired
    | ThreadRunStepDelta
    | ThreadMessageCreated
    | ThreadMessageInProgress
    | ThreadMessageCompleted
    | ThreadMessageIncomplete
    | ThreadMessageDelta
    | ErrorEvent,
    OrUnknown(UnknownEvent),
]

#: The classes by the names of their events.
_EVENT_TYPES: Mapping[str, type[StreamEvent[Any, Any]]] = {
    "thread.created": ThreadCreated,
    "thread.run.created": ThreadRunCreated,
    "thread.run.queued": ThreadRunQueued,
    "thread.run.in_progress": ThreadRunInProgress,
    "thread.run.requires_action": ThreadRunRequiresAction,
    "thread.run.completed": ThreadRunCompleted,
    "thread.run.incomplete": ThreadRunIncomplete,
    "thread.run.failed": ThreadRunFailed,
    "thread.run.cancelling": ThreadRunCancelling,
    "thread.run.cancelled": ThreadRunCancelled,
    "thread.run.expired": ThreadRunExpired,
    "thread.run.step.created": ThreadRunStepCreated,
    "thread.run.step.in_progress": ThreadRunStepInProgress,
    "thread.run.step.completed": ThreadRunStepCompleted,
    "thread.run.step.failed": ThreadRunStepFailed,
    "thread.run.step.cancelled": ThreadRunStepCancelled,
    "thread.run.step.expired": ThreadRunStepExpired,
    "thread.run.step.delta": ThreadRunStepDelta,
    "thread.message.created": ThreadMessageCreated,
    "thread.message.in_progress": ThreadMessageInProgress,
    "thread.message.completed": ThreadMessageCompleted,
    "thread.message.incomplete": ThreadMessageIncomplete,
    "thread.message.delta": ThreadMessageDelta,
    "error": ErrorEvent,
}


def parse_event(event: Event) -> AssistantStreamEvent:
    """The model of an event. A name that is not in A89 gives an `UnknownEvent`."""
    model = _EVENT_TYPES.get(event.name, UnknownEvent)
    data = event.data
    if event.name == "error" and isinstance(data.get("error"), dict):
        data = data["error"]  # some services send the envelope of an HTTP error
    return cast("AssistantStreamEvent", model.model_validate({"event": event.name, "data": data}))

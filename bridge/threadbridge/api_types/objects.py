"""Lists, deletions and errors, and the unions over all objects (A10, A16, A19, A89)."""

from typing import Generic, Literal, TypeAlias, TypedDict, TypeVar

from threadbridge.api_types.assistants import AssistantObject
from threadbridge.api_types.runs import RunObject, RunStepObject
from threadbridge.api_types.stream_deltas import MessageDeltaObject, RunStepDeltaObject
from threadbridge.api_types.threads import MessageObject, StreamedMessageObject, ThreadObject


class Identified(TypedDict):
    """Any object with an id."""

    id: str


ItemT = TypeVar("ItemT", bound=Identified)


class ListObject(TypedDict, Generic[ItemT]):
    """One page of a list; the ids are null where it is empty (A10)."""

    object: Literal["list"]
    data: list[ItemT]
    first_id: str | None
    last_id: str | None
    has_more: bool


class DeletionStatus(TypedDict):
    """The answer to a deletion; `object` is the kind with `.deleted` (A19)."""

    id: str
    object: str
    deleted: bool


class ErrorObject(TypedDict):
    """An error, as an answer or as the event `error` (A16, A97)."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorEnvelope(TypedDict):
    """The body of an answer that is an error."""

    error: ErrorObject


#: The objects a store keeps by id that the API returns.
ApiObject: TypeAlias = AssistantObject | ThreadObject | MessageObject | RunObject | RunStepObject

#: The data of an event of a run (A89).
EventData: TypeAlias = (
    ThreadObject
    | RunObject
    | RunStepObject
    | RunStepDeltaObject
    | StreamedMessageObject
    | MessageDeltaObject
    | ErrorObject
)

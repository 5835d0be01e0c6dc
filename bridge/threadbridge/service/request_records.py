"""Answer a repeated request once: requests are recorded with what they change, and a repeat finds the record.

Clients repeat a POST whose answer was lost. With an idempotency key, requests with the same key are the same request.
The openai SDKs send no key, only the number of the attempt, so an attempt after the first repeats an earlier one of the
same body to the same path. Such bodies are often equal on purpose (`{}`, the same assistant, "continue"), and the
first attempt may never have arrived. A record is therefore used only if nothing shows that its answer arrived: a client
sends its messages one after another or at once, then starts a run, and continues after the answer to that. Requests
without a thread are not recorded without a key: two users would share a thread, which is worse than an unused one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeVar

from threadbridge.api_types import AssistantObject, MessageObject, ThreadObject
from threadbridge.errors import InvalidRequest
from threadbridge.ports import ObjectKind, RecordedRequest, RequestIdentity, Session
from threadbridge.run_states import RunStatus
from threadbridge.service.context import ServiceContext
from threadbridge.service.runs import CreatedRun, Submission

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

#: Records of one thread. More than one are kept only of messages after the newest run.
_MAX_THREAD_RECORDS = 16
#: Outdated records that a request with a key removes: more than the one that it adds.
_MAX_REMOVED_RECORDS = 8


class RequestRepeated(Exception):
    """The request was answered before; clients never see this error, but the answer again."""

    def __init__(self, record: RecordedRequest) -> None:
        super().__init__(record.object_id)
        self.record = record


class ReceivedRequest(NamedTuple):
    """A request that is recorded. `kind` is that of the object in its answer, `thread_id` the thread in its path."""

    identity: RequestIdentity
    kind: ObjectKind
    thread_id: str | None
    received_at: float


class Perform(Protocol[T_co]):
    """What a request changes, and the result that its answer is made from."""

    def __call__(self, session: Session, /, *, context: ServiceContext) -> T_co: ...


class AnsweredObject(NamedTuple):
    """The object in an answer, as in `RecordedRequest`."""

    object_id: str
    step_id: str | None = None
    thread_id: str | None = None


def identify_object(result: AssistantObject | ThreadObject | MessageObject) -> AnsweredObject:
    """The object that was created."""
    return AnsweredObject(result["id"])


def identify_run(result: CreatedRun) -> AnsweredObject:
    """The run that was created, in its thread."""
    return AnsweredObject(result.run["id"], thread_id=result.run["thread_id"])


def identify_submission(result: Submission) -> AnsweredObject:
    """The run that outputs were submitted to, and the step that they completed."""
    return AnsweredObject(result.run["id"], step_id=result.step["id"])


def find_record(session: Session, context: ServiceContext, request: ReceivedRequest) -> RecordedRequest | None:
    """The record of the request that this one repeats, or None. An attempt counts as answered from now on, so that no
    other request repeats it.

    Raises InvalidRequest if the idempotency key belongs to another request.
    """
    identity = request.identity
    if identity.key is not None:
        return _find_keyed_record(session, context, identity, identity.key)
    if request.thread_id is None:
        return None
    records = _list_fresh_records(session, context, request.thread_id)
    for index in reversed(range(len(records))):
        record = records[index]
        # A later attempt, or an earlier one that was received before a later one was performed.
        is_repeat = record.attempt < identity.attempt or (
            record.attempt > identity.attempt and request.received_at < record.at
        )
        if record.digest == identity.digest and is_repeat:
            if _is_known_to_client(session, record):
                return None
            records[index] = record._replace(attempt=max(record.attempt, identity.attempt))
            session.put_thread_requests(request.thread_id, records)
            return record
        if not request.kind == record.kind == ObjectKind.MESSAGE:
            return None  # the client has continued since the older ones
    return None


def perform_once(
    request: ReceivedRequest | None, perform: Perform[T], identify: Callable[[T], AnsweredObject]
) -> Perform[T | RecordedRequest]:
    """`perform` for a request that is recorded in the same transaction; the record if it was answered before."""
    if request is None:
        return perform

    def perform_and_record(session: Session, /, *, context: ServiceContext) -> T | RecordedRequest:
        record = find_record(session, context, request)
        if record is not None:
            return record
        result = perform(session, context=context)
        answered = identify(result)
        record = RecordedRequest(
            request.identity.digest,
            request.kind,
            answered.object_id,
            at=context.now,
            attempt=request.identity.attempt,
            step_id=answered.step_id,
        )
        if request.identity.key is not None:
            outdated = context.now - context.rules.limits.idempotency_seconds
            session.remove_keyed_requests(answered_before=outdated, limit=_MAX_REMOVED_RECORDS)
            session.put_keyed_request(request.identity.key, record._replace(thread_id=answered.thread_id))
        elif request.thread_id is not None:
            _add_thread_record(session, context, request.thread_id, record)
        return result

    return perform_and_record


def _find_keyed_record(
    session: Session, context: ServiceContext, identity: RequestIdentity, key: str
) -> RecordedRequest | None:
    record = session.get_keyed_request(key)
    if record is None or record.at <= context.now - context.rules.limits.idempotency_seconds:
        return None
    if record.digest != identity.digest:
        raise InvalidRequest(
            "This Idempotency-Key was used for a request with another body or path. Use a new key for each request, "
            "and the same key only to repeat it.",
            param="Idempotency-Key",
            code="idempotency_key_reused",
        )
    return record


def _is_known_to_client(session: Session, record: RecordedRequest) -> bool:
    """Whether a client deleted the object or cancelled the run, which requires the id in the answer."""
    if record.kind is not ObjectKind.RUN:
        return session.get(record.kind, record.object_id) is None
    run = session.get(ObjectKind.RUN, record.object_id)
    return run is None or run["status"] in (RunStatus.CANCELLING, RunStatus.CANCELLED)


def _add_thread_record(session: Session, context: ServiceContext, thread_id: str, record: RecordedRequest) -> None:
    records: Sequence[RecordedRequest] = ()
    if record.kind is ObjectKind.MESSAGE:
        records = [
            other for other in _list_fresh_records(session, context, thread_id) if other.kind is ObjectKind.MESSAGE
        ]
    session.put_thread_requests(thread_id, [*records[-_MAX_THREAD_RECORDS + 1 :], record])


def _list_fresh_records(session: Session, context: ServiceContext, thread_id: str) -> list[RecordedRequest]:
    outdated = context.now - context.rules.limits.retry_seconds
    return [record for record in session.list_thread_requests(thread_id) if record.at > outdated]

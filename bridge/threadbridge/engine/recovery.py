"""What a run does about an error of the upstream, in which order: one table (§2, §4, §9, §11, §15).

`translation.error_classifier` says what an error means; the rows here say what helps. A remedy changes the next
request or the state behind it and returns whether sending again is worth it; each has a limit of its own, so that a
turn ends after a bounded number of requests.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol, TypeAlias

from threadbridge.api_types import JsonMapping
from threadbridge.errors import UpstreamError
from threadbridge.translation.error_classifier import ErrorKind, ErrorMatch, classify_error, get_event_error


class FailedRequest(NamedTuple):
    """A request that failed. `error` is None where an event ended the response; `message` is the upstream's."""

    match: ErrorMatch
    message: str
    body: JsonMapping
    error: UpstreamError | None = None


class RecoverableExchange(Protocol):
    """What remedies may change about an exchange with the model. Each returns whether it changed something."""

    def leave_out_parameter(self, name: str) -> bool:
        """Send a parameter of the request no more in this turn."""
        ...

    async def wait_for_conversation(self, error: UpstreamError) -> bool:
        """Wait until another request has left the conversation."""
        ...

    async def drop_lost_state(self, kind: ErrorKind, error: UpstreamError) -> bool:
        """Send the history that the upstream should have stored."""
        ...

    async def replace_container(self, reason: str) -> bool:
        """Run code in a new container, once a turn."""
        ...

    async def shorten_history(self) -> bool:
        """Send less of the thread, `overflow_retries` times a turn."""
        ...

    def leave_out_compaction(self, model: str) -> bool:
        """Send no compaction threshold."""
        ...

    def replace_references(self, failed: FailedRequest) -> bool:
        """Send notes in place of the images, files and stores that the error is about, and no rejected reasoning."""
        ...

    async def simplify_request(self, error: UpstreamError) -> bool:
        """Send nothing that the run can do without, once a turn; if that fails too, this error is the run's."""
        ...

    async def shorten_large_history(self) -> bool:
        """Send less of a thread that is long, for an error that may mean so."""
        ...


Remedy: TypeAlias = Callable[[RecoverableExchange, FailedRequest], Awaitable[bool]]


async def _leave_out_parameter(exchange: RecoverableExchange, failed: FailedRequest) -> bool:
    return exchange.leave_out_parameter(failed.match.detail)


async def _wait_for_conversation(exchange: RecoverableExchange, failed: FailedRequest) -> bool:
    return failed.error is not None and await exchange.wait_for_conversation(failed.error)


async def _drop_lost_state(exchange: RecoverableExchange, failed: FailedRequest) -> bool:
    return failed.error is not None and await exchange.drop_lost_state(failed.match.kind, failed.error)


async def _replace_container(exchange: RecoverableExchange, failed: FailedRequest) -> bool:
    return await exchange.replace_container(failed.message)


async def _shorten_history(exchange: RecoverableExchange, failed: FailedRequest) -> bool:  # noqa: ARG001  as all remedies
    return await exchange.shorten_history()


async def _leave_out_compaction(exchange: RecoverableExchange, failed: FailedRequest) -> bool:
    return exchange.leave_out_compaction(failed.body["model"])


async def _replace_references(exchange: RecoverableExchange, failed: FailedRequest) -> bool:
    return exchange.replace_references(failed)


async def _simplify_request(exchange: RecoverableExchange, failed: FailedRequest) -> bool:
    return failed.error is not None and await exchange.simplify_request(failed.error)


async def _shorten_large_history(exchange: RecoverableExchange, failed: FailedRequest) -> bool:  # noqa: ARG001  as all
    return await exchange.shorten_large_history()


class RecoveryRow(NamedTuple):
    """One meaning of an error and its remedy. `in_stream`: also for an event that ends a response."""

    kind: ErrorKind
    remedy: Remedy
    in_stream: bool = False


#: Tried from the top; the first remedy that changes something decides that the request is sent again.
RECOVERY: tuple[RecoveryRow, ...] = (
    RecoveryRow(ErrorKind.PARAMETER_REJECTED, _leave_out_parameter),
    RecoveryRow(ErrorKind.CONVERSATION_LOCKED, _wait_for_conversation),
    RecoveryRow(ErrorKind.CALLS_UNANSWERED, _drop_lost_state),
    RecoveryRow(ErrorKind.STATE_NOT_FOUND, _drop_lost_state),
    RecoveryRow(ErrorKind.STATE_REJECTED, _drop_lost_state),
    RecoveryRow(ErrorKind.CONTAINER_LOST, _replace_container, in_stream=True),
    RecoveryRow(ErrorKind.CONTEXT_OVERFLOW, _shorten_history, in_stream=True),
    RecoveryRow(ErrorKind.REFERENCE_REJECTED, _replace_references, in_stream=True),
    RecoveryRow(ErrorKind.COMPACTION_REJECTED, _leave_out_compaction),
    RecoveryRow(ErrorKind.UNKNOWN, _simplify_request),
    RecoveryRow(ErrorKind.UNKNOWN, _shorten_large_history),
)


async def recover_from_error(exchange: RecoverableExchange, error: UpstreamError, body: JsonMapping) -> bool:
    """Apply the remedies for a refused request. Returns whether to send it again."""
    matches = {match.kind: match for match in classify_error(error, body)}
    for row in RECOVERY:
        match = matches.get(row.kind)
        if match is not None and await row.remedy(exchange, FailedRequest(match, error.message, body, error)):
            return True
    return False


async def recover_from_event(exchange: RecoverableExchange, event: JsonMapping, body: JsonMapping) -> bool:
    """Apply the remedies for an event that ends the response to `body`. Returns whether to request it again."""
    error = get_event_error(event)
    if error is None:
        return False
    matches = {match.kind: match for match in classify_error(error, body)}
    message = error.get("message")
    for row in RECOVERY:
        match = matches.get(row.kind)
        failed = None if match is None else FailedRequest(match, message if isinstance(message, str) else "", body)
        if row.in_stream and failed is not None and await row.remedy(exchange, failed):
            return True
    return False

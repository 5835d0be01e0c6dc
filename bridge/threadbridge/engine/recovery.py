"""What a run does about an error of the upstream: a table of remedies, and parameters rejected earlier."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from threadbridge.api_types import JsonMapping
from threadbridge.errors import BridgeError, UpstreamError
from threadbridge.logs import get_logger
from threadbridge.ports import Clock, ParameterRejection, Session, Store
from threadbridge.settings import Settings
from threadbridge.translation.error_classifier import ErrorKind, ErrorMatch, classify_error, get_event_error
from threadbridge.translation.models.resolution import ParameterRejectionCache
from threadbridge.translation.rejected_references import Reference

#: A reference is rejected for all models.
_ANY_MODEL = ""

_log = get_logger("threadbridge.run")


class ParameterRejectionRegistry:
    """The rejections by the models of one upstream. `rejections` are those that the store held at the start."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        clock: Clock,
        *,
        service: str = "",
        rejections: Iterable[ParameterRejection] = (),
    ) -> None:
        self._store = store
        self._clock = clock
        self._service = service
        self._max_rejections = settings.limits.refusals
        self._rejections = ParameterRejectionCache(settings.limits, rejections)

    def list_rejected_parameters(self, model: str) -> frozenset[str]:
        """The parameters not to be sent to the model."""
        return self._rejections.get_rejected(model, self._clock.now())

    def learn(self, model: str, parameters: Iterable[str]) -> Sequence[ParameterRejection]:
        """Learn that the model answers without these parameters. Returns the rejections to store."""
        rejections = [ParameterRejection(model, parameter, self._clock.now()) for parameter in sorted(parameters)]
        for rejection in rejections:
            self._rejections.record(rejection)
        return rejections

    def list_rejected_references(self, references: Iterable[Reference], run_id: str) -> set[Reference]:
        """Those of the references that the service cannot use."""
        rejected = self._rejections.get_rejected(_ANY_MODEL, self._clock.now())
        if not rejected:
            return set()
        return {reference for reference in references if _get_digest(reference, run_id) in rejected}

    def learn_references(self, references: Iterable[Reference], run_id: str) -> Sequence[ParameterRejection]:
        """Record references that the service cannot use; returns what to save."""
        return self.learn(_ANY_MODEL, [_get_digest(reference, run_id) for reference in references])

    async def save(self, tenant: str, rejections: Sequence[ParameterRejection]) -> None:
        """Store them for the tenant of the run. If that fails, only this process has learned them."""

        def work(session: Session) -> None:
            for rejection in rejections:
                session.add_parameter_rejection(self._service, rejection, max_count=self._max_rejections)

        try:
            await self._store.write(work, tenant=tenant)
        except BridgeError as error:
            _log.warning("refused parameters could not be remembered", error=error.message)


def _get_digest(reference: Reference, run_id: str) -> str:
    """What is stored of a reference: a URL may be secret, and of any length. Reasoning has no id but its run's."""
    value = f"{run_id} reasoning" if reference.kind == "reasoning" else reference.value
    return f"{reference.kind} {hashlib.sha256(value.encode('utf-8', 'surrogatepass')).hexdigest()}"


async def load_parameter_rejections(
    settings: Settings, store: Store, clock: Clock, *, service: str
) -> ParameterRejectionRegistry:
    """What earlier processes learned of the service. Raises StoreError."""
    rejections = await store.read(lambda session: session.list_parameter_rejections(service), tenant=settings.tenant)
    return ParameterRejectionRegistry(settings, store, clock, service=service, rejections=rejections)


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

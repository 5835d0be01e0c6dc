"""What a run does about an error of the upstream: a table of remedies, and parameters rejected earlier."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

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


class Remedies(Protocol):
    """What can be changed about a request that failed. Each returns whether it changed something."""

    async def leave_out_parameter(self, failed: FailedRequest) -> bool:
        """Send the parameter that the error names no more in this turn."""
        ...

    async def wait_for_conversation(self, failed: FailedRequest) -> bool:
        """Wait until another request has left the conversation."""
        ...

    async def drop_lost_state(self, failed: FailedRequest) -> bool:
        """Send the history that the upstream should have stored."""
        ...

    async def replace_container(self, failed: FailedRequest) -> bool:
        """Run code in a new container, once a turn."""
        ...

    async def shorten_history(self, failed: FailedRequest) -> bool:
        """Send less of the thread, `overflow_retries` times a turn."""
        ...

    async def leave_out_compaction(self, failed: FailedRequest) -> bool:
        """Send no compaction threshold."""
        ...

    async def replace_references(self, failed: FailedRequest) -> bool:
        """Send notes instead of the images, files and stores that the error is about, and no rejected reasoning."""
        ...

    async def simplify_request(self, failed: FailedRequest) -> bool:
        """Send nothing that the run can do without, once a turn; if that fails too, this error is the run's."""
        ...

    async def shorten_large_history(self, failed: FailedRequest) -> bool:
        """Send less of a long thread, because the error may mean that it is too long."""
        ...


@dataclass(frozen=True, slots=True)
class RecoveryRow:
    """One meaning of an error and its remedy. `in_stream`: also for an event that ends a response."""

    kind: ErrorKind
    remedy: Callable[[Remedies, FailedRequest], Awaitable[bool]]
    in_stream: bool = False


#: Tried from the top; the first remedy that changes something decides that the request is sent again.
RECOVERY: tuple[RecoveryRow, ...] = (
    RecoveryRow(ErrorKind.PARAMETER_REJECTED, lambda remedies, failed: remedies.leave_out_parameter(failed)),
    RecoveryRow(ErrorKind.CONVERSATION_LOCKED, lambda remedies, failed: remedies.wait_for_conversation(failed)),
    RecoveryRow(ErrorKind.CALLS_UNANSWERED, lambda remedies, failed: remedies.drop_lost_state(failed)),
    RecoveryRow(ErrorKind.STATE_NOT_FOUND, lambda remedies, failed: remedies.drop_lost_state(failed)),
    RecoveryRow(ErrorKind.STATE_REJECTED, lambda remedies, failed: remedies.drop_lost_state(failed)),
    RecoveryRow(ErrorKind.CONTAINER_LOST, lambda remedies, failed: remedies.replace_container(failed), in_stream=True),
    RecoveryRow(ErrorKind.CONTEXT_OVERFLOW, lambda remedies, failed: remedies.shorten_history(failed), in_stream=True),
    RecoveryRow(
        ErrorKind.REFERENCE_REJECTED, lambda remedies, failed: remedies.replace_references(failed), in_stream=True
    ),
    RecoveryRow(ErrorKind.COMPACTION_REJECTED, lambda remedies, failed: remedies.leave_out_compaction(failed)),
    RecoveryRow(ErrorKind.UNKNOWN, lambda remedies, failed: remedies.simplify_request(failed)),
    RecoveryRow(ErrorKind.UNKNOWN, lambda remedies, failed: remedies.shorten_large_history(failed)),
)


async def recover_from_error(remedies: Remedies, error: UpstreamError, body: JsonMapping) -> bool:
    """Apply the remedies for a refused request. Returns whether to send it again."""
    matches = {match.kind: match for match in classify_error(error, body)}
    for row in RECOVERY:
        match = matches.get(row.kind)
        if match is not None and await row.remedy(remedies, FailedRequest(match, error.message, body, error)):
            return True
    return False


async def recover_from_event(remedies: Remedies, event: JsonMapping, body: JsonMapping) -> bool:
    """Apply the remedies for an event that ends the response to `body`. Returns whether to request it again."""
    error = get_event_error(event)
    if error is None:
        return False
    matches = {match.kind: match for match in classify_error(error, body)}
    message = error.get("message")
    for row in RECOVERY:
        match = matches.get(row.kind)
        failed = None if match is None else FailedRequest(match, message if isinstance(message, str) else "", body)
        if row.in_stream and failed is not None and await row.remedy(remedies, failed):
            return True
    return False

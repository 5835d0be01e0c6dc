"""The parameters that models rejected: learned by this process, and stored for later ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from threadbridge.errors import BridgeError
from threadbridge.logs import get_logger
from threadbridge.ports import Clock, ParameterRejection, Session, Store
from threadbridge.settings import Settings
from threadbridge.translation.models.policy import ParameterRejectionCache
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

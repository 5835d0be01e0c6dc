"""The parameters that models rejected: learned by this process, and stored for later ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from threadbridge.errors import BridgeError
from threadbridge.logs import get_logger
from threadbridge.ports import Clock, ParameterRejection, Session, Store
from threadbridge.settings import Settings
from threadbridge.translation.models.policy import ParameterRejectionCache

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

    async def save(self, tenant: str, rejections: Sequence[ParameterRejection]) -> None:
        """Store them for the tenant of the run. If that fails, only this process has learned them."""

        def work(session: Session) -> None:
            for rejection in rejections:
                session.add_parameter_rejection(self._service, rejection, max_count=self._max_rejections)

        try:
            await self._store.write(work, tenant=tenant)
        except BridgeError as error:
            _log.warning("refused parameters could not be remembered", error=error.message)


async def load_parameter_rejections(
    settings: Settings, store: Store, clock: Clock, *, service: str
) -> ParameterRejectionRegistry:
    """What earlier processes learned of the service. Raises StoreError."""
    rejections = await store.read(lambda session: session.list_parameter_rejections(service), tenant=settings.tenant)
    return ParameterRejectionRegistry(settings, store, clock, service=service, rejections=rejections)

"""What models refused: known at once in this process, and kept in the store for the next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from threadbridge.errors import BridgeError
from threadbridge.logs import logger
from threadbridge.ports import Clock, Refusal, Session, Store
from threadbridge.runtime.clock_and_ids import SystemClock
from threadbridge.settings import Settings
from threadbridge.translation.parameter_rejections import LearnedRefusals

_log = logger("threadbridge.run")


class KnownRefusals:
    """The refusals of one service, for one tenant. `known` are those the store had when the process began."""

    def __init__(
        self, settings: Settings, store: Store, clock: Clock, *, service: str = "", known: Iterable[Refusal] = ()
    ) -> None:
        self._tenant = settings.tenant
        self._store = store
        self._clock = clock
        self._service = service
        self._most = settings.limits.refusals
        self._learned = LearnedRefusals(settings.limits, known)

    def of(self, model: str) -> frozenset[str]:
        """The parameters not to be sent to the model."""
        return self._learned.of(model, self._clock.now())

    def learn(self, model: str, parameters: Iterable[str]) -> Sequence[Refusal]:
        """The model answers where these are left out; gives back what is to be kept."""
        learned = [Refusal(model, parameter, self._clock.now()) for parameter in sorted(parameters)]
        for refusal in learned:
            self._learned.learn(refusal)
        return learned

    async def keep(self, refusals: Sequence[Refusal]) -> None:
        """Write them down. Where that fails, only this process knows."""

        def work(session: Session) -> None:
            for refusal in refusals:
                session.add_refusal(self._service, refusal, most=self._most)

        try:
            await self._store.write(work, tenant=self._tenant)
        except BridgeError as error:
            _log.warning("refused parameters could not be remembered", error=error.message)


async def recalled(settings: Settings, store: Store, *, service: str) -> KnownRefusals:
    """What earlier processes learned of the service. Raises StoreError."""
    known = await store.read(lambda session: session.refusals(service), tenant=settings.tenant)
    return KnownRefusals(settings, store, SystemClock(), service=service, known=known)

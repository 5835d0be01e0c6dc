"""What all turns of a backend share, and the upstream of a process that performs no runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol, TypeVar

from threadbridge.api_types import JsonMapping, JsonObject, RunObject
from threadbridge.context_window.history_selector import TokenizerNotLoaded
from threadbridge.costs.spend_limits import has_spend_limits
from threadbridge.engine.attachment_provisioner import AttachmentProvisioner
from threadbridge.engine.containers import ContainerProvisioner
from threadbridge.engine.recovery import ParameterRejectionRegistry
from threadbridge.engine.token_counts import TokenCounting
from threadbridge.errors import UpstreamError
from threadbridge.ports import (
    BlobStore,
    Clock,
    EventBus,
    IdGenerator,
    ObjectKind,
    Session,
    Store,
    Upstream,
    UpstreamCapabilities,
    UpstreamResponse,
    UpstreamStream,
)
from threadbridge.service.context import ServiceContext, ServiceRules
from threadbridge.service.run_state import get_latest_expiry
from threadbridge.service.threads import AdoptionRule
from threadbridge.service.turns import TurnStart
from threadbridge.settings import Limits, Policies
from threadbridge.translation.stream_translator import TurnTranslator

_NO_RUNS_MESSAGE = (
    "This process performs no runs (performs_runs is false); start them where a gateway or a program does."
)


class NullUpstream:
    """`ports.Upstream` that refuses every request: a run started here by mistake fails and says why."""

    name = ""
    base_url = None
    capabilities = UpstreamCapabilities()

    async def create_response(self, body: bytes) -> UpstreamResponse:  # noqa: ARG002  the port's signature
        raise UpstreamError(_NO_RUNS_MESSAGE)

    async def stream_response(self, body: bytes) -> UpstreamStream:  # noqa: ARG002  the port's signature
        raise UpstreamError(_NO_RUNS_MESSAGE)

    async def request(self, method: str, path: str, body: JsonMapping | None = None) -> JsonObject:  # noqa: ARG002
        raise UpstreamError(_NO_RUNS_MESSAGE)

    async def upload(
        self,
        path: str,  # noqa: ARG002
        *,
        filename: str,  # noqa: ARG002
        content: AsyncIterator[bytes],  # noqa: ARG002
        fields: Mapping[str, str],  # noqa: ARG002
    ) -> JsonObject:
        raise UpstreamError(_NO_RUNS_MESSAGE)

    def download(self, path: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:  # noqa: ARG002
        raise UpstreamError(_NO_RUNS_MESSAGE)

    async def aclose(self) -> None:
        """There is nothing to close."""


T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Decision(Protocol[T_co]):
    """A function of the service layer for one transaction, complete but for the session and the service context."""

    def __call__(self, session: Session, /, *, context: ServiceContext) -> T_co:
        """Read and change rows. May be called again if the store repeats the transaction."""
        ...


@dataclass(frozen=True, slots=True)
class EngineContext:
    """What turns of one tenant need. `owner` names this process and backend in the leases it takes."""

    tenant: str
    store: Store
    upstream: Upstream
    clock: Clock
    new_id: IdGenerator
    owner: str
    limits: Limits
    policies: Policies
    rules: ServiceRules
    #: A slot for each turn that runs at the same time, handed out in order of arrival.
    concurrency_limit: asyncio.Semaphore
    event_bus: EventBus
    blobs: BlobStore
    attachment_provisioner: AttachmentProvisioner
    container_provisioner: ContainerProvisioner
    parameter_rejections: ParameterRejectionRegistry
    token_counting: TokenCounting
    #: Which unknown threads are adopted; None: none.
    thread_adoption: AdoptionRule | None = None
    #: Connections that are closed after their turn has ended, and the like.
    _background_tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    #: Runs with a turn that this process performed and could not write.
    unwritten_runs: set[str] = field(default_factory=set[str])

    #: The contexts of the other tenants that this process has served.
    _tenant_contexts: dict[str, EngineContext] = field(default_factory=dict[str, "EngineContext"])

    def for_tenant(self, tenant: str) -> EngineContext:
        """The context of another tenant: same store, upstream, limits, event bus and slots."""
        if tenant == self.tenant:
            return self
        ctx = self._tenant_contexts.get(tenant)
        if ctx is None:
            ctx = self._tenant_contexts[tenant] = replace(
                self,
                tenant=tenant,
                attachment_provisioner=replace(self.attachment_provisioner, tenant=tenant),
                container_provisioner=replace(self.container_provisioner, tenant=tenant),
            )
        return ctx

    async def write(self, decide: Decision[T], *, body: Mapping[str, object] | None = None, large: bool = False) -> T:
        """Run one transaction that may change rows. `body` is a request that adds texts to a thread; `large`: the
        transaction writes so much that the loop must not wait for it.
        """
        context, is_body_large = await self.prepare_write(body)
        while True:
            try:
                return await self.store.write(
                    partial(decide, context=context), tenant=self.tenant, large=large or is_body_large
                )
            except TokenizerNotLoaded:
                await self.token_counting.load()

    async def prepare_write(
        self, body: Mapping[str, object] | None = None, *, starts_turn: bool = False
    ) -> tuple[ServiceContext, bool]:
        """What a transaction decides with, and whether it is large. The texts of `body` are counted before it.

        `starts_turn`: the caller performs the turn that the transaction queues.
        """
        token_counts: Mapping[str, int] = {}
        is_large = False
        if body is not None:
            token_counts, is_large = await self.token_counting.count_body(body)
        context = ServiceContext(self.clock.now(), self.new_id, self.owner, self.rules, starts_turn, token_counts)
        return context, is_large

    async def load_prices_if_limited(self) -> None:
        """Load prices if a spend limit is set, so that the transaction that starts a turn can look them up."""
        prices = self.rules.costs.price_list
        if has_spend_limits(self.limits) and not prices.is_ready:
            await prices.load()

    async def get_run(self, run_id: str) -> RunObject | None:
        """The run as it is stored."""
        return await self.store.read(lambda session: session.get(ObjectKind.RUN, run_id), tenant=self.tenant)

    async def list_unfinished_runs(self, *, after: str | None, limit: int) -> Sequence[str]:
        """Ids of this tenant's unfinished runs without a valid lease, oldest first."""
        now = self.clock.now()
        latest_expiry = get_latest_expiry(now, self.limits.lease_seconds)
        return await self.store.read(
            lambda session: session.list_unfinished_runs(
                lease_expired_before=now, latest_expiry=latest_expiry, after=after, limit=limit
            ),
            tenant=self.tenant,
        )

    async def list_tenants_to_sweep(self, *, after: str | None, limit: int) -> Sequence[str]:
        """Tenants of the whole store with unfinished runs without a valid lease, or with cleanup intents."""
        now = self.clock.now()
        latest_expiry = get_latest_expiry(now, self.limits.lease_seconds)
        return await self.store.read(
            lambda session: session.list_tenants_to_sweep(
                lease_expired_before=now, latest_expiry=latest_expiry, after=after, limit=limit
            ),
            tenant=self.tenant,
        )

    def run_in_background(self, work: Coroutine[None, None, None]) -> None:
        """Run something that no run waits for; `wait_for_background_tasks` waits for it."""
        task = asyncio.ensure_future(work)
        self._background_tasks.add(task)
        task.add_done_callback(self._background_tasks.discard)

    async def wait_for_background_tasks(self) -> None:
        """Wait until all background tasks have ended."""
        if self._background_tasks:
            await asyncio.wait(self._background_tasks)

    def create_translator(self, start: TurnStart) -> TurnTranslator:
        """A fresh translator for a turn."""
        container = start.resources.container if start.resources is not None else None
        return TurnTranslator(
            start.run,
            new_id=self.new_id,
            now=self.clock.now,
            prior_usage=start.prior_usage,
            number=start.number,
            known_files=container.known_files if container is not None else None,
        )

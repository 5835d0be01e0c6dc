"""The `responses` backend, as the entry point opens it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from threadbridge.costs.pricing import CostRules, NoPrices
from threadbridge.ports import Backend, Blobs, Clock, NewId, PriceList, Store, Upstream
from threadbridge.runtime.clock_and_ids import SystemClock, new_id
from threadbridge.settings import Settings

if TYPE_CHECKING:
    from threadbridge.engine.backend import ResponsesBackend
    from threadbridge.engine.concurrency_limit import Places
    from threadbridge.engine.parameter_rejections import KnownRefusals
    from threadbridge.service.context import Rules
    from threadbridge.translation.models.policy import ModelCatalog

__all__ = ["assemble", "open_backend", "service_of", "upstream_of"]


async def open_backend(settings: Settings) -> Backend:
    """The emulated Assistants API of these settings; runs that lost their worker are taken up at once.

    Raises ConfigurationError for unusable settings and StoreError for a store that cannot be opened.
    """
    from threadbridge.engine.parameter_rejections import recalled
    from threadbridge_adapters.blobs import open_blobs
    from threadbridge_adapters.model_catalog import catalog_path, read_catalog
    from threadbridge_adapters.stores import open_store
    from threadbridge_adapters.stores.sqlite.sqlite_url import place_of

    catalog = None if settings.simulate else read_catalog(catalog_path(settings))
    upstream = upstream_of(settings)
    service = _named(settings, upstream)
    if catalog is not None and catalog.service != service:
        catalog = None  # another service has other models
    try:
        store = await open_store(_store_of(settings))
    except BaseException:
        await upstream.aclose()
        raise
    try:
        blobs = open_blobs(settings.files, beside=place_of(_store_of(settings)).path)
        refusals = await recalled(settings, store, service=service)
        return assemble(
            settings,
            store=store,
            upstream=upstream,
            prices=_prices_of(settings, upstream),
            blobs=blobs,
            catalog=catalog,
            refusals=refusals,
        )
    except BaseException:
        await upstream.aclose()
        await store.aclose()
        raise


def _store_of(settings: Settings) -> str | None:
    """What the simulator says stays out of the user's own file unless it is named."""
    return ":memory:" if settings.simulate and settings.store is None else settings.store


def upstream_of(settings: Settings) -> Upstream:
    """The service behind, as configured. Nothing is sent."""
    if not settings.performs_runs:
        from threadbridge.engine.null_upstream import NoUpstream

        return NoUpstream()
    if settings.simulate:
        from threadbridge_adapters.simulator import SimulatedUpstream, Simulator

        return SimulatedUpstream(Simulator())
    from threadbridge_adapters.upstreams.openai_direct import open_direct

    return open_direct(settings.upstream)


def _named(settings: Settings, upstream: Upstream) -> str:
    return "" if settings.simulate or not settings.performs_runs else service_of(upstream)


def service_of(upstream: Upstream) -> str:
    """What a service is called in the store: where it is, and no secret of its URL; empty for the simulator."""
    from threadbridge_adapters.upstreams.openai_sdk import OpenAIUpstream

    return upstream.name if isinstance(upstream, OpenAIUpstream) else ""


def _prices_of(settings: Settings, upstream: Upstream) -> PriceList:
    """What the service behind charges by the list; the simulator's answers are priced as if they were OpenAI's."""
    from threadbridge_adapters.price_list import OPENAI, price_list

    if settings.simulate:
        return price_list(OPENAI)
    from threadbridge_adapters.upstreams.openai_sdk import OpenAIUpstream

    return price_list(upstream.base_url) if isinstance(upstream, OpenAIUpstream) else NoPrices()


def assemble(
    settings: Settings,
    *,
    store: Store,
    upstream: Upstream,
    clock: Clock | None = None,
    new_id: NewId = new_id,
    places: Places | None = None,
    prices: PriceList | None = None,
    blobs: Blobs | None = None,
    catalog: ModelCatalog | None = None,
    refusals: KnownRefusals | None = None,
) -> ResponsesBackend:
    """A backend from its parts, for tests and for embedding. Must be called on the loop that will use it.

    `places` decides when a turn may be taken up, by default as many at a time as the settings say. `prices` has what
    models cost whose price is not configured. `blobs` has the contents of files that code made, by default as long as
    the backend lives. `catalog` is what the service said of its models, `refusals` what they were seen to refuse.
    Raises ConfigurationError for settings that ask for what the service cannot do.
    """
    from threadbridge.engine.attachment_provisioner import Supplier
    from threadbridge.engine.backend import ResponsesBackend
    from threadbridge.engine.concurrency_limit import Places
    from threadbridge.engine.containers import Containers
    from threadbridge.engine.context import Workplace
    from threadbridge.engine.event_log_registry import EventLogs
    from threadbridge.engine.inline_executor import Workforce
    from threadbridge.engine.parameter_rejections import KnownRefusals
    from threadbridge_adapters.blobs import open_blobs

    clock = clock or SystemClock()
    blobs = blobs or open_blobs(None, beside=None)
    place = Workplace(
        tenant=settings.tenant,
        store=store,
        upstream=upstream,
        clock=clock,
        new_id=new_id,
        owner=new_id("worker"),
        limits=settings.limits,
        policies=settings.policies,
        rules=_rules(settings, upstream, prices, catalog),
        places=places or Places(settings.limits.concurrent_turns),
        logs=EventLogs(settings.limits, clock, new_id),
        blobs=blobs,
        supplier=Supplier(settings.tenant, store, upstream, blobs, clock, new_id, settings.limits),
        containers=Containers(settings.tenant, store, upstream, blobs, clock),
        refusals=refusals or KnownRefusals(settings, store, clock),
    )
    workforce = Workforce(place)
    if settings.performs_runs:
        workforce.start()
    return ResponsesBackend(place, workforce)


def _rules(settings: Settings, upstream: Upstream, prices: PriceList | None, catalog: ModelCatalog | None) -> Rules:
    """What every decision goes by. The log is told what of the settings does not suit the service."""
    from threadbridge.context_window.token_budget import HistoryRules
    from threadbridge.context_window.upstream_continuation import StateRules
    from threadbridge.logs import logger
    from threadbridge.service.context import Rules
    from threadbridge.translation.capability_fallbacks import suited
    from threadbridge.translation.models.policy import ModelRules
    from threadbridge.translation.provider_profiles import profile_of
    from threadbridge_adapters.token_counter import token_counter

    profile = profile_of(settings.upstream, hosted_tools=settings.hosted_tools and settings.performs_runs)
    history, truncation, warnings = suited(settings, profile)
    for warning in warnings:
        logger("threadbridge").warning(warning)
    return Rules(
        limits=settings.limits,
        history=HistoryRules(truncation, settings.models, settings.per_assistant, token_counter()),
        state=StateRules(history, _named(settings, upstream), settings.limits.stored_response_days),
        models=ModelRules(settings.models, settings.per_assistant, settings.policies.sampling, catalog),
        profile=profile,
        missing_tool=settings.policies.missing_tool,
        costs=CostRules(settings.prices, prices or NoPrices(), settings.fees),
        unknown_price=settings.policies.unknown_price,
    )

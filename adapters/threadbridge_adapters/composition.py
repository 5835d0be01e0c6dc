"""Builds the `responses` backend from settings; the entry point calls `open_backend`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Required, TypedDict, cast

from typing_extensions import Unpack

from threadbridge.costs.pricing import CostRules, EmptyPriceList
from threadbridge.errors import ConfigurationError
from threadbridge.ports import Backend, BlobStore, Clock, EventBus, IdGenerator, PriceList, Store, Upstream
from threadbridge.runtime.clock_and_ids import SystemClock
from threadbridge.runtime.clock_and_ids import new_id as new_random_id
from threadbridge.runtime.plugins import load_plugin
from threadbridge.settings import Policies, Settings

if TYPE_CHECKING:
    from threadbridge.api_types import CreateAssistantBody
    from threadbridge.engine.backend import ResponsesBackend
    from threadbridge.engine.context import EngineContext
    from threadbridge.engine.inline_executor import ExecutorOpener
    from threadbridge.engine.recovery import ParameterRejectionRegistry
    from threadbridge.service.context import ServiceRules
    from threadbridge.service.threads import AdoptionRule
    from threadbridge.translation.models.resolution import ModelCatalog

__all__ = ["BackendParts", "assemble_backend", "open_backend", "open_upstream"]


async def open_backend(settings: Settings) -> Backend:
    """The emulated Assistants API for these settings; orphaned runs are resumed immediately.

    Raises ConfigurationError for unusable settings and StoreError for a store that cannot be opened.
    """
    from threadbridge.engine.recovery import load_parameter_rejections
    from threadbridge_adapters.blobs import open_blob_store
    from threadbridge_adapters.model_catalog import get_catalog_path, read_catalog
    from threadbridge_adapters.price_list import OPENAI_BASE_URL, create_price_list
    from threadbridge_adapters.stores import open_store
    from threadbridge_adapters.stores.sqlite.connection import parse_store_url

    # Runs on the simulator are not written to the user's default store.
    store_url = ":memory:" if settings.simulate and settings.store is None else settings.store
    catalog = None if settings.simulate else read_catalog(get_catalog_path(settings))
    upstream = open_upstream(settings)
    if catalog is not None and catalog.upstream != upstream.name:
        catalog = None  # the list of another service does not apply
    price_list_url = OPENAI_BASE_URL if settings.simulate else upstream.base_url
    try:
        store = await open_store(store_url)
    except BaseException:
        await upstream.aclose()
        raise
    try:
        declared = _read_declared_assistants(settings)
        if declared:
            await _store_declared_assistants(settings, store, declared)
        return assemble_backend(
            settings,
            store=store,
            declared_assistants=declared.keys() if settings.assistants.declared_mode == "read_only" else (),
            upstream=upstream,
            prices=EmptyPriceList() if price_list_url is None else create_price_list(price_list_url),
            blobs=open_blob_store(settings.files, database=parse_store_url(store_url)),
            catalog=catalog,
            parameter_rejections=await load_parameter_rejections(settings, store, SystemClock(), service=upstream.name),
            open_executor=load_plugin("executors", settings.executor, key="executor"),
        )
    except BaseException:
        await upstream.aclose()
        await store.aclose()
        raise


def _read_declared_assistants(settings: Settings) -> Mapping[str, CreateAssistantBody]:
    section = settings.assistants
    if not section.declared and section.directory is None:
        return {}
    from threadbridge.runtime.declared_assistants import read_declared_assistants

    return read_declared_assistants(section, settings.limits)


async def _store_declared_assistants(
    settings: Settings, store: Store, declared: Mapping[str, CreateAssistantBody]
) -> None:
    from threadbridge.logs import get_logger
    from threadbridge.service import assistants
    from threadbridge.service.context import ServiceContext

    context = ServiceContext(SystemClock().now(), new_random_id, "")
    work = partial(assistants.put_declared, context=context, bodies=declared)
    if changed := await store.write(work, tenant=settings.tenant):
        get_logger("threadbridge").info("stored the declared assistants", changed=changed, declared=len(declared))


def open_upstream(settings: Settings) -> Upstream:
    """The upstream of these settings, found by its entry point (group `threadbridge.upstreams`). Sends no request.

    In a process that performs no runs, a stub. Raises ConfigurationError for an unknown name or unusable settings.
    """
    if not settings.performs_runs:
        from threadbridge.engine.context import NullUpstream

        return NullUpstream()
    name = "simulator" if settings.simulate else settings.upstream.adapter
    opener = load_plugin("upstreams", name, key="upstream.adapter")
    return cast("Callable[[Settings], Upstream]", opener)(settings)


class BackendParts(TypedDict, total=False):
    """The parts of a backend that tests and embedding programs can replace."""

    store: Required[Store]
    upstream: Required[Upstream]
    #: By default the clock of the operating system and random ids.
    clock: Clock
    new_id: IdGenerator
    #: When a turn may start; by default `limits.concurrent_turns` at a time.
    concurrency_limit: asyncio.Semaphore
    #: The list prices of models without a price in the settings; by default every price is unknown.
    prices: PriceList
    #: The contents of generated files; by default stored as long as the backend lives.
    blobs: BlobStore
    #: The models that the upstream listed.
    catalog: ModelCatalog | None
    #: The parameters that models are known to reject; by default none.
    parameter_rejections: ParameterRejectionRegistry
    #: The ids of assistants that requests must not change.
    declared_assistants: Collection[str]
    #: Creates the executor; by default the inline one.
    open_executor: ExecutorOpener
    #: Delivers the events of runs to their followers; by default within this process.
    event_bus: EventBus


def assemble_backend(settings: Settings, **parts: Unpack[BackendParts]) -> ResponsesBackend:
    """Assemble a backend from its parts. Call it on the event loop that will use it.

    Raises ConfigurationError for settings that require what the upstream cannot do.
    """
    from threadbridge.engine.backend import ResponsesBackend
    from threadbridge.engine.inline_executor import LocalTurns, open_inline_executor
    from threadbridge.engine.sweepers import RunSweeper

    ctx = _build_context(settings, parts)
    local_turns = LocalTurns(ctx)
    executor = parts.get("open_executor", open_inline_executor)(ctx, local_turns)
    sweeper = RunSweeper(ctx, executor)
    if settings.performs_runs:
        sweeper.start()
    return ResponsesBackend(ctx, executor=executor, local_turns=local_turns, sweeper=sweeper)


def _build_context(settings: Settings, parts: BackendParts) -> EngineContext:
    from threadbridge.engine.attachment_provisioner import AttachmentProvisioner
    from threadbridge.engine.containers import ContainerProvisioner
    from threadbridge.engine.context import EngineContext
    from threadbridge.engine.recovery import ParameterRejectionRegistry
    from threadbridge.engine.token_counts import TokenCounting
    from threadbridge_adapters.blobs import open_blob_store
    from threadbridge_adapters.event_bus.in_process import InProcessEventBus

    tenant, limits, store, upstream = settings.tenant, settings.limits, parts["store"], parts["upstream"]
    clock = parts.get("clock") or SystemClock()
    new_id = parts.get("new_id", new_random_id)
    blobs = parts.get("blobs") or open_blob_store(None)
    rules = _build_rules(settings, upstream, parts.get("prices") or EmptyPriceList(), parts.get("catalog"))
    rules = replace(rules, declared_assistants=frozenset(parts.get("declared_assistants", ())))
    return EngineContext(
        tenant=tenant,
        store=store,
        upstream=upstream,
        clock=clock,
        new_id=new_id,
        owner=new_id("worker"),
        limits=limits,
        policies=settings.policies,
        rules=rules,
        concurrency_limit=parts.get("concurrency_limit") or asyncio.Semaphore(limits.concurrent_turns),
        event_bus=parts.get("event_bus") or InProcessEventBus(limits, clock, new_id),
        blobs=blobs,
        attachment_provisioner=AttachmentProvisioner(tenant, store, upstream, blobs, clock, new_id, limits),
        container_provisioner=ContainerProvisioner(tenant, store, upstream, blobs, clock),
        parameter_rejections=parts.get("parameter_rejections") or ParameterRejectionRegistry(settings, store, clock),
        token_counting=TokenCounting(rules.history.count_tokens, rules.history.is_tokenizer_loaded),
        thread_adoption=_build_adoption_rule(settings.policies),
    )


def _build_adoption_rule(policies: Policies) -> AdoptionRule | None:
    """The rule for unknown thread ids. Raises ConfigurationError if the file of ids cannot be read."""
    from threadbridge.service.threads import AdoptionRule

    if policies.unknown_thread == "refuse":
        return None
    if policies.adoptable_threads is None:
        return AdoptionRule()
    path = Path(policies.adoptable_threads)
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"policies.adoptable_threads: {path} cannot be read ({type(error).__name__}); name a text file with a "
            "thread id a line."
        ) from None
    return AdoptionRule(frozenset(line.partition("#")[0].strip() for line in lines) - {""})


def _build_rules(
    settings: Settings, upstream: Upstream, prices: PriceList, catalog: ModelCatalog | None
) -> ServiceRules:
    """The rules for all runs. Logs a warning for each setting that does not match the service."""
    from threadbridge.context_window.tokens import HistoryRules
    from threadbridge.costs.spend_limits import find_unpriced_limits_warning
    from threadbridge.logs import get_logger
    from threadbridge.service.context import ServiceRules
    from threadbridge.translation.capability_fallbacks import resolve_settings
    from threadbridge.translation.continuation import ContinuationRules
    from threadbridge.translation.models.resolution import ModelPolicy
    from threadbridge.translation.provider_profiles import get_effective_capabilities
    from threadbridge_adapters.openai_http.sdk_client import has_openai_models
    from threadbridge_adapters.token_counter import LoadsTokenizer, create_token_counter

    profile = get_effective_capabilities(
        settings.upstream,
        upstream.capabilities,
        hosted_tools=settings.hosted_tools and settings.performs_runs,
    )
    history, truncation, warnings = resolve_settings(settings, profile)
    price_warning = find_unpriced_limits_warning(
        settings.limits,
        has_price_list=not isinstance(prices, EmptyPriceList),
        prices=settings.prices,
        policy=settings.policies.unknown_price,
    )
    for warning in (*warnings, *filter(None, (price_warning,))):
        get_logger("threadbridge").warning(warning)
    count_tokens = create_token_counter()
    return ServiceRules(
        limits=settings.limits,
        history=HistoryRules(
            truncation,
            settings.models,
            settings.per_assistant,
            count_tokens,
            count_tokens.is_loaded if isinstance(count_tokens, LoadsTokenizer) else lambda: True,
        ),
        continuation=ContinuationRules(history, upstream.name, settings.limits.stored_response_days),
        models=ModelPolicy(
            settings.models,
            settings.per_assistant,
            settings.policies.sampling,
            catalog,
            openai_models=has_openai_models(settings),
        ),
        profile=profile,
        missing_tool=settings.policies.missing_tool,
        costs=CostRules(settings.prices, prices, settings.fees),
        unknown_price=settings.policies.unknown_price,
    )

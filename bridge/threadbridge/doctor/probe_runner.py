"""Asks a live service what the diagnosis wants to know, and reads the store for what goes wrong silently."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

import orjson

from threadbridge.doctor.capability_detection import DetectionResult, detect_capabilities
from threadbridge.doctor.config_lint import LintWarning, lint_settings, lint_store
from threadbridge.errors import UpstreamError
from threadbridge.ports import Store, Upstream, UpstreamCapabilities, Wire
from threadbridge.settings import Settings
from threadbridge.translation.models.policy import ModelCatalog, ModelPolicy
from threadbridge.translation.probe_protocol import ProbeRequest, ProbeResponse

#: Events of one stream that are read; a probe's answer is a few words.
_MAX_EVENTS = 1000


async def run_probes(upstream: Upstream, model: str | None) -> DetectionResult:
    """The examination of a live service, one request after another.

    Raises UpstreamError where it cannot be reached or does not answer, ConfigurationError where no model is known.
    """
    probes = detect_capabilities(model)
    request = next(probes)
    while True:
        response = await _send_probe(upstream, request)
        try:
            request = probes.send(response)
        except StopIteration as end:
            result: DetectionResult = end.value
            return result


async def _send_probe(upstream: Upstream, request: ProbeRequest) -> ProbeResponse:
    try:
        if request.is_streamed:
            return ProbeResponse({}, events=await _read_events(upstream, request.body or {}))
        return ProbeResponse(await upstream.request(request.method, request.path, request.body))
    except UpstreamError as error:
        return ProbeResponse({}, error=error)


async def _read_events(upstream: Upstream, body: Wire) -> Sequence[Wire]:
    stream = await upstream.stream_response(orjson.dumps(body))
    events: list[Wire] = []
    try:
        async for event in stream:
            events.append(event)
            if len(events) == _MAX_EVENTS:
                break
    finally:
        await stream.aclose()
    return events


async def lint_configuration(
    settings: Settings,
    store: Store | None,
    profile: UpstreamCapabilities,
    catalog: ModelCatalog | None,
    *,
    openai_models: bool,
) -> Sequence[LintWarning]:
    """What goes wrong silently, in the settings and, where there is one, in the store. Raises StoreError."""
    models = ModelPolicy(
        settings.models, settings.per_assistant, settings.policies.sampling, catalog, openai_models=openai_models
    )
    today = datetime.fromtimestamp(time.time(), UTC).date()
    warnings = lint_settings(settings, models, profile, today)
    if store is None:
        return warnings
    store_warnings = await store.read(
        lambda session: lint_store(session, settings, models, profile, today), tenant=settings.tenant
    )
    return [*warnings, *store_warnings]

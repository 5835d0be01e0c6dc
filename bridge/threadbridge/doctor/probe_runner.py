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
_MOST_EVENTS = 1000


async def examine(upstream: Upstream, model: str | None) -> DetectionResult:
    """The examination of a live service, one request after another.

    Raises UpstreamError where it cannot be reached or does not answer, ConfigurationError where no model is known.
    """
    dialogue = detect_capabilities(model)
    question = next(dialogue)
    while True:
        answer = await _answer(upstream, question)
        try:
            question = dialogue.send(answer)
        except StopIteration as end:
            examination: DetectionResult = end.value
            return examination


async def _answer(upstream: Upstream, question: ProbeRequest) -> ProbeResponse:
    try:
        if question.is_streamed:
            return ProbeResponse({}, events=await _events(upstream, question.body or {}))
        return ProbeResponse(await upstream.request(question.method, question.path, question.body))
    except UpstreamError as error:
        return ProbeResponse({}, error=error)


async def _events(upstream: Upstream, body: Wire) -> Sequence[Wire]:
    stream = await upstream.stream_response(orjson.dumps(body))
    events: list[Wire] = []
    try:
        async for event in stream:
            events.append(event)
            if len(events) == _MOST_EVENTS:
                break
    finally:
        await stream.aclose()
    return events


async def traps(
    settings: Settings, store: Store | None, profile: UpstreamCapabilities, catalog: ModelCatalog | None
) -> Sequence[LintWarning]:
    """What goes wrong silently, in the settings and, where there is one, in the store. Raises StoreError."""
    models = ModelPolicy(settings.models, settings.per_assistant, settings.policies.sampling, catalog)
    today = datetime.fromtimestamp(time.time(), UTC).date()
    found = lint_settings(settings, models, profile, today)
    if store is None:
        return found
    stored = await store.read(
        lambda session: lint_store(session, settings, models, profile, today), tenant=settings.tenant
    )
    return [*found, *stored]

"""Detects the capabilities and quirks of a live service, and the server that it runs, one request after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from threadbridge.api_types import JsonObject, is_json_list
from threadbridge.doctor import server_quirks
from threadbridge.doctor.probes import get_probes
from threadbridge.errors import ConfigurationError, UpstreamError
from threadbridge.ports import Upstream
from threadbridge.settings import ProfileName
from threadbridge.translation.probe_protocol import Finding, ProbeGenerator, ProbeOptions, ProbeRequest, ProbeResponse

#: The most requests of one detection, and of those that a model answers.
MAX_REQUESTS = 40
MAX_MODEL_RESPONSES = 20

#: Events of one stream that are read; a probe expects a few words.
_MAX_EVENTS = 1000

_UNAUTHORIZED = (401, 403)
_NO_RESPONSE = 502
#: The service is busy or unreachable, which says nothing about its capabilities.
_UNAVAILABLE = (408, 429, _NO_RESPONSE, 503, 504)
#: The default model of a service that lists it: it costs least.
_CHEAPEST_MODEL = "gpt-6-luna"

#: Servers by the owner of the models that they list.
_PROFILES_BY_OWNER: Mapping[str, ProfileName] = {
    "vllm": "vllm",
    "llamacpp": "llamacpp",
    "library": "ollama",
    "llama_stack": "ogx",
    "ogx": "ogx",
}


@dataclass(frozen=True, slots=True)
class DetectionResult:
    """The requested model, the listed models, and what the probes found.

    `identity` is the profile of the server, if its responses name it.
    """

    model: str
    models: Sequence[JsonObject]
    findings: Mapping[str, Finding]
    quirks: Sequence[str]
    identity: ProfileName | None = None


async def run_probes(upstream: Upstream, model: str | None) -> DetectionResult:
    """The result of `detect_capabilities` for a live service, one request after another. Raises what that raises."""
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
        if not request.is_streamed:
            return ProbeResponse(await upstream.request(request.method, request.path, request.body))
        stream = await upstream.stream_response(orjson.dumps(request.body or {}))
        events: list[Any] = []
        try:
            async for event in stream:
                events.append(event)
                if len(events) == _MAX_EVENTS:
                    break
        finally:
            await stream.aclose()
        return ProbeResponse({}, events=events)
    except UpstreamError as error:
        return ProbeResponse({}, error=error)


def detect_capabilities(model: str | None) -> ProbeGenerator[DetectionResult]:
    """Run all probes with this model, by default one that the service lists.

    Raises UpstreamError for a service that cannot be reached, rejects the key or does not answer a plain request, and
    ConfigurationError if no model is given and none listed.
    """
    model_list = yield ProbeRequest("GET", "/models")
    if model_list.error is not None and model_list.error.status in (*_UNAUTHORIZED, _NO_RESPONSE):
        raise model_list.error
    entries: object = model_list.body.get("data")
    models = [each for each in (entries if is_json_list(entries) else ()) if isinstance(each.get("id"), str)]
    names: list[str] = [each["id"] for each in models]
    if model is None and not names:
        raise ConfigurationError("The service lists no models; name one that it has with --model.")
    if model is None:
        model = _CHEAPEST_MODEL if _CHEAPEST_MODEL in names else names[0]
    options, plain = yield from _detect_options(ProbeOptions(model))
    findings = {
        "store_parameter": Finding(is_supported=True, reason="`store: false` is accepted")
        if options.sends_store
        else Finding(is_supported=False, reason="requests succeed only without `store`"),
        "model_list": Finding(is_supported=True, reason="`GET /models` lists models")
        if names
        else Finding(
            is_supported=False, reason=f"`GET /models`: {model_list.error_text or 'the response has no models'}"
        ),
    }
    for capability, probe in get_probes().items():
        findings[capability] = yield from _run_probe(probe(options))
    quirks = [*server_quirks.check_plain_response(plain, options.model, names)]
    for look in server_quirks.COMMON_CHECKS:
        quirks += yield from look(options)
    for capability, look in server_quirks.CAPABILITY_CHECKS:
        if findings[capability].is_supported:
            quirks += yield from look(options)
    identity = yield from _identify_server(models)
    return DetectionResult(options.model, models, findings, quirks, identity)


def _run_probe(probe: ProbeGenerator[Finding]) -> ProbeGenerator[Finding]:
    """The finding of a probe; None for a capability whose request failed because the service was busy or silent."""
    unanswered: str | None = None
    response: ProbeResponse | None = None
    while True:
        try:
            request = next(probe) if response is None else probe.send(response)
        except StopIteration as end:
            finding: Finding = end.value
            return Finding(None, unanswered) if unanswered is not None and not finding.is_supported else finding
        response = yield request
        if response.error is not None and response.error.status in _UNAVAILABLE:
            unanswered = response.error_text


def _detect_options(options: ProbeOptions) -> ProbeGenerator[tuple[ProbeOptions, ProbeResponse]]:
    """The options of requests that the service accepts, and its first plain response.

    The first attempt sends `store` and the effort that the model's name suggests; further ones lack one or both.
    """
    attempts = [options, replace(options, sends_store=False)]
    if options.efforts:
        attempts += [replace(each, is_known_model=False) for each in attempts]
    errors: list[UpstreamError] = []
    for attempt in attempts:
        plain = yield attempt.build_request()
        if plain.error is None:
            unknown = yield attempt.build_request(threadbridge_doctor=True)
            return replace(attempt, rejects_unknown_parameters=unknown.error is not None), plain
        errors.append(plain.error)
    raise UpstreamError(
        f"The service does not answer a plain request to {options.model}: {errors[0].message.rstrip('.')}. Name a "
        "model that it has with --model, or check `upstream.base_url`.",
        status=errors[0].status,
        request_id=errors[0].request_id,
    )


def _identify_server(models: Sequence[JsonObject]) -> ProbeGenerator[ProfileName | None]:
    """The server by the owner of its models. LiteLLM has models of OpenAI, and a path of its own."""
    owners = {each.get("owned_by") for each in models}
    named: list[ProfileName] = [profile for owner, profile in _PROFILES_BY_OWNER.items() if owner in owners]
    if named or not models:
        return named[0] if named else None
    own = yield ProbeRequest("GET", "/model/info")
    entries: object = own.body.get("data")
    is_litellm = is_json_list(entries) and any("litellm_params" in each for each in entries)
    return "litellm" if is_litellm else None

"""The whole examination of a service: who it says it is, what it can do, and which habits it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from threadbridge.doctor import server_quirks
from threadbridge.doctor.probes import get_probes
from threadbridge.errors import ConfigurationError, UpstreamError
from threadbridge.ports import Wire
from threadbridge.settings import ProfileName
from threadbridge.translation.probe_protocol import Finding, ProbeGenerator, ProbeOptions, ProbeRequest, ProbeResponse

#: Requests of one examination at most, and those of them that a model may answer.
MAX_REQUESTS = 40
MAX_MODEL_RESPONSES = 20

_UNAUTHORIZED = (401, 403)
_NO_RESPONSE = 502
#: The service could not answer just now, or did not at all: that tells nothing of what it can do.
_UNAVAILABLE = (408, 429, _NO_RESPONSE, 503, 504)
#: Asked where the service lists it and nobody names another: it costs least.
_CHEAPEST_MODEL = "gpt-6-luna"

#: Who owns the models that a server lists.
_PROFILES_BY_OWNER: Mapping[str, ProfileName] = {
    "vllm": "vllm",
    "llamacpp": "llamacpp",
    "library": "ollama",
    "llama_stack": "ogx",
    "ogx": "ogx",
}


@dataclass(frozen=True, slots=True)
class DetectionResult:
    """What was found: the model asked, the models listed, and all the rest.

    `identity` is the profile whose server it says it is, where it says so.
    """

    model: str
    models: Sequence[Wire]
    findings: Mapping[str, Finding]
    quirks: Sequence[str]
    identity: ProfileName | None = None


def detect_capabilities(model: str | None) -> ProbeGenerator[DetectionResult]:
    """Ask all there is to ask, of this model or of one that the service lists.

    Raises UpstreamError for a service that cannot be reached, wants another key or does not answer a plain request,
    ConfigurationError where no model is named and none listed.
    """
    model_list = yield ProbeRequest("GET", "/models")
    _raise_if_unusable(model_list)
    models: Sequence[Wire] = [each for each in model_list.body.get("data") or () if isinstance(each.get("id"), str)]
    names = [each["id"] for each in models]
    options, plain = yield from _detect_options(ProbeOptions(_choose_model(model, names)))
    findings = {"store_parameter": _check_store_parameter(options), "model_list": _check_model_list(model_list, names)}
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
    """What the probe finds; what failed because the service was busy or silent is not missing."""
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


def _raise_if_unusable(response: ProbeResponse) -> None:
    error = response.error
    if error is not None and error.status in (*_UNAUTHORIZED, _NO_RESPONSE):
        raise error


def _choose_model(model: str | None, names: Sequence[str]) -> str:
    if model is not None:
        return model
    if not names:
        raise ConfigurationError("The service lists no models; name one that it has with --model.")
    return _CHEAPEST_MODEL if _CHEAPEST_MODEL in names else names[0]


def _detect_options(options: ProbeOptions) -> ProbeGenerator[tuple[ProbeOptions, ProbeResponse]]:
    """How the service is asked, and its first plain response."""
    plain = yield options.build_request()
    if plain.error is not None:
        options, plain = yield from _reduce_options(options, plain.error)
    unknown = yield options.build_request(threadbridge_doctor=True)
    return replace(options, rejects_unknown_parameters=unknown.error is not None), plain


def _reduce_options(
    options: ProbeOptions, rejection: UpstreamError
) -> ProbeGenerator[tuple[ProbeOptions, ProbeResponse]]:
    """The first options with a plain response: without `store`, without the effort that the name suggests, or both."""
    attempts = [replace(options, sends_store=False)]
    if options.efforts:
        attempts += [replace(each, is_known_model=False) for each in (options, *attempts)]
    for attempt in attempts:
        response = yield attempt.build_request()
        if response.error is None:
            return attempt, response
    raise _build_no_response_error(rejection, options.model)


def _build_no_response_error(error: UpstreamError, model: str) -> UpstreamError:
    return UpstreamError(
        f"The service does not answer a plain request to {model}: {error.message.rstrip('.')}. Name a model that it "
        "has with --model, or check `upstream.base_url`.",
        status=error.status,
        request_id=error.request_id,
    )


def _check_store_parameter(options: ProbeOptions) -> Finding:
    if options.sends_store:
        return Finding(is_supported=True, reason="`store: false` is accepted")
    return Finding(is_supported=False, reason="a request is answered only without `store`")


def _check_model_list(response: ProbeResponse, names: Sequence[str]) -> Finding:
    if names:
        return Finding(is_supported=True, reason="`GET /models` names some")
    return Finding(is_supported=False, reason=f"`GET /models`: {response.error_text or 'no models came back'}")


def _identify_server(models: Sequence[Wire]) -> ProbeGenerator[ProfileName | None]:
    """The owner of its models tells most servers apart; LiteLLM names OpenAI, and has a list of its own."""
    owners = {each.get("owned_by") for each in models}
    named: list[ProfileName] = [profile for owner, profile in _PROFILES_BY_OWNER.items() if owner in owners]
    if named or not models:
        return named[0] if named else None
    own = yield ProbeRequest("GET", "/model/info")
    entries = own.body.get("data")
    is_litellm = isinstance(entries, list) and any("litellm_params" in each for each in entries)
    return "litellm" if is_litellm else None

"""The whole examination of a service: who it says it is, what it can do, and which habits it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from threadbridge.doctor import server_quirks
from threadbridge.doctor.probe_protocol import Answer, Asking, Dialogue, Finding, Question
from threadbridge.doctor.probes import PROBES
from threadbridge.errors import ConfigurationError, UpstreamError
from threadbridge.ports import Wire
from threadbridge.settings import ProfileName

#: Requests of one examination at most, and those of them that a model may answer.
MOST_QUESTIONS = 40
MOST_ANSWERS = 20

_UNAUTHORIZED = (401, 403)
_NO_ANSWER = 502
#: The service could not answer just now, or did not at all: that tells nothing of what it can do.
_BUSY = (408, 429, _NO_ANSWER, 503, 504)
#: Asked where the service lists it and nobody names another: it costs least.
_CHEAP = "gpt-6-luna"

#: Who owns the models that a server lists.
_OWNERS: Mapping[str, ProfileName] = {
    "vllm": "vllm",
    "llamacpp": "llamacpp",
    "library": "ollama",
    "llama_stack": "ogx",
    "ogx": "ogx",
}


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found: the model asked, the models listed, and all the rest.

    `identity` is the profile whose server it says it is, where it says so.
    """

    model: str
    models: Sequence[Wire]
    findings: Mapping[str, Finding]
    quirks: Sequence[str]
    identity: ProfileName | None = None


def examined(model: str | None) -> Dialogue[Examination]:
    """Ask all there is to ask, of this model or of one that the service lists.

    Raises UpstreamError for a service that cannot be reached, wants another key or does not answer a plain request,
    ConfigurationError where no model is named and none listed.
    """
    listed = yield Question("GET", "/models")
    _raise_if_unusable(listed)
    models: Sequence[Wire] = [each for each in listed.body.get("data") or () if isinstance(each.get("id"), str)]
    names = [each["id"] for each in models]
    asking, plain = yield from _acquainted(Asking(_chosen(model, names)))
    findings = {"store_parameter": _says_store(asking), "model_list": _lists(listed, names)}
    for capability, probe in PROBES.items():
        findings[capability] = yield from _found(probe(asking))
    seen = [*server_quirks.of_plain_answer(plain, asking.model, names)]
    for look in server_quirks.ALWAYS:
        seen += yield from look(asking)
    for capability, look in server_quirks.WHERE:
        if findings[capability].found:
            seen += yield from look(asking)
    identity = yield from _identity(models)
    return Examination(asking.model, models, findings, seen, identity)


def _found(probe: Dialogue[Finding]) -> Dialogue[Finding]:
    """What the probe finds; what failed because the service was busy or silent is not missing."""
    unanswered: str | None = None
    answer: Answer | None = None
    while True:
        try:
            question = next(probe) if answer is None else probe.send(answer)
        except StopIteration as end:
            finding: Finding = end.value
            return Finding(None, unanswered) if unanswered is not None and not finding.found else finding
        answer = yield question
        if answer.error is not None and answer.error.status in _BUSY:
            unanswered = answer.words


def _raise_if_unusable(answer: Answer) -> None:
    error = answer.error
    if error is not None and error.status in (*_UNAUTHORIZED, _NO_ANSWER):
        raise error


def _chosen(model: str | None, names: Sequence[str]) -> str:
    if model is not None:
        return model
    if not names:
        raise ConfigurationError("The service lists no models; name one that it has with --model.")
    return _CHEAP if _CHEAP in names else names[0]


def _acquainted(asking: Asking) -> Dialogue[tuple[Asking, Answer]]:
    """How the service is asked, and its first plain response."""
    plain = yield asking.question()
    if plain.error is not None:
        without = replace(asking, says_store=False)
        again = yield without.question()
        if again.error is not None:
            raise _not_answered(plain.error, asking.model)
        asking, plain = without, again
    unknown = yield asking.question(threadbridge_doctor=True)
    return replace(asking, refuses_unknown=unknown.error is not None), plain


def _not_answered(error: UpstreamError, model: str) -> UpstreamError:
    return UpstreamError(
        f"The service does not answer a plain request to {model}: {error.message.rstrip('.')}. Name a model that it "
        "has with --model, or check `upstream.base_url`.",
        status=error.status,
        request_id=error.request_id,
    )


def _says_store(asking: Asking) -> Finding:
    if asking.says_store:
        return Finding(found=True, why="`store: false` is accepted")
    return Finding(found=False, why="a request is answered only without `store`")


def _lists(answer: Answer, names: Sequence[str]) -> Finding:
    if names:
        return Finding(found=True, why="`GET /models` names some")
    return Finding(found=False, why=f"`GET /models`: {answer.words or 'no models came back'}")


def _identity(models: Sequence[Wire]) -> Dialogue[ProfileName | None]:
    """The owner of its models tells most servers apart; LiteLLM names OpenAI, and has a list of its own."""
    owners = {each.get("owned_by") for each in models}
    named: list[ProfileName] = [profile for owner, profile in _OWNERS.items() if owner in owners]
    if named or not models:
        return named[0] if named else None
    own = yield Question("GET", "/model/info")
    entries = own.body.get("data")
    is_litellm = isinstance(entries, list) and any("litellm_params" in each for each in entries)
    return "litellm" if is_litellm else None

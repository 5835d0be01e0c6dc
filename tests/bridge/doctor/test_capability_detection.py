"""The examination of a service, with every answer given by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from threadbridge.api_types import JsonObject
from threadbridge.doctor.capability_detection import DetectionResult, detect_capabilities
from threadbridge.doctor.probes import get_probes
from threadbridge.doctor.report import ProfileMatch, match_profile
from threadbridge.errors import ConfigurationError, UpstreamError
from threadbridge.ports import UpstreamCapabilities
from threadbridge.translation.probe_protocol import Finding, ProbeRequest, ProbeResponse
from threadbridge.translation.provider_profiles import CAPABILITIES, PROFILES

NOT_FOUND = ProbeResponse({}, error=UpstreamError("Not Found.", status=404))
REFUSED = ProbeResponse({}, error=UpstreamError("No.", status=400))
PLAIN: JsonObject = {"id": "resp_1", "model": "m", "status": "completed", "output": []}


class Server:
    """Says yes to every plain request for a response, and no to all it was not told to do."""

    def __init__(
        self,
        *,
        paths: Mapping[str, JsonObject] | None = None,
        refuses: tuple[str, ...] = (),
        refusal: ProbeResponse = REFUSED,
    ) -> None:
        self._paths = paths or {}
        self._refuses = refuses
        self._refusal = refusal

    def answer(self, question: ProbeRequest) -> ProbeResponse:
        if question.path != "/responses":
            found = self._paths.get(question.path)
            return NOT_FOUND if found is None else ProbeResponse(found)
        body: JsonObject = question.body or {}
        if not body or body.keys() & set(self._refuses):
            return self._refusal
        return (
            ProbeResponse({}, events=[PLAIN])
            if question.is_streamed
            else ProbeResponse({**PLAIN, "model": body["model"]})
        )


def of(server: Server, model: str | None = "m") -> DetectionResult:
    dialogue = detect_capabilities(model)
    question = next(dialogue)
    while True:
        try:
            question = dialogue.send(server.answer(question))
        except StopIteration as end:
            found: DetectionResult = end.value
            return found


def listing(**entry: Any) -> JsonObject:
    return {"/models": {"data": [{"id": "m", "object": "model", **entry}]}}


def test_every_capability_is_asked_for() -> None:
    assert set(of(Server()).findings) == set(CAPABILITIES)
    assert get_probes().keys() == set(CAPABILITIES) - {"store_parameter", "model_list"}


@pytest.mark.parametrize(
    ("owner", "profile"),
    [("vllm", "vllm"), ("llamacpp", "llamacpp"), ("library", "ollama"), ("llama_stack", "ogx"), ("ogx", "ogx")],
)
def test_a_server_is_known_by_who_owns_its_models(owner: str, profile: str) -> None:
    fit = match_profile(of(Server(paths=listing(owned_by=owner))), "127.0.0.1")

    assert (fit.profile, fit.reason) == (profile, "its list of models identifies it")


def test_litellm_is_known_by_the_list_it_alone_has() -> None:
    own: JsonObject = {"/model/info": {"data": [{"model_name": "m", "litellm_params": {}}]}}

    assert of(Server(paths={**listing(owned_by="openai"), **own})).identity == "litellm"
    assert of(Server(paths=listing(owned_by="openai"))).identity is None


@pytest.mark.parametrize(
    ("host", "profile"),
    [
        ("api.openai.com", "openai"),
        ("mine.openai.azure.com", "azure"),
        ("mine.services.ai.azure.com", "foundry"),
        ("not-api.openai.com", "generic"),
    ],
)
def test_a_service_is_known_by_its_host(host: str, profile: str) -> None:
    assert match_profile(of(Server()), host).profile == profile


def test_a_server_that_can_do_little_and_says_nothing_is_generic_with_what_was_found() -> None:
    fit = match_profile(of(Server()), "127.0.0.1")

    assert fit.profile == "generic"
    assert fit.overrides == {"forced_tool_choice": False}
    assert fit.to_toml().splitlines() == [
        "[upstream]",
        'profile = "generic"',
        "",
        "[upstream.capabilities]",
        "forced_tool_choice = false",
    ]


def test_what_is_set_beside_the_profile_is_what_was_found() -> None:
    examination = of(Server(paths=listing(owned_by="vllm")))
    fit = match_profile(examination, "127.0.0.1")

    made: dict[str, Any] = {name: getattr(PROFILES["vllm"], name) for name in CAPABILITIES} | dict(fit.overrides)

    found: dict[str, Any] = {name: bool(examination.findings[name].is_supported) for name in CAPABILITIES}
    assert UpstreamCapabilities(**made) == UpstreamCapabilities(**found)
    assert fit.capabilities.model_dump(exclude_none=True) == fit.overrides


def test_a_server_that_accepts_everything_proves_nothing_by_it() -> None:
    lenient = of(Server()).findings
    strict = of(Server(refuses=("threadbridge_doctor",))).findings

    assert [lenient[name].is_supported for name in ("compaction", "prompt_cache_key")] == [None, None]
    assert [strict[name].is_supported for name in ("compaction", "prompt_cache_key")] == [True, True]


def test_where_store_cannot_be_said_it_is_not_said_again() -> None:
    findings = of(Server(refuses=("store",))).findings

    assert not findings["store_parameter"].is_supported
    assert not findings["stored_responses"].is_supported


@pytest.mark.parametrize("refuses", [("reasoning",), ("reasoning", "store")])
def test_an_alias_is_examined_without_the_effort_that_its_name_suggests(refuses: tuple[str, ...]) -> None:
    examination = of(Server(refuses=refuses), model="gpt-5.1")

    assert examination.model == "gpt-5.1"
    assert examination.findings["store_parameter"].is_supported is ("store" not in refuses)


def test_what_fails_because_the_service_is_busy_is_not_missing() -> None:
    busy = ProbeResponse({}, error=UpstreamError("Too many requests.", status=429))

    findings = of(Server(refuses=("background",), refusal=busy)).findings

    assert findings["background"] == Finding(None, "Too many requests")
    assert findings["conversations"].is_supported is False


def test_a_server_that_does_not_stream_is_told() -> None:
    assert "It does not stream, so streamed runs would fail: No." in of(Server(refuses=("stream",))).quirks


def test_long_words_of_a_service_are_shortened_to_a_line() -> None:
    long = ProbeResponse({}, error=UpstreamError("It went\nwrong. " * 50, status=500))

    assert len(long.error_text) <= 120
    assert long.error_text.startswith("It went wrong. It went wrong.")


@pytest.mark.parametrize("status", [401, 403, 502])
def test_a_service_that_cannot_be_asked_is_not_examined(status: int) -> None:
    dialogue = detect_capabilities("m")
    next(dialogue)

    with pytest.raises(UpstreamError, match="Go away"):
        dialogue.send(ProbeResponse({}, error=UpstreamError("Go away.", status=status)))


def test_a_model_that_does_not_answer_is_told_with_the_next_step() -> None:
    with pytest.raises(UpstreamError, match="plain request to m: No. Name a model that it has with --model") as met:
        of(Server(refuses=("model",)))

    assert met.value.status == 400


def test_without_a_list_a_model_must_be_named() -> None:
    with pytest.raises(ConfigurationError, match="name one that it has with --model"):
        of(Server(), model=None)


def test_of_the_models_listed_the_cheapest_known_is_asked_else_the_first() -> None:
    two: JsonObject = {"/models": {"data": [{"id": "a"}, {"id": "gpt-6-luna"}]}}

    assert of(Server(paths=two), model=None).model == "gpt-6-luna"
    assert of(Server(paths=listing()), model=None).model == "m"


def test_a_fit_without_overrides_says_the_profile_alone() -> None:
    assert ProfileMatch("openai", "it is at api.openai.com", {}).to_toml() == '[upstream]\nprofile = "openai"'

"""Cassettes contain no secrets, belong to tests and are used completely."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from vcr import VCR  # type: ignore[import-untyped]  # it has no types
from vcr.errors import CannotOverwriteExistingCassetteException  # type: ignore[import-untyped]
from vcr.record_mode import RecordMode  # type: ignore[import-untyped]
from vcr.request import Request  # type: ignore[import-untyped]

from tests.recorded.backends import BACKENDS
from tests.recorded.cassette_format import Serializer, filter_response, make_request_filter, match_body
from tests.recorded.cassettes import CASSETTES, list_cassette_files, list_test_cassettes, list_unplayed, read_exchanges
from tests.recorded.model_texts import extract_model_texts
from tests.recorded.recording_targets import LIVE, SIMULATED
from tests.recorded.scenarios import SCENARIOS
from threadbridge.api_types import JsonObject

_CASSETTE_NAME = "test_backends/test_a_scenario_causes_its_observations[{backend}-{scenario}].yaml"

#: vcrpy has no types: what is handed to it must bring its own.
NO_HEADERS: dict[str, str] = {}

_SECRETS = (
    r"\b(sk|sess|ek)-[A-Za-z0-9_-]{6,}",
    r"(?i)\bbearer\s",
    r"(?i)^\s*(authorization|api-key|x-api-key|cookie|set-cookie|openai-organization|openai-project):",
    r"\b(org|proj|user)[-_][A-Za-z0-9]{16,}",
)
_MACHINES = (
    r"(?<![A-Za-z0-9])/(home|root|tmp|var|usr|opt|mnt|work|Users)/",
    r"\b[A-Z]:\\",
    r"\b(localhost|127\.0\.0\.1|\[?::1\]?|0\.0\.0\.0)\b",
)


def test_every_cassette_belongs_to_a_test_and_every_recorded_test_has_one() -> None:
    assert list_cassette_files() == list_test_cassettes()


@pytest.mark.parametrize("pattern", [*_SECRETS, *_MACHINES])
def test_no_cassette_holds_a_secret_or_names_a_machine(pattern: str) -> None:
    texts = {name: (CASSETTES / name).read_text(encoding="utf-8") for name in list_cassette_files()}

    matches = {name: match[0] for name, text in texts.items() if (match := re.search(pattern, text, re.MULTILINE))}

    assert matches == {}


@pytest.mark.parametrize(
    "text",
    [
        "sk-proj-Abc123_x",
        "authorization: Bearer abc",
        "    set-cookie:",
        "org-A1b2C3d4E5f6G7h8I9",
        "/home/ada/bridge",
        "http://127.0.0.1:8000/v1",
    ],
)
def test_the_patterns_match_secrets_and_machine_names(text: str) -> None:
    assert [pattern for pattern in (*_SECRETS, *_MACHINES) if re.search(pattern, text, re.MULTILINE)] != []


def test_cassettes_name_only_the_two_recording_hosts() -> None:
    hosts = {
        str(exchange["request"]["uri"]).partition("/v1/")[0]
        for name in list_cassette_files()
        for exchange in read_exchanges(name)
    }

    assert hosts <= {SIMULATED.removesuffix("/v1"), LIVE.removesuffix("/v1")}


@pytest.fixture(params=SCENARIOS)
def sides(request: pytest.FixtureRequest) -> list[list[JsonObject]]:
    """The exchanges of one scenario, with either backend."""
    read = [read_exchanges(_CASSETTE_NAME.format(backend=backend, scenario=request.param)) for backend in BACKENDS]
    if any(exchange["request"]["uri"].startswith(LIVE) for side in read for exchange in side):
        pytest.skip("a real model words things differently each time")
    return read


def test_every_backend_received_the_same_model_texts(sides: list[list[JsonObject]]) -> None:
    words = [extract_model_texts(exchange["response"] for exchange in side) for side in sides]

    assert words == words[:1] * len(sides)


# -- What is written down --------------------------------------------------------------------------------------------


def test_a_recorded_request_contains_no_secret() -> None:
    headers = {
        "Authorization": "Bearer sk-secret",
        "api-key": "secret",
        "Cookie": "session=secret",
        "OpenAI-Organization": "org-secret",
        "X-Anything-New": "secret",
        "User-Agent": "secret machine",
        "Content-Type": "application/json",
    }
    request = Request("POST", "http://127.0.0.1:4242/v1/responses?limit=2", b"{}", headers)

    filtered = make_request_filter("http://127.0.0.1:4242/v1", SIMULATED)(request)

    assert dict(filtered.headers) == {"content-type": "application/json"}
    assert filtered.uri == f"{SIMULATED}/responses?limit=2"


def test_a_recorded_response_contains_no_secret() -> None:
    headers = {"Set-Cookie": ["secret"], "openai-organization": ["secret"], "Content-Type": ["text/event-stream"]}

    filtered = filter_response({"status": {"code": 200}, "headers": headers, "body": {"string": b"x"}})

    assert filtered["headers"] == {"content-type": ["text/event-stream"]}


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{"text":"grüße \u2028 🌞","numbers":[1,2.5,1e+100],"flags":[true,null],"empty":{},"no":"no","on":"1"}',
        'event: a\ndata: {"x": 1}\n\nevent: done\ndata: [DONE]\n\n',
        "  one line, with spaces  ",
    ],
)
def test_a_body_survives_serialization(text: str) -> None:
    exchange: dict[str, Any] = {"request": {"body": text}, "response": {"body": {"string": text}}}

    back = Serializer.deserialize(Serializer.serialize({"interactions": [exchange]}))["interactions"][0]

    assert back == {"request": {"body": text.encode()}, "response": {"body": {"string": text.encode()}}}


def test_bodies_are_compared_as_json() -> None:
    request = Request("POST", SIMULATED, b'{"a": 1, "b": 2}', NO_HEADERS)

    match_body(request, Request("POST", SIMULATED, b'{"b":2,"a":1}', NO_HEADERS))
    match_body(Request("GET", SIMULATED, b"", NO_HEADERS), Request("GET", SIMULATED, None, NO_HEADERS))

    with pytest.raises(AssertionError):
        match_body(request, Request("POST", SIMULATED, b'{"a":1,"b":3}', NO_HEADERS))


# -- Replaying -------------------------------------------------------------------------------------------------------


@pytest.fixture
def vcr_config() -> dict[str, Any]:
    """No test here has a cassette of its own."""
    return {}


@pytest.fixture
def cassette() -> Iterator[Any]:
    """A cassette of one exchange for direct inspection."""
    recorder: Any = VCR(serializer="yaml", record_mode=RecordMode.NONE, match_on=["method", "path"])
    recorder.register_serializer("yaml", Serializer)
    path = CASSETTES / _CASSETTE_NAME.format(backend="responses", scenario="a_polled_run")
    with recorder.use_cassette(str(path)) as loaded:
        yield loaded


def test_an_unplayed_exchange_is_reported(cassette: Any) -> None:
    before = list_unplayed(cassette)

    cassette.play_response(cassette.requests[0])

    assert (len(before), list_unplayed(cassette)) == (1, [])


async def test_an_unrecorded_request_is_not_sent(cassette: Any) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(CannotOverwriteExistingCassetteException):
            await session.get(f"{SIMULATED}/models")


@pytest.mark.block_network
def test_loopback_is_blocked_too() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.socket() as client,
        pytest.raises(RuntimeError, match="Network is disabled"),
    ):
        client.connect(listener.getsockname())

"""Secrets that a service repeats reach neither clients nor log lines."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import orjson
import pytest
from pydantic import SecretStr
from yarl import URL

from tests.bridge.engine.broken_service import BrokenService, CannedResponse, make_error_response, run_broken_service
from tests.request_context import CONTEXT
from threadbridge.errors import BridgeError, UpstreamError
from threadbridge.ports import PassthroughRequest, WireRequest
from threadbridge.schemas.error_messages import mask_partial_keys
from threadbridge.settings import AssistantsSettings, EndpointSettings, Settings
from threadbridge_adapters.assistants import open_backend
from threadbridge_adapters.openai_http.secrets_mask import SecretsMask
from threadbridge_adapters.upstreams.openai_direct import RequestTemplate, open_direct_upstream

KEY, HEADER, QUERY, PASSWORD = "key-0123456789", "header-0123456789", "query+0123456789", "password-0123456789"
REPEATED = f"{KEY} {HEADER} {QUERY} {PASSWORD} {KEY}"
BODY = b'{"model":"m","input":"hello"}'


@pytest.fixture
def service() -> Iterator[BrokenService]:
    with run_broken_service() as started:
        yield started


def make_endpoint(service: BrokenService) -> EndpointSettings:
    return EndpointSettings(
        base_url=f"{service.url}/v1",
        api_key=SecretStr(KEY),
        headers={"X-Gateway-Key": f"Token {HEADER}"},
        query={"sig": QUERY, "api-version": "2024-05-01-preview"},
        max_retries=1,
    )


def contains_secret(text: str) -> bool:
    return any(secret in text for secret in (KEY, HEADER, QUERY))


async def test_secrets_are_masked_in_errors_and_in_their_objects(service: BrokenService) -> None:
    upstream = open_direct_upstream(make_endpoint(service))
    error = {"message": REPEATED, "type": KEY, "param": HEADER, "code": QUERY, "inner": {KEY: [REPEATED]}}
    service.response = CannedResponse(400, orjson.dumps({"error": error}))

    with pytest.raises(UpstreamError) as raised:
        await upstream.create_response(BODY)
    await upstream.aclose()

    seen = raised.value
    assert not contains_secret(repr((seen.message, seen.type, seen.param, seen.code, seen.body)))


@pytest.mark.parametrize(
    "event", [{"type": "error", "message": REPEATED}, {"error": {"message": REPEATED}}, {"type": "x", "y": [REPEATED]}]
)
async def test_secrets_are_masked_in_events_of_any_shape(service: BrokenService, event: dict[str, object]) -> None:
    upstream = open_direct_upstream(make_endpoint(service))
    service.response = CannedResponse(body=b"data: %b\n\n" % orjson.dumps(event), content_type=b"text/event-stream")

    for _ in ("through the SDK", "without it"):
        stream = await upstream.stream_response(BODY)
        events = [event async for event in stream]
        await stream.aclose()
        assert events
        assert not contains_secret(repr(events))
    await upstream.aclose()


async def test_secrets_are_masked_in_errors_of_the_legacy_service(service: BrokenService) -> None:
    section = AssistantsSettings.model_validate(make_endpoint(service).model_dump())
    backend = await open_backend(Settings(backend="assistants", assistants=section))

    service.response = make_error_response(400, REPEATED)
    with pytest.raises(BridgeError) as rejected:
        await backend.retrieve_thread(CONTEXT, "thread_1")
    event = orjson.dumps({"message": REPEATED})
    service.response = CannedResponse(body=b"event: error\ndata: %b\n\n" % event, content_type=b"text/event-stream")
    with pytest.raises(BridgeError) as failed:
        async for _ in await backend.stream_run(CONTEXT, "thread_1", {}):
            pass
    await backend.aclose()

    assert not contains_secret(f"{rejected.value.message} {failed.value.message}")


def test_public_values_and_placeholders_are_not_masked() -> None:
    mask = SecretsMask("ollama", {"User-Agent": "my-program/1.0"}, {"api-version": "2024-05-01-preview"})

    assert mask.mask_text("ollama does not know 2024-05-01-preview") == "ollama does not know 2024-05-01-preview"


def test_the_password_of_a_basic_header_is_masked() -> None:
    endpoint = EndpointSettings(base_url=f"https://ann:{PASSWORD}@host.example/v1")

    mask = SecretsMask("", endpoint.headers, {})

    assert mask.mask_text(f"ann:{PASSWORD} or {PASSWORD}") == "*** or ***"
    assert PASSWORD not in repr(endpoint)
    assert endpoint.base_url == "https://host.example/v1"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Incorrect API key provided: sk-abcd1234.", "Incorrect API key provided: ***."),
        ("Incorrect API key provided: sk-proj-*****wxyz. You", "Incorrect API key provided: ***. You"),
        ("key: abcd****wxyz", "key: ***"),
        ("A task-based risk-assessment is **bold**", "A task-based risk-assessment is **bold**"),
    ],
)
def test_what_a_service_left_of_a_key_is_masked(text: str, masked: str) -> None:
    assert mask_partial_keys(text) == masked


async def test_log_lines_of_the_http_library_contain_no_secret(
    service: BrokenService, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    upstream = open_direct_upstream(make_endpoint(service))
    service.response = CannedResponse(body=b"{}")

    await upstream.request("GET", "/models")
    await upstream.aclose()

    lines = [record.getMessage() for record in caplog.records if record.name.startswith(("httpx", "openai"))]
    assert any("/v1/models" in line for line in lines)
    assert not contains_secret("\n".join(lines).replace("%2B", "+"))


def test_no_repr_contains_a_secret() -> None:
    settings = Settings(
        store=f"postgresql://ann:{PASSWORD}@db/threads",
        files=f"s3://{KEY}@bucket",
        options={"key": KEY},
        assistants=AssistantsSettings(headers={"api-key": HEADER}, query={"sig": QUERY}),
    )
    headers = {"authorization": KEY}

    shown = repr(
        [
            settings,
            RequestTemplate(URL(f"https://host/?sig={QUERY}"), headers),
            WireRequest("GET", "/threads", (("sig", QUERY),), headers),
            PassthroughRequest("GET", "/files", (("sig", QUERY),), headers),
        ]
    )

    assert not contains_secret(shown)
    assert PASSWORD not in shown

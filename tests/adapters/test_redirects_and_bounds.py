"""What a service may not do with its answers: redirect requests to another origin, or fill the memory."""

from __future__ import annotations

import gzip
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field

import aiohttp
import orjson
import pytest
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from tests.adapters.scripted_backend import ScriptedBackend
from tests.asgi_server import serve_app
from tests.request_context import CONTEXT
from threadbridge.errors import BridgeError, ConfigurationError, UpstreamError
from threadbridge.settings import AssistantsSettings, EndpointSettings, Limits, Settings, UpstreamSettings
from threadbridge_adapters.assistants import open_backend
from threadbridge_adapters.gateway import run_gateway_in_thread
from threadbridge_adapters.upstreams.openai_direct import open_direct_upstream
from threadbridge_adapters.upstreams.openai_sdk import OpenAIUpstream

BODY = b'{"model":"m","input":"a secret conversation"}'
ANSWER = Response(b'{"id":"resp_1","status":"completed"}', media_type="application/json")
LIMIT = 10_000


@dataclass
class Service:
    """Answers every request with `answer`, or with a redirect to `location`."""

    url: str = ""
    answer: Response = field(default_factory=lambda: ANSWER)
    location: str | None = None
    requests: list[Request] = field(default_factory=list[Request])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for phase in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{phase}.complete"})
            return
        request = Request(scope, receive)
        self.requests.append(request)
        redirected = self.location is not None and not request.url.path.endswith("/moved")
        await (RedirectResponse(str(self.location), 307) if redirected else self.answer)(scope, receive, send)


@pytest.fixture
async def service() -> AsyncGenerator[Service]:
    service = Service()
    async with serve_app(service) as service.url:
        yield service


@pytest.fixture
async def other_origin() -> AsyncGenerator[Service]:
    service = Service()
    async with serve_app(service) as service.url:
        yield service


@pytest.fixture
async def upstream(service: Service) -> AsyncGenerator[OpenAIUpstream]:
    opened = open_direct_upstream(make_endpoint(service), max_response_bytes=LIMIT)
    yield opened
    await opened.aclose()


def make_endpoint(service: Service, url: str | None = None) -> EndpointSettings:
    return EndpointSettings(
        base_url=f"{url or service.url}/v1",
        api_key=SecretStr("sk-of-the-service"),
        headers={"api-key": "second-secret"},
        max_retries=1,
    )


@pytest.mark.parametrize("has_template", [False, True])
async def test_a_redirect_to_another_origin_is_not_followed(
    service: Service, other_origin: Service, upstream: OpenAIUpstream, has_template: bool
) -> None:
    if has_template:  # the second request is sent without the SDK
        await upstream.create_response(BODY)
    service.location = f"{other_origin.url}/v1/responses"
    sent = len(service.requests)

    with pytest.raises(UpstreamError, match="redirects requests to another origin"):
        await upstream.create_response(BODY)
    with pytest.raises(UpstreamError, match="redirects requests to another origin"):
        await upstream.stream_response(BODY)
    with pytest.raises(UpstreamError, match="check `upstream.base_url`"):
        await upstream.request("GET", "/models")

    assert other_origin.requests == []
    assert len(service.requests) - sent == (5 if has_template else 4)


@pytest.mark.parametrize(
    "location", ["//127.0.0.2/v1", "https://127.0.0.1/v1", "ftp://127.0.0.1/", "http://[", "http:"]
)
async def test_unusual_locations_are_not_followed(service: Service, upstream: OpenAIUpstream, location: str) -> None:
    service.location = location

    with pytest.raises(UpstreamError):
        await upstream.create_response(BODY)

    assert len(service.requests) <= 2


async def test_a_redirect_within_the_origin_is_followed(service: Service, upstream: OpenAIUpstream) -> None:
    service.location = "/v1/moved"

    response = await upstream.create_response(BODY)

    assert response.body.get("id") == "resp_1"


async def test_the_assistants_backend_follows_no_redirect_to_another_origin(
    service: Service, other_origin: Service
) -> None:
    service.location = f"{other_origin.url}/v1/threads"
    section = AssistantsSettings.model_validate(make_endpoint(service).model_dump())
    backend = await open_backend(Settings(backend="assistants", assistants=section))

    with pytest.raises(UpstreamError, match="check `assistants.base_url`"):
        await backend.create_thread(CONTEXT, {})

    await backend.aclose()
    assert other_origin.requests == []


@pytest.fixture
def gateway_url(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    settings = Settings(upstream=UpstreamSettings.model_validate(make_endpoint(service).model_dump()))
    with run_gateway_in_thread(settings, open_backend=ScriptedBackend().open_backend) as url:
        yield url


@pytest.mark.parametrize("path", ["http://other.example/v1/x", "/admin", "/v1/../admin", "//other.example/v1/x"])
async def test_the_pass_through_relays_no_redirect_out_of_the_base_url(
    service: Service, gateway_url: str, path: str
) -> None:
    service.location = path

    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{gateway_url}/responses", data=BODY, allow_redirects=False) as response,
    ):
        assert response.status == 502
        assert "location" not in response.headers
        assert "redirects requests" in (await response.json())["error"]["message"]


async def test_a_redirect_below_the_base_url_leads_through_the_gateway(service: Service, gateway_url: str) -> None:
    service.location = f"{service.url}/v1/moved?a=b"

    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{gateway_url}/files/file-1", allow_redirects=False) as response,
    ):
        assert (response.status, response.headers["location"]) == (307, "/v1/moved?a=b")


@pytest.mark.parametrize("has_template", [False, True])
@pytest.mark.parametrize("is_packed", [False, True])
async def test_a_response_is_bounded_as_it_is_unpacked(
    service: Service, upstream: OpenAIUpstream, is_packed: bool, has_template: bool
) -> None:
    if has_template:
        await upstream.create_response(BODY)
    service.requests.clear()
    service.answer = pack(orjson.dumps({"text": "a" * LIMIT}), is_packed=is_packed)

    with pytest.raises(UpstreamError, match=f"more than {LIMIT} bytes") as raised:
        await upstream.create_response(BODY)

    assert raised.value.status == 502
    assert len(service.requests) == 1
    with pytest.raises(UpstreamError, match=r"limits\.response_bytes"):
        await upstream.request("GET", "/models")


async def test_an_error_response_is_read_up_to_its_limit(service: Service, upstream: OpenAIUpstream) -> None:
    service.answer = pack(orjson.dumps({"error": {"message": "a" * LIMIT}}), is_packed=True, status=400)

    with pytest.raises(UpstreamError, match="answered HTTP 400 without a reason"):
        await upstream.create_response(BODY)


async def test_streams_and_files_have_other_limits(service: Service, upstream: OpenAIUpstream) -> None:
    service.answer = Response(b'data: {"type":"a"}\n\n' * LIMIT, media_type="text/event-stream")

    stream = await upstream.stream_response(BODY)
    events = [event async for event in stream]
    async with upstream.download("/files/file-1/content") as content:
        size = sum([len(chunk) async for chunk in content])

    assert len(events) == LIMIT
    assert size > LIMIT


async def test_a_response_of_the_legacy_service_is_bounded(service: Service) -> None:
    service.answer = pack(orjson.dumps({"text": "a" * LIMIT}), is_packed=True)
    section = AssistantsSettings.model_validate(make_endpoint(service).model_dump())
    limits = Limits(response_bytes=LIMIT)
    backend = await open_backend(Settings(backend="assistants", assistants=section, limits=limits))

    with pytest.raises(BridgeError, match=f"more than {LIMIT} bytes"):
        await backend.retrieve_thread(CONTEXT, "thread_1")

    await backend.aclose()


def pack(body: bytes, *, is_packed: bool, status: int = 200) -> Response:
    headers = {"content-encoding": "gzip"} if is_packed else {}
    return Response(gzip.compress(body) if is_packed else body, status, headers, "application/json")


async def test_user_and_password_of_a_base_url_are_sent_in_a_header(service: Service) -> None:
    url = service.url.replace("://", "://ann:p%40ss@")
    endpoint = EndpointSettings(base_url=f"{url}/v1", max_retries=1)
    upstream = open_direct_upstream(endpoint)

    await upstream.create_response(BODY)
    await upstream.create_response(BODY)
    await upstream.aclose()

    sent = [request.headers["authorization"] for request in service.requests]
    assert sent == ["Basic YW5uOnBAc3M="] * 2
    assert "p%40ss" not in upstream.base_url


async def test_the_pass_through_sends_user_and_password_in_a_header(service: Service) -> None:
    url = service.url.replace("://", "://ann:pass@")
    settings = Settings(upstream=UpstreamSettings(base_url=f"{url}/v1", api_key=SecretStr("sk-other")))

    with run_gateway_in_thread(settings, open_backend=ScriptedBackend().open_backend) as gateway_url:
        async with aiohttp.ClientSession() as http, http.get(f"{gateway_url}/models") as response:
            assert response.status == 200

    assert service.requests[0].headers["authorization"] == "Basic YW5uOnBhc3M="


def test_user_and_password_in_the_variable_of_the_sdk_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "https://ann:hidden@host.example/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")

    with pytest.raises(ConfigurationError, match=r"set `upstream\.base_url`") as raised:
        open_direct_upstream(EndpointSettings())

    assert "hidden" not in str(raised.value)

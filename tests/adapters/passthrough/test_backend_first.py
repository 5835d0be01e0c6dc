"""A backend is asked for files of its own before the service behind is."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator

import openai
import pytest
from pydantic import SecretStr

from tests.adapters.loopback_service import LoopbackService, run_loopback_service
from tests.adapters.scripted_backend import ScriptedBackend
from threadbridge.ports import PassthroughRequest, RequestContext, WireResponse
from threadbridge.settings import Settings, UpstreamSettings
from threadbridge_adapters.gateway import run_gateway_in_thread
from threadbridge_adapters.sdk import openai_client, openai_clients


class _Keeping(ScriptedBackend):
    """Has one file of its own, and lets everything else pass."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, str]] = []

    async def handle_passthrough(self, context: RequestContext, request: PassthroughRequest) -> WireResponse | None:
        self.seen.append((request.method, request.path))
        if request.path != "/files/file-own/content":
            return None
        return WireResponse(200, {"content-type": "image/png"}, self._pieces())

    async def _pieces(self) -> AsyncGenerator[bytes]:
        yield b"its "
        yield b"own"


@pytest.fixture(scope="module")
def service() -> Generator[LoopbackService]:
    with run_loopback_service() as running:
        yield running


@pytest.fixture
def keeping() -> _Keeping:
    return _Keeping()


@pytest.fixture(params=["gateway", "in process"])
def client(
    request: pytest.FixtureRequest,
    keeping: _Keeping,
    service: LoopbackService,
    monkeypatch: pytest.MonkeyPatch,
    _no_configuration: None,
) -> Generator[openai.OpenAI]:
    """A client whose service is `service`, with the backend before it."""
    service.requests.clear()
    settings = Settings(upstream=UpstreamSettings(base_url=service.url, api_key=SecretStr("sk-behind")))
    if request.param == "gateway":
        with (
            run_gateway_in_thread(settings, open_backend=keeping.open_backend) as url,
            openai.OpenAI(base_url=url, api_key="any") as made,
        ):
            yield made
    else:
        monkeypatch.setattr(openai_clients, "open_backend", keeping.open_backend)
        with openai_client(upstream={"base_url": service.url, "api_key": "sk-behind"}) as made:
            yield made


def test_a_file_of_the_backends_own_never_reaches_the_service(client: openai.OpenAI, service: LoopbackService) -> None:
    content = client.files.content("file-own").content

    assert content == b"its own"
    assert service.requests == []


def test_every_other_file_comes_from_the_service(
    client: openai.OpenAI, keeping: _Keeping, service: LoopbackService
) -> None:
    client.files.content("file-theirs")

    assert ("GET", "/files/file-theirs/content") in keeping.seen
    assert [(asked.method, asked.path) for asked in service.requests] == [("GET", "/v1/files/file-theirs/content")]


def test_an_upload_passes_whole_and_unchanged(client: openai.OpenAI, service: LoopbackService) -> None:
    client.files.with_raw_response.create(file=("x.txt", b"content"), purpose="assistants")

    body = b"".join(service.requests[0].body_chunks)
    assert service.requests[0].headers["content-type"].startswith("multipart/form-data; boundary=")
    assert body.count(b"content") >= 1
    assert b'filename="x.txt"' in body

"""A service that is read directly: credentials, redirects, tokens, and failures as errors of the port."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.legacy_service import InjectedFault, LegacyService, LegacyServiceServer, add_threads, make_error_body
from threadbridge.errors import NotFound, Unauthorized, UpstreamError
from threadbridge.settings import AssistantsSettings
from threadbridge_adapters.assistants.direct_reader import DirectReader, open_direct_reader

KEY = "sk-test-0123456789"


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[LegacyService, LegacyServiceServer]]:
    service = LegacyService()
    with LegacyServiceServer(service) as served:
        yield service, served


@pytest.fixture
def service(server: tuple[LegacyService, LegacyServiceServer]) -> LegacyService:
    server[0].reset()
    add_threads(server[0], 1)
    return server[0]


def open_reader(server: tuple[LegacyService, LegacyServiceServer], **settings: object) -> DirectReader:
    values = {"base_url": server[1].url, "api_key": KEY, **settings}
    return open_direct_reader(AssistantsSettings.model_validate(values), section="assistants")


async def test_a_request_has_the_credentials_and_parameters_of_the_settings(
    service: LegacyService, server: tuple[LegacyService, LegacyServiceServer]
) -> None:
    reader = open_reader(server, headers={"x-tenant": "t1"}, query={"api-version": "v1"})

    response = await reader.get("/threads/thread_00000", [("include[]", "a b")])
    await reader.aclose()

    seen = service.requests[-1]
    assert (response.status_code, response.content[:1]) == (200, b"{")
    assert seen.headers["authorization"] == f"Bearer {KEY}"
    assert (seen.headers["openai-beta"], seen.headers["x-tenant"]) == ("assistants=v2", "t1")
    assert seen.query == [("api-version", "v1"), ("include[]", "a b")]


@pytest.mark.parametrize(
    ("status", "kind"), [(401, Unauthorized), (404, NotFound), (429, UpstreamError), (500, UpstreamError)]
)
async def test_an_error_is_that_of_the_backend_and_masks_the_key(
    service: LegacyService, server: tuple[LegacyService, LegacyServiceServer], status: int, kind: type[Exception]
) -> None:
    service.faults.append(InjectedFault("", status, make_error_body(f"Wrong key {KEY}."), headers={"retry-after": "3"}))
    reader = open_reader(server)

    with pytest.raises(kind) as caught:
        await reader.get("/threads/thread_00000")
    await reader.aclose()

    assert KEY not in str(caught.value)


async def test_a_redirect_to_another_origin_gets_neither_the_key_nor_the_request(
    service: LegacyService, server: tuple[LegacyService, LegacyServiceServer]
) -> None:
    other = LegacyService()
    with LegacyServiceServer(other) as elsewhere:
        service.faults.append(InjectedFault("", 307, b"", headers={"location": f"{elsewhere.url}/threads"}))
        reader = open_reader(server)
        with pytest.raises(UpstreamError, match="redirects requests to another origin"):
            await reader.get("/threads/thread_00000")
        await reader.aclose()

    assert other.requests == []


async def test_a_redirect_within_the_origin_is_followed(
    service: LegacyService, server: tuple[LegacyService, LegacyServiceServer]
) -> None:
    service.faults.append(InjectedFault("/assistants/asst_0", 308, b"", headers={"location": "/v1/assistants/asst_1"}))
    reader = open_reader(server)

    response = await reader.get("/assistants/asst_0")
    await reader.aclose()

    assert b"asst_1" in response.content


async def test_a_token_is_kept_and_renewed_when_it_is_rejected(
    service: LegacyService, server: tuple[LegacyService, LegacyServiceServer]
) -> None:
    tokens = iter(["first-token", "second-token"])
    reader = open_reader(server, api_key=None, token_provider=lambda: next(tokens))
    await reader.get("/threads/thread_00000")
    service.faults.append(InjectedFault("", 401, make_error_body("Expired.")))

    await reader.get("/threads/thread_00000")
    await reader.aclose()

    sent = [seen.headers["authorization"] for seen in service.requests]
    assert sent == ["Bearer first-token", "Bearer first-token", "Bearer second-token"]


async def test_a_service_that_is_not_there_is_named() -> None:
    settings = AssistantsSettings.model_validate({"base_url": "http://127.0.0.1:1/v1", "api_key": KEY})
    reader = open_direct_reader(settings, section="assistants")

    with pytest.raises(UpstreamError, match="127.0.0.1:1 could not be reached"):
        await reader.get("/threads/thread_1")
    await reader.aclose()

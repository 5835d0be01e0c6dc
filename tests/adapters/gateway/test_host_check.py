"""The checks of `Host` and `Sec-Fetch-Site` at a server without a key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from urllib.parse import urlsplit

import aiohttp
import orjson
import pytest
from pydantic import SecretStr

from tests.adapters.loopback_service import LoopbackService
from tests.adapters.scripted_backend import ScriptedBackend
from threadbridge.errors import ConfigurationError
from threadbridge.runtime.settings_loader import load_settings
from threadbridge.settings import GatewaySettings, Settings, UpstreamSettings
from threadbridge_adapters.gateway import (
    open_simulator,
    run_gateway_in_thread,
    run_simulator_in_thread,
    serve_in_thread,
)

PAGE = "https://page.example"
#: Everything a gateway answers: its own operations, what it passes through, what is open, and what nobody answers.
PATHS = [
    "/v1/threads",
    "/openai/threads",
    "/v1/files",
    "/v1/models/x/y",
    "/healthz",
    "/",
    "/nowhere",
    "/v1/threads/%00",
]


async def get(url: str, path: str, *headers: str) -> tuple[int, bytes]:
    """Status and body of a request with exactly these headers, which no library adds to."""
    where = urlsplit(url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write("\r\n".join([f"GET {path} HTTP/1.1", "Connection: close", *headers, "", ""]).encode("latin-1"))
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


@pytest.fixture
async def http() -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers={"OpenAI-Beta": "assistants=v2"}) as session:
        yield session


@pytest.fixture(scope="module")
def named_url(running_service: LoopbackService) -> Generator[str]:
    """A gateway without a key, which is addressed by two names of its own and used by pages of one origin."""
    settings = Settings(
        upstream=UpstreamSettings(base_url=running_service.url),
        gateway=GatewaySettings(allowed_hosts=("Bridge.example.org", "[fd00::1]"), allowed_origins=(PAGE,)),
    )
    with run_gateway_in_thread(settings, open_backend=ScriptedBackend().open_backend) as running:
        yield running


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8000", "localhost.", "127.0.0.1", "127.0.0.1:1", "127.8.9.10:80", "[::1]", "[::1]:8000"],
)
async def test_a_gateway_without_a_key_is_addressed_by_the_names_of_this_machine(url: str, host: str) -> None:
    status, _ = await get(url, "/healthz", f"Host: {host}")

    assert status == 200


@pytest.mark.parametrize(
    "host",
    [
        "page.example",
        "page.example:8000",
        "localhost.page.example",
        "127.0.0.1.page.example",
        "page.example:127.0.0.1",
        "page@localhost",
        "localhost@page.example",
        "localhost/",
        "localhost,page.example",
        "192.168.1.2",
        "0.0.0.0",  # noqa: S104 - a host that browsers take for this machine
        "[::]",
        "[fd00::1]",
        "::1",
        "[::1",
        "127.1",
        "2130706433",
        "",
    ],
)
async def test_no_other_host_is_served_by_a_gateway_without_a_key(url: str, host: str) -> None:
    status, body = await get(url, "/v1/threads", f"Host: {host}", "OpenAI-Beta: assistants=v2")

    assert status == 403
    assert orjson.loads(body)["error"] == {
        "message": f"The host '{host}' is not allowed: this server requires no key, so it only accepts localhost, "
        "127.0.0.1, [::1] and the hosts in gateway.allowed_hosts.",
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }


@pytest.mark.parametrize("path", PATHS)
async def test_another_host_is_refused_on_every_path(url: str, service: LoopbackService, path: str) -> None:
    status, _ = await get(url, path, "Host: page.example")

    assert (status, service.requests) == (403, [])


async def test_one_of_two_hosts_is_not_enough(url: str) -> None:
    status, _ = await get(url, "/healthz", "Host: localhost", "Host: page.example")

    assert status in (400, 403)


async def test_a_program_that_sends_no_host_is_no_browser(url: str) -> None:
    status, _ = await get(url, "/healthz")

    assert status == 200


@pytest.mark.parametrize("host", ["bridge.example.org", "BRIDGE.example.org.:443", "[fd00::1]:8000", "localhost"])
async def test_hosts_that_are_named_are_served(named_url: str, host: str) -> None:
    assert [(await get(named_url, "/healthz", f"Host: {each}"))[0] for each in (host, "page.example")] == [200, 403]


async def test_any_host_is_served_where_that_is_said(running_service: LoopbackService) -> None:
    settings = Settings(
        upstream=UpstreamSettings(base_url=running_service.url), gateway=GatewaySettings(allowed_hosts=("*",))
    )
    with run_gateway_in_thread(settings, open_backend=ScriptedBackend().open_backend) as any_url:
        status, _ = await get(any_url, "/healthz", "Host: page.example")

    assert status == 200


async def test_with_a_key_the_host_is_free_and_so_is_the_site(guarded_url: str) -> None:
    key = "Authorization: Bearer tb-0123456789abcdef"

    statuses = [
        (await get(guarded_url, "/v1/files", "Host: page.example", "Sec-Fetch-Site: cross-site", *more))[0]
        for more in ([key], [])
    ]

    assert statuses == [200, 401]


@pytest.mark.parametrize("site", ["cross-site", "same-site", "Cross-Site"])
@pytest.mark.parametrize("path", PATHS)
async def test_what_a_browser_marks_as_another_sites_is_refused(
    url: str, service: LoopbackService, path: str, site: str
) -> None:
    status, body = await get(url, path, "Host: localhost", f"Sec-Fetch-Site: {site}")

    assert (status, service.requests) == (403, [])
    assert orjson.loads(body)["error"]["message"] == (
        "Pages of other sites may not use this gateway: add their origin to gateway.allowed_origins."
    )


@pytest.mark.parametrize("site", ["same-origin", "none"])
async def test_the_gateways_own_pages_and_its_readers_address_bar_may_ask(url: str, site: str) -> None:
    status, _ = await get(url, "/healthz", "Host: localhost", f"Sec-Fetch-Site: {site}")

    assert status == 200


@pytest.mark.parametrize(
    ("origin", "site", "status"),
    [
        (PAGE, "cross-site", 200),
        (PAGE, "same-site", 200),
        ("http://localhost:3000", "same-site", 200),
        ("http://localhost:3000", "cross-site", 200),
        ("https://other.example", "cross-site", 403),
        ("https://other.example", "same-site", 403),
        ("https://other.example", "same-origin", 403),
    ],
)
async def test_an_origin_that_is_allowed_may_ask_from_another_site(
    http: aiohttp.ClientSession, named_url: str, origin: str, site: str, status: int
) -> None:
    headers = {"Origin": origin, "Sec-Fetch-Site": site}

    async with http.post(f"{named_url}/threads", json={}, headers=headers) as answer:
        assert answer.status == status


@pytest.mark.parametrize("key", ["", "  "])
async def test_an_empty_key_is_none_and_frees_no_host(running_service: LoopbackService, key: str) -> None:
    settings = Settings(
        upstream=UpstreamSettings(base_url=running_service.url), gateway=GatewaySettings(api_key=SecretStr(key))
    )
    with run_gateway_in_thread(settings, open_backend=ScriptedBackend().open_backend) as keyless_url:
        status, _ = await get(keyless_url, "/v1/files", "Host: page.example", "api-key: ")

    assert status == 403


@pytest.mark.parametrize("given", ["http://bridge.example.org", "bridge.example.org:8000", "a b", "", "fd00::1"])
def test_what_is_no_host_is_refused_in_the_settings(given: str) -> None:
    with pytest.raises(ConfigurationError, match="it must be \\* or a host without scheme and port"):
        load_settings(gateway={"allowed_hosts": [given]})


# -- The simulator ----------------------------------------------------------------------------------------------------


async def test_the_simulator_is_guarded_as_a_gateway_without_a_key() -> None:
    with run_simulator_in_thread() as simulator_url:
        ours, theirs, site, page = [
            await get(simulator_url, "/v1/files", *headers)
            for headers in (
                ["Host: 127.0.0.1"],
                ["Host: page.example"],
                ["Host: 127.0.0.1", "Sec-Fetch-Site: cross-site"],
                ["Host: 127.0.0.1", f"Origin: {PAGE}"],
            )
        ]

    assert [ours[0], theirs[0], site[0], page[0]] == [200, 403, 403, 403]
    assert orjson.loads(theirs[1])["error"]["message"].endswith("[::1] and the hosts in --allowed-host.")
    assert orjson.loads(page[1])["error"]["message"] == f"Pages of '{PAGE}' may not use this gateway."


async def test_the_simulator_has_names_of_its_own_where_they_are_given() -> None:
    with serve_in_thread(open_simulator(allowed_hosts=["simulator"])) as simulator_url:
        statuses = [(await get(simulator_url, "/v1/files", f"Host: {each}"))[0] for each in ("simulator:80", "other")]

    assert statuses == [200, 403]

"""Requests that would leave the base URL of the service, or that must not be passed on."""

from __future__ import annotations

from http.client import HTTPConnection
from urllib.parse import urlsplit

import orjson
import pytest

from tests.adapters.loopback_service import LoopbackService
from threadbridge.api_types import JsonObject


def send_raw(url: str, method: str, target: str) -> tuple[int, JsonObject]:
    """Status and error of a request whose target is sent as it is."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=5)
    connection.putrequest(method, target)
    connection.endheaders()
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, orjson.loads(body).get("error", {}) if body else {}


@pytest.mark.parametrize(
    "target",
    [
        "/v1/../../admin",
        "/v1/files/../../admin",
        "/v1/%2e%2e/admin",
        "/v1/.%2E/admin",
        "/v1/%252e%252e/admin",
        "/v1/..%2fadmin",
        "/v1/..\\admin",
        "/v1/..%5cadmin",
        "/v1/..;a=b/admin",
        "/v1%2f@evil.example",
        "/openai%2F@evil.example/v1",
        "/openai/v1%2f..%2f..%2fadmin",
        "/v1/files/file-%00",
        "/v1/files/file-%0d%0aX-Forged:%201",
        "/v1/%" + "25" * 10 + "2e",
    ],
)
def test_a_path_that_leaves_the_base_url_is_not_found(url: str, service: LoopbackService, target: str) -> None:
    status, error = send_raw(url, "GET", target)

    assert status == 404
    assert str(error["message"]).startswith("Invalid URL (GET ")
    assert service.requests == []


@pytest.mark.parametrize("target", ["/v1/files/a..b", "/v1/files/a%2Fb", "/v1/models/ft:gpt-4o:x%20y", "/v1/a/./b"])
def test_unusual_paths_below_the_base_url_pass(url: str, service: LoopbackService, target: str) -> None:
    status, _ = send_raw(url, "GET", target)

    assert status == 200
    assert service.requests[0].path.startswith("/v1/")


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND"])
def test_only_usual_methods_are_passed_on(url: str, service: LoopbackService, method: str) -> None:
    status, _ = send_raw(url, method, "/v1/models")

    assert status == 405
    assert service.requests == []


def test_an_id_with_nul_is_not_found_by_the_assistants_api(url: str) -> None:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=5)
    connection.request("GET", "/v1/threads/thread_%00", headers={"OpenAI-Beta": "assistants=v2"})

    assert connection.getresponse().status == 404
    connection.close()

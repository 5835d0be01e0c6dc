"""What a newcomer meets first: a missing or wrong key, a wrong address, a first request that fails."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest
from pydantic import SecretStr

from tests.bridge.engine.broken_service import BrokenService, CannedResponse, make_error_response, run_broken_service
from threadbridge.errors import ConfigurationError, UpstreamError
from threadbridge.settings import EndpointSettings, UpstreamSettings
from threadbridge_adapters.openai_http.sdk_client import open_client
from threadbridge_adapters.sdk.openai_clients import _derive_upstream_settings  # pyright: ignore[reportPrivateUsage]
from threadbridge_adapters.upstreams.openai_direct import open_direct_upstream

KEY = "sk-abcdefghijklmnopqrstuvwxyz0123456789"
BODY = b'{"model":"m","input":"hello"}'
WHOLE = CannedResponse(body=b'{"id":"resp_1","status":"completed"}')


@pytest.fixture
def service() -> Iterator[BrokenService]:
    with run_broken_service() as started:
        started.response = WHOLE
        yield started


def settings(service: BrokenService, *, max_retries: int = 0) -> EndpointSettings:
    return EndpointSettings(base_url=service.url, api_key=SecretStr(KEY), max_retries=max_retries)


@pytest.mark.parametrize("value", [None, "", " "])
@pytest.mark.parametrize("azure", [False, True])
def test_without_a_key_one_sentence_names_the_variable_and_the_simulator(
    monkeypatch: pytest.MonkeyPatch, value: str | None, azure: bool
) -> None:
    variable = "AZURE_OPENAI_API_KEY" if azure else "OPENAI_API_KEY"
    for name in ("OPENAI_API_KEY", "AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    if value is not None:
        monkeypatch.setenv(variable, value)
    endpoint = EndpointSettings(azure=azure, base_url="https://example.openai.azure.com" if azure else None)

    with pytest.raises(ConfigurationError) as raised:
        open_client(endpoint, section="upstream")

    assert str(raised.value).startswith(f"There is no API key: set {variable}, `upstream.api_key`")
    assert "`simulate = true`" in str(raised.value)
    assert (raised.value.__cause__, raised.value.__suppress_context__ or raised.value.__context__) in (
        (None, None),
        (None, True),
    )


def test_a_legacy_service_without_a_key_is_not_told_to_simulate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)

    with pytest.raises(ConfigurationError, match=r"THREADBRIDGE_ASSISTANTS__API_KEY\)\.$"):
        open_client(EndpointSettings(), section="assistants")


@pytest.mark.parametrize(
    ("status", "message", "hint"),
    [
        (401, f"Incorrect API key provided: {KEY}.", "HTTP 401 to POST /v1/responses at 127.0.0.1:"),
        (404, "Not Found", "HTTP 404 to POST /v1/responses at 127.0.0.1:"),
        (405, "Method Not Allowed", "check `upstream.base_url`"),
    ],
)
async def test_a_wrong_key_or_address_names_the_request_and_the_setting(
    service: BrokenService, status: int, message: str, hint: str
) -> None:
    service.response = make_error_response(status, message)
    upstream = open_direct_upstream(settings(service))

    with pytest.raises(UpstreamError) as raised:
        await upstream.create_response(BODY)
    await upstream.aclose()

    setting = "api_key" if status == 401 else "base_url"
    assert hint in raised.value.message
    assert raised.value.message.endswith(f"; check `upstream.{setting}`).")
    assert str(raised.value) == raised.value.message
    assert KEY[:6] not in raised.value.message


@pytest.mark.parametrize("stream", [False, True])
async def test_the_first_request_is_sent_as_often_as_later_ones(service: BrokenService, stream: bool) -> None:
    upstream = open_direct_upstream(settings(service, max_retries=1))
    attempts: list[int] = []
    for number in range(3):
        service.response = WHOLE if number == 1 else make_error_response(500, "Busy.")
        before = len(service.request_headers)
        try:
            await (upstream.stream_response(BODY) if stream and number != 1 else upstream.create_response(BODY))
        except UpstreamError:
            attempts.append(len(service.request_headers) - before)
    await upstream.aclose()

    assert attempts == [2, 2]


@pytest.mark.parametrize(
    ("timeout", "expected"), [(7.0, 7.0), (openai.Timeout(3, read=9), 9.0), (None, UpstreamSettings().timeout)]
)
def test_a_wrapped_client_lends_its_timeout_and_retries(
    timeout: float | openai.Timeout | None, expected: float
) -> None:
    client = openai.OpenAI(api_key=KEY, base_url="http://127.0.0.1:9/v1", timeout=timeout, max_retries=5)

    derived = _derive_upstream_settings(client, UpstreamSettings())
    configured = _derive_upstream_settings(client, UpstreamSettings(timeout=2, max_retries=1))

    assert (derived.timeout, derived.max_retries) == (expected, 5)
    assert (configured.timeout, configured.max_retries) == (2, 1)

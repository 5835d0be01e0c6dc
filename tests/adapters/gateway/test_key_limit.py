"""Guesses of the gateway's key are slowed, and weak keys are reported."""

from __future__ import annotations

import logging

import aiohttp
import pytest
from pydantic import SecretStr

from tests.adapters.scripted_backend import ScriptedBackend
from threadbridge.errors import ConfigurationError
from threadbridge.settings import EndpointSettings, GatewaySettings, Settings
from threadbridge_adapters.gateway import create_app, run_gateway_in_thread
from threadbridge_adapters.gateway.access_checks import MAX_ADDRESSES, KeyGuessLimiter
from threadbridge_adapters.openai_http.sdk_client import open_client

KEY = "tb-0123456789abcdef"


def test_an_address_with_too_many_wrong_keys_waits() -> None:
    now = 1000.0
    limiter = KeyGuessLimiter(60, now=lambda: now)

    for _ in range(60):
        assert limiter.get_delay("10.0.0.1") == 0
        limiter.add_wrong_key("10.0.0.1")
    limiter.add_wrong_key("10.0.0.1")

    assert limiter.get_delay("10.0.0.1") == pytest.approx(1.0)
    assert limiter.get_delay("10.0.0.2") == 0
    now += 1.5
    assert limiter.get_delay("10.0.0.1") == 0


def test_addresses_of_one_ipv6_network_are_one_client() -> None:
    limiter = KeyGuessLimiter(1, now=lambda: 1000.0)

    limiter.add_wrong_key("2001:db8::1")
    limiter.add_wrong_key("2001:db8::2")

    assert limiter.get_delay("2001:db8::3") > 0
    assert limiter.get_delay("2001:db8:1::3") == 0


def test_the_table_of_addresses_is_bounded_and_a_limit_of_zero_is_none() -> None:
    limiter, unlimited = KeyGuessLimiter(1, now=lambda: 1000.0), KeyGuessLimiter(0)

    for number in range(MAX_ADDRESSES + 10):
        for _ in range(2):
            limiter.add_wrong_key(f"address-{number}")
            unlimited.add_wrong_key("address")

    assert limiter.get_delay("address-0") == 0
    assert limiter.get_delay(f"address-{MAX_ADDRESSES + 9}") > 0
    assert unlimited.get_delay("address") == 0


async def test_the_gateway_rejects_guesses_before_it_compares_keys() -> None:
    settings = Settings(gateway=GatewaySettings(api_key=SecretStr(KEY), wrong_keys_per_minute=2), simulate=True)

    with run_gateway_in_thread(settings, open_backend=ScriptedBackend().open_backend) as url:
        async with aiohttp.ClientSession() as http:
            statuses: list[int] = []
            for key in ("wrong-1", "wrong-2", "wrong-3", KEY):
                async with http.get(f"{url}/models", headers={"api-key": key}) as response:
                    statuses.append(response.status)

    assert statuses == [401, 401, 401, 429]
    assert int(response.headers["retry-after"]) > 0


@pytest.mark.parametrize(("key", "is_reported"), [("short", True), (KEY, False)])
async def test_a_short_key_is_reported(key: str, is_reported: bool, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)

    create_app(
        await ScriptedBackend().open_backend(Settings()), Settings(gateway=GatewaySettings(api_key=SecretStr(key)))
    )

    assert ("gateway.api_key has fewer than 16 characters" in caplog.text) is is_reported
    assert key not in caplog.text


def test_an_empty_key_is_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", " ")

    assert EndpointSettings(api_key=SecretStr(" ")).api_key is None
    assert GatewaySettings(api_key=SecretStr("")).api_key is None
    with pytest.raises(ConfigurationError, match="There is no API key: set OPENAI_API_KEY, `upstream.api_key`"):
        open_client(EndpointSettings(), section="upstream")

"""How a legacy service is reached."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.adapters.assistants.settings import KEY, make_settings
from tests.legacy_service import LegacyService, ReceivedRequest, add_threads
from tests.request_context import CONTEXT
from threadbridge.errors import (
    ConfigurationError,
    Unauthorized,
)
from threadbridge.ports import ListQuery
from threadbridge.settings import Settings, TokenProvider
from threadbridge_adapters.assistants import open_backend


def the_only(service: LegacyService) -> ReceivedRequest:
    assert len(service.requests) == 1
    return service.requests[0]


async def test_headers_and_query_parameters_go_with_every_request(service: LegacyService, url: str) -> None:
    add_threads(service, 1)
    headers = {"X-Gateway": "g", "openai-beta": "assistants=v2,other=v1"}
    backend = await open_backend(make_settings(url, headers=headers, query={"api-version": "v1"}))

    await backend.list_runs(CONTEXT, "thread_00000", ListQuery(limit=5))

    await backend.aclose()
    seen = the_only(service)
    assert (seen.headers["x-gateway"], seen.headers["openai-beta"]) == ("g", "assistants=v2,other=v1")
    assert sorted(seen.query) == [("api-version", "v1"), ("limit", "5")]


def _sync_token() -> str:
    return "token-sync"


async def _async_token() -> str:
    return "token-async"


@pytest.mark.parametrize(("provider", "token"), [(_sync_token, "token-sync"), (_async_token, "token-async")])
@pytest.mark.parametrize("azure", [False, True])
async def test_a_token_provider_is_asked_for_a_bearer_token(
    service: LegacyService, url: str, provider: TokenProvider, token: str, azure: bool
) -> None:
    add_threads(service, 1)
    backend = await open_backend(
        make_settings(url.removesuffix("/v1"), token_provider=provider, azure=azure, api_version="2024-05-01-preview")
    )

    await backend.retrieve_thread(CONTEXT, "thread_00000")

    await backend.aclose()
    assert the_only(service).headers["authorization"] == f"Bearer {token}"


async def test_a_token_provider_that_fails_is_named_without_what_it_said(service: LegacyService, url: str) -> None:
    def provider() -> str:
        raise RuntimeError("client_secret=hidden")

    backend = await open_backend(make_settings(url, token_provider=provider))

    with pytest.raises(Unauthorized, match=r"token provider failed \(RuntimeError\)") as raised:
        await backend.retrieve_thread(CONTEXT, "thread_1")

    await backend.aclose()
    assert "hidden" not in raised.value.message


async def test_azure_takes_the_key_in_its_own_header_and_the_version_in_the_query(
    service: LegacyService, url: str
) -> None:
    add_threads(service, 1)
    backend = await open_backend(make_settings(url.removesuffix("/v1"), azure=True, api_version="2024-05-01-preview"))

    await backend.retrieve_thread(CONTEXT, "thread_00000")

    await backend.aclose()
    seen = the_only(service)
    assert seen.raw_path == "/openai/threads/thread_00000"
    assert seen.query == [("api-version", "2024-05-01-preview")]
    assert seen.headers["api-key"] == KEY
    assert "authorization" not in seen.headers


async def test_what_is_not_set_is_left_to_the_environment_of_the_sdk(
    service: LegacyService, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_threads(service, 1)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-from-environment")
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    backend = await open_backend(Settings(backend="assistants"))

    await backend.retrieve_thread(CONTEXT, "thread_00000")

    await backend.aclose()
    assert the_only(service).headers["authorization"] == "Bearer sk-from-environment"


async def test_no_key_at_all_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(ConfigurationError, match="THREADBRIDGE_ASSISTANTS__API_KEY"):
        await open_backend(Settings(backend="assistants"))


@pytest.mark.parametrize("key", ["sk-with-an-ellipsis…", "sk-line\nbreak", " "])
async def test_a_key_that_no_header_can_carry_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        await open_backend(make_settings("http://127.0.0.1:1/v1", api_key=key))

    assert "sk-" not in raised.value.message


def test_importing_the_backend_does_not_import_the_sdk() -> None:
    program = "import sys, threadbridge_adapters.assistants; print('openai' in sys.modules)"

    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert answer.stdout == "False\n"

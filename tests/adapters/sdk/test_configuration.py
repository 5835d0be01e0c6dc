"""Keys, services and failures to open, as a user of `openai_client` and `wrap` meets them."""

# pyright: reportDeprecated=false
# The SDK marks every Assistants method as deprecated; being called all the same is the point of these tests.

from __future__ import annotations

import subprocess
import sys
from typing import cast

import openai
import pytest

from tests.adapters.loopback_service import LoopbackService
from tests.adapters.scripted_backend import THREAD_ID, ScriptedBackend
from threadbridge.errors import ConfigurationError, StoreError
from threadbridge.ports import Backend
from threadbridge.settings import Settings
from threadbridge_adapters.sdk import openai_client, openai_clients, wrap

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")


@pytest.fixture
def opened_with(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings that backends were opened with."""
    opened: list[Settings] = []

    async def open_backend(settings: Settings) -> Backend:
        opened.append(settings)
        return await ScriptedBackend().open_backend(settings)

    monkeypatch.setattr(openai_clients, "open_backend", open_backend)
    return opened


def test_without_a_key_assistants_calls_work_and_others_are_refused_unsent(
    backend: ScriptedBackend, service: LoopbackService
) -> None:
    with openai_client(simulate=True, client_options={"base_url": service.url}) as client:
        made = client.beta.threads.create()

        with pytest.raises(openai.AuthenticationError, match="has no API key"):
            client.models.list()

    assert made.id == THREAD_ID
    assert service.requests == []


def test_other_calls_go_to_the_configured_service(backend: ScriptedBackend, service: LoopbackService) -> None:
    upstream = {"base_url": service.url, "api_key": "sk-configured", "query": {"v": "1"}}

    with openai_client(upstream=upstream) as client:
        client.models.with_raw_response.list()

    assert service.requests[0].headers["authorization"] == "Bearer sk-configured"
    assert service.requests[0].query == "v=1"


def test_a_wrong_setting_is_said_when_the_client_is_made() -> None:
    with pytest.raises(ConfigurationError, match="simulat"):
        openai_client(simulat=True)


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (StoreError("The store cannot be opened: the disk is full."), "the disk is full"),
        (RuntimeError("a bug"), "The bridge had an error"),
    ],
)
def test_a_backend_that_cannot_be_opened_is_told_and_not_tried_again(
    monkeypatch: pytest.MonkeyPatch, failure: Exception, said: str
) -> None:
    tries: list[Settings] = []

    async def open_backend(settings: Settings) -> Backend:
        tries.append(settings)
        raise failure

    monkeypatch.setattr(openai_clients, "open_backend", open_backend)

    with openai_client() as client, pytest.raises(openai.InternalServerError, match=said):
        client.beta.threads.create()

    assert len(tries) == 1


def test_httpx2_is_whole_before_anything_could_import_it_on_another_thread() -> None:
    program = "import sys, threadbridge; threadbridge.openai_client(simulate=True); print('httpx2' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stdout) == (0, "True\n")


@pytest.mark.parametrize("no_client", [3, openai, openai.OpenAI])
def test_what_is_no_client_cannot_be_wrapped(no_client: object) -> None:
    with pytest.raises(TypeError, match=r"^wrap\(\) takes a client of the openai SDK \(OpenAI, .*\), not .+\.$"):
        wrap(cast("openai.OpenAI", no_client))


def test_runs_of_a_wrapped_client_go_to_its_own_service(opened_with: list[Settings]) -> None:
    with wrap(openai.OpenAI(api_key="sk-mine", base_url="http://127.0.0.1:9/v1")) as client:
        client.beta.threads.create()

    upstream = opened_with[0].upstream
    assert upstream.base_url == "http://127.0.0.1:9/v1/"
    assert upstream.api_key is not None
    assert upstream.api_key.get_secret_value() == "sk-mine"


def test_runs_of_a_wrapped_azure_client_stay_with_its_resource(opened_with: list[Settings]) -> None:
    azure = openai.AzureOpenAI(
        api_key="azure-key", azure_endpoint="https://mine.openai.azure.com", api_version="2024-05-01-preview"
    )

    with wrap(azure) as client:
        client.beta.threads.create()

    assert opened_with[0].upstream.base_url == "https://mine.openai.azure.com/openai/v1/"


def test_a_wrapped_client_without_a_plain_key_must_say_where_runs_go() -> None:
    azure = openai.AzureOpenAI(
        azure_ad_token_provider=lambda: "token",
        azure_endpoint="https://mine.openai.azure.com",
        api_version="2024-05-01-preview",
    )

    with pytest.raises(ConfigurationError, match="upstream="):
        wrap(azure)


def test_a_configured_upstream_comes_before_the_wrapped_clients_service(opened_with: list[Settings]) -> None:
    with wrap(openai.OpenAI(api_key="sk-mine"), upstream="http://127.0.0.1:9/v1") as client:
        client.beta.threads.create()

    assert opened_with[0].upstream.base_url == "http://127.0.0.1:9/v1"
    assert opened_with[0].upstream.api_key is None

"""AzureOpenAI, the same SDK's other class: key in a header of its own, a version on every call."""

# pyright: reportDeprecated=false
# The SDK marks every Assistants method as deprecated; being called all the same is the point of these tests.

from __future__ import annotations

from collections.abc import Generator

import openai
import pytest
from pydantic import SecretStr

import threadbridge
from tests.clients.client_kinds import Gateway, read_text, simulated_gateway, user_message
from threadbridge.settings import GatewaySettings

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")

KEY = "tb-0123456789abcdef"
VERSION = "2024-05-01-preview"


@pytest.fixture(scope="module")
def guarded() -> Generator[Gateway]:
    """A gateway that asks for its key."""
    with simulated_gateway(gateway=GatewaySettings(api_key=SecretStr(KEY))) as running:
        yield running


def endpoint(gateway: Gateway) -> str:
    return gateway.url.removesuffix("/v1")


def converse(client: openai.OpenAI) -> str:
    """A whole conversation; what the assistant said last."""
    assistant = client.beta.assistants.create(model="gpt-4o")
    thread = client.beta.threads.create(messages=[user_message("SAY Good morning")])
    client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    return read_text(client.beta.threads.messages.list(thread.id).data[0])


def test_c19_azures_client_goes_through_a_guarded_gateway(guarded: Gateway) -> None:
    with openai.AzureOpenAI(azure_endpoint=endpoint(guarded), api_key=KEY, api_version=VERSION) as client:
        assert converse(client) == "Good morning"


def test_c19_azures_client_with_another_key_does_not(guarded: Gateway) -> None:
    azure = openai.AzureOpenAI(azure_endpoint=endpoint(guarded), api_key="wrong", api_version=VERSION)

    with azure, pytest.raises(openai.AuthenticationError, match="Incorrect API key"):
        azure.beta.threads.create()


def test_c19_azures_client_can_be_wrapped() -> None:
    azure = openai.AzureOpenAI(azure_endpoint="http://127.0.0.1:9", api_key=KEY, api_version=VERSION)

    with threadbridge.wrap(azure, simulate=True, store=":memory:") as client:
        assert isinstance(client, openai.AzureOpenAI)
        assert converse(client) == "Good morning"


async def test_c19_azures_asynchronous_client_streams_through_the_gateway(guarded: Gateway) -> None:
    async with openai.AsyncAzureOpenAI(azure_endpoint=endpoint(guarded), api_key=KEY, api_version=VERSION) as client:
        assistant = await client.beta.assistants.create(model="gpt-4o")
        thread = await client.beta.threads.create(messages=[user_message("SAY Good morning")])
        async with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
            texts = [text async for text in stream.text_deltas]

    assert "".join(texts) == "Good morning"

"""Microsoft's own client of Foundry's classic agents, on the gateway as a project."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Generator
from typing import Any

import pytest

from tests.clients.client_kinds import Gateway

agents: Any = pytest.importorskip("azure.ai.agents")
models: Any = pytest.importorskip("azure.ai.agents.models")
credentials: Any = pytest.importorskip("azure.core.credentials")
policies: Any = pytest.importorskip("azure.core.pipeline.policies")
exceptions: Any = pytest.importorskip("azure.core.exceptions")


@pytest.fixture
def client(gateway: Gateway) -> Generator[Any]:
    key = credentials.AzureKeyCredential("sk-mine")
    endpoint = gateway.url.removesuffix("/v1") + "/api/projects/demo"
    with agents.AgentsClient(
        endpoint, key, authentication_policy=policies.AzureKeyCredentialPolicy(key, "api-key"), retry_total=0
    ) as opened:
        yield opened


@pytest.fixture
def agent(client: Any) -> Any:
    return client.create_agent(model="gpt-5-mini", name="Foundry", instructions="Be brief.")


def test_threads_messages_and_polled_runs(client: Any, agent: Any) -> None:
    thread = client.threads.create(metadata={"origin": "foundry"})
    client.messages.create(thread_id=thread.id, role="user", content="Hello")

    run = client.runs.create_and_process(thread_id=thread.id, agent_id=agent.id, polling_interval=0.05)
    messages = list(client.messages.list(thread_id=thread.id, order="asc"))
    steps = list(client.run_steps.list(thread_id=thread.id, run_id=run.id))
    text = client.messages.get_last_message_text_by_role(thread_id=thread.id, role=models.MessageRole.AGENT)

    assert run.status == "completed"
    assert [message.role for message in messages] == ["user", "assistant"]
    assert text.text.value
    assert [step.type for step in steps] == ["message_creation"]
    assert client.threads.get(thread.id).metadata == {"origin": "foundry"}
    assert thread.id in [each.id for each in client.threads.list()]


def test_a_streamed_run(client: Any, agent: Any) -> None:
    thread = client.threads.create(messages=[models.ThreadMessageOptions(role="user", content="Hello")])

    with client.runs.stream(thread_id=thread.id, agent_id=agent.id) as stream:
        events = [(kind, data) for kind, data, _ in stream]

    kinds = [kind for kind, _ in events]
    assert kinds[0] == "thread.run.created"
    assert "thread.message.delta" in kinds
    assert kinds[-1] == "done"
    run = next(data for kind, data in events if kind == "thread.run.completed")
    assert run.status == "completed"


def test_functions_of_the_program(client: Any) -> None:
    def get_weather(city: str) -> str:
        """The weather in a city.

        :param city: The city.
        :return: The weather.
        """
        return f"sunny in {city}"

    toolset = models.ToolSet()
    toolset.add(models.FunctionTool({get_weather}))
    agent = client.create_agent(model="gpt-5-mini", name="Weather", toolset=toolset)
    thread = client.threads.create()
    client.messages.create(thread_id=thread.id, role="user", content='CALL get_weather {"city": "Paris"}')

    run = client.runs.create_and_process(thread_id=thread.id, agent_id=agent.id, toolset=toolset, polling_interval=0.05)

    assert run.status == "completed"


def test_errors_have_the_shape_that_the_client_reads(client: Any) -> None:
    with pytest.raises(exceptions.ResourceNotFoundError) as caught:
        client.threads.get("thread_nope")

    assert caught.value.status_code == 404
    assert "No thread found with id 'thread_nope'" in caught.value.message


def test_files_and_vector_stores_of_a_project(client: Any, tmp_path: Any) -> None:
    (tmp_path / "notes.txt").write_text("The office opens at nine.")

    file = client.files.upload_and_poll(file_path=str(tmp_path / "notes.txt"), purpose="assistants")
    store = client.vector_stores.create_and_poll(file_ids=[file.id], name="notes", polling_interval=0.05)

    assert file.filename == "notes.txt"
    assert store.file_counts.completed == 1
    client.vector_stores.delete(store.id)
    client.files.delete(file.id)


@pytest.mark.parametrize("path", ["/api/projects/demo/nothing", "/api/projects/demo", "/api/other/demo/threads"])
def test_other_paths_are_unknown(gateway: Gateway, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(gateway.url.removesuffix("/v1") + path)  # noqa: S310 - the gateway's own URL

    assert caught.value.code == 404
    caught.value.close()

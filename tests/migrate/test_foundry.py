"""A Foundry project as the source of an export."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import openai
import pytest
from typer.testing import CliRunner, Result

from tests.clients.client_kinds import simulated_gateway
from tests.migrate.archive_contents import load_manifest
from threadbridge.errors import ConfigurationError
from threadbridge.settings import AssistantsSettings, Settings
from threadbridge_migrate.archive.reader import Archive, Part
from threadbridge_migrate.cli.application import app
from threadbridge_migrate.export import foundry

PROJECT = "https://demo.services.ai.azure.com/api/projects/demo"


@pytest.fixture
def project() -> Generator[tuple[str, list[str]]]:
    """The endpoint of a project with three threads, the gateway's own."""
    with simulated_gateway() as gateway:
        endpoint = gateway.url.removesuffix("/v1") + "/api/projects/demo"
        with openai.OpenAI(base_url=endpoint, api_key="sk-mine") as client:
            assistant = client.beta.assistants.create(model="gpt-5-mini")
            ids: list[str] = []
            for number in range(3):
                thread = client.beta.threads.create(messages=[{"role": "user", "content": f"Question {number}"}])
                client.beta.threads.runs.create_and_poll(
                    thread_id=thread.id, assistant_id=assistant.id, poll_interval_ms=20
                )
                ids.append(thread.id)
        yield endpoint, ids


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["export-threads", "--out", "archive", *words])


def test_all_threads_of_a_project_are_listed_and_exported(project: tuple[str, list[str]]) -> None:
    result = run("--source", "foundry", "--project", project[0])

    archive = Archive.open("archive")
    assert result.exit_code == 0
    assert {thread["id"] for thread in archive.read_part(Part.THREADS)} == set(project[1])
    assert len(list(archive.read_part(Part.MESSAGES))) == 6
    assert len(list(archive.read_part(Part.STEPS))) == 3
    assert load_manifest(Path("archive"))["source"] == {"backend": "assistants", "base_url": project[0]}


def test_a_url_of_something_else_is_no_project() -> None:
    result = run("--source", "foundry", "--project", "https://host.example/v1")

    assert (result.exit_code, "is not the endpoint of a project" in result.stderr) == (2, True)


def test_a_project_without_a_key_gets_entra_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    identity: Any = pytest.importorskip("azure.identity")
    scopes: list[str] = []

    def get_provider(_: object, scope: str) -> Callable[[], str]:
        scopes.append(scope)
        return lambda: "entra-token"

    monkeypatch.setattr(identity, "DefaultAzureCredential", object)
    monkeypatch.setattr(identity, "get_bearer_token_provider", get_provider)
    without_key = foundry.authorize(Settings(backend="assistants", assistants=AssistantsSettings(base_url=PROJECT)))
    other = Settings(backend="assistants", assistants=AssistantsSettings(base_url="https://host.example/v1"))

    assert without_key.assistants.token_provider is not None
    assert without_key.assistants.token_provider() == "entra-token"
    assert scopes == ["https://ai.azure.com/.default"]
    assert foundry.authorize(other) is other


def test_without_azure_identity_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "azure.identity", None)

    with pytest.raises(ConfigurationError, match=r"pip install 'threadbridge\[foundry\]'"):
        foundry.authorize(Settings(backend="assistants", assistants=AssistantsSettings(base_url=PROJECT)))

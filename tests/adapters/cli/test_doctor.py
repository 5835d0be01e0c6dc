"""`threadbridge doctor` as a person or a script runs it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from threadbridge.api_types import JsonObject
from threadbridge.errors import UpstreamError
from threadbridge.ports import ObjectKind, Store
from threadbridge_adapters.cli.application import application
from threadbridge_adapters.stores import open_store

KEY = "sk-a-key-nobody-may-see"
PINNED: JsonObject = {
    "id": "asst_1",
    "object": "assistant",
    "created_at": 1,
    "model": "gpt-4",
    "instructions": None,
    "tools": [],
    "tool_resources": {},
    "metadata": {},
}


@pytest.fixture(autouse=True)
def _nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("THREADBRIDGE_UPSTREAM__API_KEY", KEY)
    monkeypatch.setenv("THREADBRIDGE_UPSTREAM__MAX_RETRIES", "0")


@pytest.fixture
def store(tmp_path: Path) -> str:
    async def filled() -> None:
        opened: Store = await open_store(str(tmp_path / "threads.db"))
        await opened.write(lambda session: session.add(ObjectKind.ASSISTANT, PINNED), tenant="default")
        await opened.aclose()

    asyncio.run(filled())
    return str(tmp_path / "threads.db")


def doctor(*arguments: str, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(application, ["doctor", *arguments])


def test_the_report_names_the_profile_the_settings_and_the_traps(store: str) -> None:
    result = doctor("--store", store, THREADBRIDGE_SIMULATE="true")

    assert result.exit_code == 0
    assert result.stdout.startswith("profile openai: it is the closest to the findings\n")
    assert '\n[upstream]\nprofile = "openai"\n\n' in result.stdout
    heading = "\nWarnings about settings and store:\n"
    assert f"{heading}- 1 assistant is pinned to gpt-4, which ended on 2026-10-23" in result.stdout
    assert result.stderr.startswith("Probing the simulator: at most 40 requests of 30 s each")
    assert KEY not in result.output


def test_json_is_one_object(store: str) -> None:
    result = doctor("--store", store, "--json", "--model", "gpt-4o", THREADBRIDGE_SIMULATE="true")

    told = json.loads(result.stdout)
    assert (told["profile"], told["configured_profile"], told["model"]) == ("openai", "openai", "gpt-4o")
    assert told["overrides"] == {}
    assert told["capabilities"]["encrypted_reasoning"]["found"] is None
    assert told["capabilities"]["background"] == {"found": True, "why": "a request for it succeeded"}
    assert [warning["kind"] for warning in told["warnings"]] == ["model"]


def test_without_a_store_the_service_is_examined_all_the_same() -> None:
    result = doctor("--json", THREADBRIDGE_SIMULATE="true")

    assert (result.exit_code, json.loads(result.stdout)["warnings"]) == (0, [])
    assert "There is no store to check; name one with --store." in result.stderr


def test_nobody_there_is_one_sentence_with_the_next_step() -> None:
    result = doctor(THREADBRIDGE_UPSTREAM__BASE_URL="http://user:secret@127.0.0.1:9/v1")

    assert isinstance(result.exception, UpstreamError)
    assert str(result.exception).startswith("The Responses service at 127.0.0.1:9 could not be reached")
    assert "check `upstream.base_url`" in str(result.exception)
    assert result.stdout == ""
    assert "secret" not in f"{result.output}{result.exception}"

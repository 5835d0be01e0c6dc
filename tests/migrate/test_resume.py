"""An export that is killed goes on where it stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.legacy_service import LegacyService, add_threads
from tests.migrate.archive_contents import (
    NO_FILES,
    collect_source_lines,
    load_manifest,
    read_archive_lines,
    read_errors,
)
from tests.migrate.export_command import make_export_command
from threadbridge_migrate.archive.reader import Archive, Part


def kill_after(lines: int, process: subprocess.Popen[bytes], journal: Path) -> None:
    """SIGKILL as soon as the journal has grown to so many lines."""
    deadline = time.monotonic() + 30
    while not journal.exists() or journal.read_bytes().count(b"\n") < lines:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def test_an_export_killed_twice_ends_like_one_that_was_not(service: LegacyService, url: str, tmp_path: Path) -> None:
    ids = [*add_threads(service, 60), "thread_nope"]
    service.latency = 0.01
    out = tmp_path / "archive"

    for lines in (10, 30):
        kill_after(
            lines,
            subprocess.Popen(make_export_command(url, ids, out), stderr=subprocess.DEVNULL),
            out / "journal.jsonl",
        )
        assert load_manifest(out)["state"] == "exporting"
        asked_before = len(service.requests)
    last = subprocess.run(make_export_command(url, ids, out), capture_output=True, text=True, check=False)

    assert last.returncode == 1
    assert read_archive_lines(out) == collect_source_lines(service, ids[:-1])
    assert [error["id"] for error in read_errors(out)] == ["thread_nope"]
    assert load_manifest(out)["counts"] == {
        "assistants": 3,
        "threads": 60,
        "messages": 180,
        "runs": 120,
        "steps": 240,
        **NO_FILES,
        "errors": 1,
    }
    assert len(service.requests) - asked_before < 5 * 40  # the finished threads were not asked for again


def test_an_archive_broken_off_shows_only_whole_threads(service: LegacyService, url: str, tmp_path: Path) -> None:
    ids = add_threads(service, 60)
    service.latency = 0.01
    out = tmp_path / "archive"
    kill_after(
        10, subprocess.Popen(make_export_command(url, ids, out), stderr=subprocess.DEVNULL), out / "journal.jsonl"
    )

    archive = Archive.open(out)
    threads = {thread["id"] for thread in archive.read_part(Part.THREADS)}
    messages = [message["thread_id"] for message in archive.read_part(Part.MESSAGES)]

    assert archive.manifest.state == "exporting"
    assert 0 < len(threads) < 60
    assert {thread_id: messages.count(thread_id) for thread_id in threads} == dict.fromkeys(threads, 3)
    assert set(messages) == threads


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such lock")
def test_two_exports_do_not_write_into_one_directory(service: LegacyService, url: str, tmp_path: Path) -> None:
    ids = add_threads(service, 60)
    service.latency = 0.05
    out = tmp_path / "archive"
    with subprocess.Popen(make_export_command(url, ids, out), stderr=subprocess.DEVNULL) as first:
        while not (out / "manifest.json").exists():
            time.sleep(0.01)
        first.send_signal(signal.SIGSTOP)  # it holds the archive, and will not be done before the other begins
        second = subprocess.run(make_export_command(url, ids, out), capture_output=True, text=True, check=False)
        first.kill()

    assert second.returncode == 4
    assert "Another export is writing to" in second.stderr


@pytest.mark.parametrize("is_subcommand", [False, True])
def test_an_interrupted_export_has_the_documented_exit_code(
    service: LegacyService, url: str, tmp_path: Path, is_subcommand: bool
) -> None:
    ids = add_threads(service, 60)
    service.latency = 0.05
    command = make_export_command(url, ids, tmp_path / "archive")
    if is_subcommand:
        arguments = command[command.index("export-threads") :]
        command = [sys.executable, "-m", "threadbridge_adapters.cli", "migrate", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert process.stderr.readline() == "Exporting 60 threads\n"

    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)

    assert process.returncode == 130
    assert errors.endswith("migrate: Interrupted; run the same command again to continue.\n")
    assert "Traceback" not in errors

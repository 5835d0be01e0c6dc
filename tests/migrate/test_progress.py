"""What people see while an export runs."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from threadbridge_migrate.export import progress
from threadbridge_migrate.export.progress import MAX_PRINTED_FAILURES, show_progress


def shown(*, terminal: bool, failures: int = 0, total: int | None = 3, quiet: bool = False) -> str:
    """Everything that is written while three threads are exported and some fail."""
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=100, markup=False, highlight=False, soft_wrap=True)
    with show_progress(total=total, quiet=quiet, console=console) as watch:
        for n in range(3):
            watch.record_outcome(f"thread_{n}", "exported", None)
        for n in range(failures):
            watch.record_outcome(f"thread_bad_{n}", "failed", "No [bold]thread.")
    return text.getvalue()


def test_elsewhere_than_on_a_terminal_there_are_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)

    assert shown(terminal=False, failures=1).splitlines() == [
        "Exporting 3 threads",
        "1 of 3 threads, 0 failed",
        "2 of 3 threads, 0 failed",
        "3 of 3 threads, 0 failed",
        "thread_bad_0 failed: No [bold]thread.",
        "4 of 3 threads, 1 failed",
    ]


def test_lines_do_not_follow_each_other_faster_than_people_read() -> None:
    assert shown(terminal=False, total=None).splitlines() == ["Exporting all threads the source lists"]


def test_a_single_thread_is_one() -> None:
    assert shown(terminal=False, total=1).splitlines()[0] == "Exporting 1 thread"


def test_only_the_first_failures_are_told_one_by_one() -> None:
    lines = shown(terminal=False, failures=MAX_PRINTED_FAILURES + 5).splitlines()

    assert len([line for line in lines if "failed:" in line]) == MAX_PRINTED_FAILURES
    assert lines[-1].endswith("further failures are only recorded")


def test_on_a_terminal_there_is_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")

    text = shown(terminal=True, failures=1)

    assert "\x1b[" in text
    assert "4/3" in text
    assert "1 failed" in text


def test_quiet_means_nothing() -> None:
    assert shown(terminal=False, failures=3, quiet=True) == ""

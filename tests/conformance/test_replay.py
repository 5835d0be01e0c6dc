"""Replayed recordings of the real service are equal, except for numbered differences."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conformance.recorded_sessions.differences import DIFFERENCES
from tests.conformance.recorded_sessions.recordings import SHARED
from tests.conformance.recorded_sessions.session_replay import Verdict
from tests.conformance.replay import format_summary, main, replay_folder

PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"

needs_recordings = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared recordings are not beside this checkout")


@needs_recordings
def test_replayed_responses_equal_the_recorded_ones_except_for_numbered_differences() -> None:
    outcome = replay_folder(SHARED / "assistants")

    assert outcome.select(Verdict.FAILED) == [], format_summary(outcome)
    assert outcome.count(Verdict.EQUAL) > 300


def test_a_folder_without_recordings_is_skipped_with_a_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main([str(tmp_path / "nowhere")])

    assert code == 0
    assert "There are no recordings" in capsys.readouterr().out


def test_every_difference_number_of_the_replay_is_on_the_compatibility_page() -> None:
    on_the_page = {int(number) for number in re.findall(r"^\| D(\d+) \|", PAGE.read_text(), re.MULTILINE)}

    assert {known.number for known in DIFFERENCES} <= on_the_page

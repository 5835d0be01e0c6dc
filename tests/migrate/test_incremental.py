"""Incremental exports, threads that change after their export, and estimates."""

from __future__ import annotations

import time
from pathlib import Path

import orjson
import pytest

from tests.legacy_service import LegacyService, add_threads
from tests.migrate.archive_contents import collect_source_lines, read_archive_lines
from tests.migrate.conftest import Migrate
from threadbridge_migrate.errors import UsageError
from threadbridge_migrate.export.thread_changes import parse_since

OUT = Path("archive")


def add_message(service: LegacyService, thread_id: str, *, created_at: int = 2_000_000_000) -> None:
    messages = service.messages[thread_id]
    messages.append({**messages[-1], "id": f"{messages[-1]['id']}_later", "created_at": created_at})


def list_asked_threads(service: LegacyService) -> set[str]:
    return {seen.raw_path.split("/")[3] for seen in service.requests if seen.raw_path.startswith("/v1/threads/")}


def test_a_thread_with_an_active_run_is_fetched_again(migrate: Migrate, service: LegacyService) -> None:
    ids = add_threads(service, 4)
    service.runs[ids[1]][-1]["status"] = "in_progress"
    service.runs[ids[2]][-1]["status"] = "completed"
    migrate("--ids", *ids, "--out", str(OUT))
    service.runs[ids[1]][-1]["status"] = "completed"
    add_message(service, ids[1])
    service.requests.clear()

    result = migrate("--ids", *ids, "--out", str(OUT), "--json")

    assert result.exit_code == 0
    assert orjson.loads(result.stdout)["exported"] == 1
    assert list_asked_threads(service) == {ids[1]}
    assert read_archive_lines(OUT) == collect_source_lines(service, ids)


def test_since_fetches_archived_threads_with_newer_messages_again(migrate: Migrate, service: LegacyService) -> None:
    ids = add_threads(service, 5)
    migrate("--ids", *ids, "--out", str(OUT))
    add_message(service, ids[3])

    plain = migrate("--ids", *ids, "--out", str(OUT))
    result = migrate("--ids", *ids, "--out", str(OUT), "--since", "last")

    assert (plain.exit_code, result.exit_code) == (5, 0)
    assert read_archive_lines(OUT) == collect_source_lines(service, ids)


def test_since_leaves_threads_out_that_were_idle(migrate: Migrate, service: LegacyService) -> None:
    ids = add_threads(service, 3)
    for thread_id in ids:
        service.messages[thread_id][-1]["created_at"] = 1_700_000_000
    add_message(service, ids[2])

    result = migrate("--ids", *ids, "--out", str(OUT), "--since", "2026-01-01", "--json")

    report = orjson.loads(result.stdout)
    assert (result.exit_code, report["exported"], report["skipped"]) == (0, 1, 2)
    assert read_archive_lines(OUT) == collect_source_lines(service, ids[2:])


def test_a_changed_thread_that_the_source_lost_stays_in_the_archive(migrate: Migrate, service: LegacyService) -> None:
    ids = add_threads(service, 2)
    service.runs[ids[0]][-1]["status"] = "queued"
    migrate("--ids", *ids, "--out", str(OUT))
    before = read_archive_lines(OUT)
    service.reset()

    result = migrate("--ids", *ids, "--out", str(OUT), "--since", "last")

    assert result.exit_code == 5
    assert read_archive_lines(OUT) == before


def test_a_dry_run_estimates_and_writes_nothing(migrate: Migrate, service: LegacyService) -> None:
    ids = add_threads(service, 100)

    result = migrate("--ids", *ids, "--out", str(OUT), "--dry-run", "--json")
    words = migrate("--ids", *ids, "--out", str(OUT), "--dry-run")
    service.requests.clear()
    migrate("--ids", *ids, "--out", str(OUT))

    estimate = orjson.loads(result.stdout)
    written = sum(path.stat().st_size for path in OUT.glob("*.jsonl") if path.name != "journal.jsonl")
    assert (result.exit_code, estimate["threads"], estimate["skipped"]) == (0, 100, 0)
    assert estimate["requests"] == pytest.approx(len(service.requests), rel=0.05)
    assert estimate["bytes"] == pytest.approx(written, rel=0.1)
    assert "Nothing was written" in words.stdout


def test_resume_requires_an_archive(migrate: Migrate) -> None:
    result = migrate("--ids", "thread_1", "--out", str(OUT), "--resume")

    assert (result.exit_code, OUT.exists()) == (4, False)
    assert "is not an archive" in result.stderr


def test_times_are_dates_ages_or_the_last_export(tmp_path: Path) -> None:
    now = time.time()

    assert parse_since("2026-11-01", tmp_path, now) == 1793491200
    assert parse_since("2026-11-01T12:00:00+01:00", tmp_path, now) == 1793491200 + 11 * 3600
    assert parse_since("7d", tmp_path, now) == int(now) - 7 * 86400
    for text in ("yesterday", "last"):
        with pytest.raises(UsageError, match="--since"):
            parse_since(text, tmp_path, now)

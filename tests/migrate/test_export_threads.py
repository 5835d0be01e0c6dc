"""`migrate export-threads` on a legacy service."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import orjson
import pytest

from tests.legacy_service import InjectedFault, LegacyService, add_threads, make_error_body
from tests.migrate.archive_contents import (
    NO_FILES,
    collect_source_lines,
    load_manifest,
    read_archive_lines,
    read_errors,
)
from tests.migrate.conftest import Migrate
from threadbridge_migrate.archive.reader import OBJECT_PARTS, Archive, Part

OUT = Path("archive")


def test_an_archive_holds_every_object_as_the_source_sent_it(migrate: Migrate, service: LegacyService) -> None:
    ids = add_threads(service, 12)

    result = migrate("--ids", *ids, "--out", str(OUT))

    assert result.exit_code == 0
    assert read_archive_lines(OUT) == collect_source_lines(service, ids)
    assert read_errors(OUT) == []


def test_messages_stand_oldest_first_and_beyond_one_page(migrate: Migrate, service: LegacyService) -> None:
    add_threads(service, 1, messages=250)

    migrate("--ids", "thread_00000", "--out", str(OUT))

    messages = Archive.open(OUT).read_part(Part.MESSAGES)
    assert [message["id"] for message in messages] == [f"msg_00000_{n:03}" for n in range(250)]


def test_the_steps_of_many_runs_stand_in_the_order_of_the_runs(migrate: Migrate, service: LegacyService) -> None:
    add_threads(service, 1)
    service.runs["thread_00000"] = [{"id": f"run_{n}", "assistant_id": "asst_0"} for n in range(230)]
    service.steps = {f"run_{n}": [{"id": f"step_{n}", "run_id": f"run_{n}"}] for n in range(230)}

    migrate("--ids", "thread_00000", "--out", str(OUT))

    assert [step["id"] for step in Archive.open(OUT).read_part(Part.STEPS)] == [f"step_{n}" for n in range(230)]


def test_the_manifest_counts_and_hashes_every_file(migrate: Migrate, service: LegacyService, url: str) -> None:
    ids = add_threads(service, 4)

    migrate("--ids", *ids, "--out", str(OUT))

    written = load_manifest(OUT)
    assert (written["format"], written["version"], written["state"]) == ("threadbridge-archive", 2, "complete")
    assert written["source"] == {"backend": "assistants", "base_url": url}
    assert written["counts"] == {
        "assistants": 3,
        "threads": 4,
        "messages": 12,
        "runs": 8,
        "steps": 16,
        **NO_FILES,
        "errors": 0,
    }
    assert written["files"] == {
        part.filename: {
            "bytes": (OUT / part.filename).stat().st_size,
            "sha256": hashlib.sha256((OUT / part.filename).read_bytes()).hexdigest(),
        }
        for part in Part
    }


def test_a_thread_that_does_not_exist_is_recorded_and_the_rest_goes_on(
    migrate: Migrate, service: LegacyService
) -> None:
    ids = add_threads(service, 3)

    result = migrate("--ids", ids[0], "thread_nope", *ids[1:], "--out", str(OUT))

    assert result.exit_code == 1
    assert read_archive_lines(OUT) == collect_source_lines(service, ids)
    assert read_errors(OUT) == [
        {
            "kind": "thread",
            "id": "thread_nope",
            "status": 404,
            "type": "invalid_request_error",
            "param": None,
            "code": None,
            "message": "No thread found with id 'thread_nope'.",
            "request_id": "req_404",
        }
    ]
    assert "1 could not be exported (1 with status 404); see archive/errors.jsonl" in result.stderr


def test_a_failure_half_way_through_a_thread_leaves_no_line_of_it(migrate: Migrate, service: LegacyService) -> None:
    ids = add_threads(service, 3)
    service.faults.append(InjectedFault("/thread_00001/messages", 500, make_error_body("Oops."), times=99))

    result = migrate("--ids", *ids, "--out", str(OUT))

    assert result.exit_code == 1
    assert read_archive_lines(OUT) == collect_source_lines(service, [ids[0], ids[2]])
    assert [(error["id"], error["status"], error["message"]) for error in read_errors(OUT)] == [(ids[1], 500, "Oops.")]


@pytest.mark.parametrize(
    ("path", "kind", "error_id", "missing_parts"),
    [
        ("/runs/run_00001_1/steps", "steps", "thread_00001/run_00001_1", {"steps"}),
        ("/thread_00001/runs", "runs", "thread_00001", {"assistants", "runs", "steps"}),
    ],
)
def test_a_thread_whose_runs_or_steps_cannot_be_read_keeps_everything_else(
    migrate: Migrate, service: LegacyService, path: str, kind: str, error_id: str, missing_parts: set[str]
) -> None:
    ids = add_threads(service, 3)
    service.faults.append(InjectedFault(path, 500, make_error_body("Oops."), times=99))

    first = migrate("--ids", *ids, "--out", str(OUT))
    everything = collect_source_lines(service, ids)
    differing_parts = {part for part, lines in read_archive_lines(OUT).items() if lines != everything[part]}
    errors = [(error["kind"], error["id"], error["message"]) for error in read_errors(OUT)]
    again = migrate("--ids", *ids, "--out", str(OUT))
    service.faults.clear()
    last = migrate("--ids", *ids, "--out", str(OUT))

    assert differing_parts == missing_parts
    assert errors == [(kind, error_id, "Oops.")]
    assert (first.exit_code, again.exit_code, last.exit_code) == (1, 1, 0)
    assert read_archive_lines(OUT) == everything
    assert read_errors(OUT) == []


def test_a_damaged_thread_whose_steps_were_read_later_is_read_once(migrate: Migrate, service: LegacyService) -> None:
    ids = add_threads(service, 3)
    service.faults.append(InjectedFault("/runs/run_00001_1/steps", 500, make_error_body("Oops."), times=3))
    for _ in range(2):
        migrate("--ids", *ids, "--out", str(OUT))
    messages = OUT / "messages.jsonl"
    messages.write_bytes(messages.read_bytes().replace(b"msg_00001_000", b"msg_00001_XXX"))

    result = migrate("--ids", *ids, "--out", str(OUT))

    assert result.exit_code == 0
    assert read_archive_lines(OUT) == collect_source_lines(service, ids)


@pytest.mark.parametrize("suffix", ["/messages", "/runs", "/steps"])
@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"data":null}',
        b'{"data":{}}',
        b'{"data":[1]}',
        b'{"data":[{}]}',
        b'{"data":[{"id":7}]}',
        b'{"data":[{"id":"x","assistant_id":["a"]}],"has_more":false}',
        b'{"data":[{"id":"x","deep":' + b"[" * 400 + b"]" * 400 + b"}]}",
    ],
)
def test_a_page_of_any_shape_is_an_error_of_its_thread(
    migrate: Migrate, service: LegacyService, suffix: str, body: bytes
) -> None:
    ids = add_threads(service, 2)
    service.faults.append(
        InjectedFault(f"/{ids[1] if suffix != '/steps' else 'run_00001_0'}{suffix}", 200, body, times=99)
    )

    result = migrate("--ids", *ids, "--out", str(OUT))

    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert result.exit_code == (0 if b"assistant_id" in body else 1)
    assert collect_source_lines(service, ids[:1])["messages"][0] in read_archive_lines(OUT)["messages"]


def test_only_the_owner_can_read_an_archive(migrate: Migrate, service: LegacyService) -> None:
    ids = add_threads(service, 2)
    umask = os.umask(0)
    try:
        migrate("--ids", *ids, "--out", str(OUT))
    finally:
        os.umask(umask)

    assert OUT.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in OUT.iterdir()} == {0o600}


def test_a_failure_that_passes_is_not_noticed(migrate: Migrate, service: LegacyService) -> None:
    ids = add_threads(service, 3)
    service.faults += [
        InjectedFault("/messages", 503, make_error_body("Later.")),
        InjectedFault("/runs", 429, make_error_body("Slow down."), headers={"retry-after": "0.05"}),
        InjectedFault("/asst_1", 500, make_error_body("Oops.")),
    ]

    result = migrate("--ids", *ids, "--out", str(OUT), "--json")

    assert result.exit_code == 0
    assert read_archive_lines(OUT) == collect_source_lines(service, ids)
    assert orjson.loads(result.stdout)["repeated_requests"] == 3


def test_an_assistant_is_asked_for_once(migrate: Migrate, service: LegacyService) -> None:
    ids = add_threads(service, 30)

    migrate("--ids", *ids, "--out", str(OUT))

    asked = [seen.raw_path for seen in service.requests if "/assistants/" in seen.raw_path]
    assert sorted(asked) == [f"/v1/assistants/asst_{n}" for n in range(3)]


def test_an_assistant_that_was_deleted_is_no_failure_of_its_threads(migrate: Migrate, service: LegacyService) -> None:
    ids = add_threads(service, 3)
    del service.assistants["asst_1"]

    result = migrate("--ids", *ids, "--out", str(OUT))

    assert result.exit_code == 0
    assert read_archive_lines(OUT) == collect_source_lines(service, ids)
    assert load_manifest(OUT)["missing_assistants"] == ["asst_1"]


def test_an_assistant_that_could_not_be_had_is_asked_for_again_by_the_next_export(
    migrate: Migrate, service: LegacyService
) -> None:
    ids = add_threads(service, 3)
    service.faults.append(InjectedFault("/asst_1", 500, make_error_body("Oops."), times=3))

    first = migrate("--ids", *ids, "--out", str(OUT))
    failed = [(error["kind"], error["id"]) for error in read_errors(OUT)]
    second = migrate("--ids", *ids, "--out", str(OUT))

    assert (first.exit_code, second.exit_code) == (1, 0)
    assert failed == [("assistant", "asst_1")]
    assert read_archive_lines(OUT) == collect_source_lines(service, ids)


def test_no_more_requests_are_under_way_than_allowed(migrate: Migrate, service: LegacyService) -> None:
    ids = add_threads(service, 20)
    service.latency = 0.005

    migrate("--ids", *ids, "--out", str(OUT), "--concurrency", "6")

    assert service.max_in_flight == 6


def test_an_export_of_everything_takes_what_the_source_lists(migrate: Migrate, service: LegacyService) -> None:
    ids = add_threads(service, 120, messages=1)

    result = migrate("--out", str(OUT), "--set", "assistants.list_threads=true")

    assert result.exit_code == 0
    assert read_archive_lines(OUT) == collect_source_lines(service, ids)


def test_a_source_that_cannot_list_its_threads_wants_ids(migrate: Migrate, service: LegacyService) -> None:
    result = migrate("--out", str(OUT))

    assert result.exit_code == 2
    assert "name them with --ids" in result.stderr
    assert service.requests == []


def test_a_refused_key_ends_the_export_early_and_says_what_to_do(migrate: Migrate, service: LegacyService) -> None:
    ids = add_threads(service, 100)
    service.faults.append(InjectedFault("", 401, make_error_body("Incorrect API key provided."), times=10_000))

    result = migrate("--ids", *ids, "--out", str(OUT), "--concurrency", "4")

    assert result.exit_code == 3
    assert "Stopped early. Incorrect API key provided. Next: set a key that the source accepts" in result.stderr
    assert len(service.requests) < 60
    assert {error["status"] for error in read_errors(OUT)} == {401}


def test_a_key_that_is_refused_where_threads_are_listed_is_told_with_the_next_step(
    migrate: Migrate, service: LegacyService
) -> None:
    service.faults.append(InjectedFault("", 401, make_error_body("Incorrect API key provided."), times=10_000))

    result = migrate("--set", "assistants.list_threads=true", "--out", str(OUT))

    assert result.exit_code == 3
    assert result.stderr.splitlines()[-1].startswith(
        "migrate: Incorrect API key provided. Next: set a key that the source accepts"
    )


def test_a_service_without_the_api_is_said_to_be_one(migrate: Migrate, service: LegacyService) -> None:
    service.faults.append(InjectedFault("", 404, b"<html>", times=10_000))

    result = migrate("--ids", "thread_1", "--out", str(OUT))

    assert result.exit_code == 1
    assert "no longer has the Assistants API" in result.stderr


def test_an_unreachable_source_is_named_with_the_next_step(migrate: Migrate) -> None:
    result = migrate("--ids", "thread_1", "--out", str(OUT), source="http://127.0.0.1:1/v1")

    assert result.exit_code == 1
    assert "127.0.0.1:1 could not be reached" in result.stderr
    assert "then run the same command again" in result.stderr


def test_a_finished_export_says_so_and_asks_for_nothing(migrate: Migrate, service: LegacyService) -> None:
    ids = add_threads(service, 3)
    migrate("--ids", *ids, "--out", str(OUT))
    before = {path.name: path.read_bytes() for path in OUT.iterdir()}
    service.requests.clear()

    result = migrate("--ids", *ids, "--out", str(OUT))

    assert result.exit_code == 5
    assert "archive is already complete" in result.stderr
    assert service.requests == []
    assert {path.name: path.read_bytes() for path in OUT.iterdir()} == before


def test_an_archive_is_extended_and_its_failures_are_tried_again(migrate: Migrate, service: LegacyService) -> None:
    ids = add_threads(service, 4)
    late = service.threads.pop(ids[1])
    migrate("--ids", *ids[:2], "--out", str(OUT))
    service.threads[ids[1]] = late

    result = migrate("--ids", *ids, "--out", str(OUT), "--json")

    report = orjson.loads(result.stdout)
    assert (result.exit_code, report["exported"], report["skipped"], report["failed"]) == (0, 3, 1, 0)
    assert read_archive_lines(OUT) == collect_source_lines(service, ids)
    assert read_errors(OUT) == []


def test_a_failure_that_nobody_asked_about_again_stays_recorded(migrate: Migrate, service: LegacyService) -> None:
    ids = add_threads(service, 1)
    migrate("--ids", "thread_nope", "--out", str(OUT))

    result = migrate("--ids", *ids, "--out", str(OUT))

    assert result.exit_code == 1
    assert [error["id"] for error in read_errors(OUT)] == ["thread_nope"]
    assert read_archive_lines(OUT) == collect_source_lines(service, ids)


def test_another_source_is_refused_in_the_same_directory(migrate: Migrate, service: LegacyService) -> None:
    ids = add_threads(service, 1)
    migrate("--ids", *ids, "--out", str(OUT))
    before = read_archive_lines(OUT)

    result = migrate("--ids", *ids, "--out", str(OUT), source="http://127.0.0.1:1/v1")

    assert result.exit_code == 2
    assert "holds an export of another source" in result.stderr
    assert read_archive_lines(OUT) == before


def test_a_directory_with_something_else_in_it_is_left_alone(migrate: Migrate, service: LegacyService) -> None:
    OUT.mkdir()
    (OUT / "threads.jsonl").write_text("mine")

    result = migrate("--ids", "thread_1", "--out", str(OUT))

    assert result.exit_code == 2
    assert "is not empty and is not an archive" in result.stderr
    assert [path.name for path in OUT.iterdir()] == ["threads.jsonl"]


def test_a_place_that_cannot_be_written_is_named(migrate: Migrate) -> None:
    OUT.write_text("a file")

    result = migrate("--ids", "thread_1", "--out", str(OUT))

    assert result.exit_code == 4
    assert result.stderr.splitlines()[-1] == "migrate: archive: File exists; fix this or choose another path."


def test_the_json_summary_is_one_object_on_stdout(migrate: Migrate, service: LegacyService) -> None:
    ids = add_threads(service, 2)

    result = migrate("--ids", *ids, "thread_nope", "--out", str(OUT), "--json")

    report = orjson.loads(result.stdout)
    seconds = report.pop("seconds")
    assert report == {
        "out": "archive",
        "state": "incomplete",
        "exported": 2,
        "skipped": 0,
        "failed": 1,
        "missing_assistants": 0,
        "missing_files": 0,
        "repeated_requests": 0,
        "stopped": False,
        "trouble": None,
        "failures": {"404": 1},
        "archive": {"assistants": 2, "threads": 2, "messages": 6, "runs": 4, "steps": 8, "errors": 1, **NO_FILES},
    }
    assert 0 < seconds < 60


@pytest.mark.parametrize("part", OBJECT_PARTS[:5])
@pytest.mark.parametrize("options", [(), ("--quiet",)])
def test_a_damaged_part_is_named_and_fetched_again(
    migrate: Migrate, service: LegacyService, part: Part, options: tuple[str, ...]
) -> None:
    ids = add_threads(service, 5)
    assert migrate("--ids", *ids, "--out", str(OUT)).exit_code == 0
    os.truncate(OUT / part.filename, (OUT / part.filename).stat().st_size - 10)

    result = migrate("--ids", *ids, "--out", str(OUT), *options)

    assert result.exit_code == 0
    assert f"{part.filename} differs from what the export wrote: 1 thread or assistant " in result.stderr
    assert read_archive_lines(OUT) == collect_source_lines(service, ids)
    assert load_manifest(OUT)["state"] == "complete"


def test_a_damaged_thread_is_fetched_again_with_the_requested_ones(migrate: Migrate, service: LegacyService) -> None:
    ids = add_threads(service, 4)
    migrate("--ids", *ids[:3], "--out", str(OUT))
    (OUT / "messages.jsonl").unlink()

    result = migrate("--ids", ids[3], "--out", str(OUT), "--json")

    assert result.exit_code == 0
    assert orjson.loads(result.stdout)["damage"].startswith("messages.jsonl differs")
    assert read_archive_lines(OUT) == collect_source_lines(service, ids)


def test_a_damaged_thread_that_the_source_no_longer_has_leaves_the_archive_incomplete(
    migrate: Migrate, service: LegacyService
) -> None:
    ids = add_threads(service, 3)
    migrate("--ids", *ids, "--out", str(OUT), "--concurrency", "1")
    os.truncate(OUT / "messages.jsonl", (OUT / "messages.jsonl").stat().st_size - 10)
    damaged = (OUT / "messages.jsonl").read_bytes()
    service.reset()

    result = migrate("--ids", *ids, "--out", str(OUT))

    assert result.exit_code == 1
    assert load_manifest(OUT)["state"] == "incomplete"
    assert load_manifest(OUT)["counts"]["threads"] == 2
    assert (OUT / "messages.jsonl.damaged").read_bytes() == damaged


def test_ids_come_from_standard_input(migrate: Migrate, service: LegacyService) -> None:
    ids = add_threads(service, 3)

    result = migrate("--ids", "-", "--out", str(OUT), stdin="# mine\n" + "\n".join(ids))

    assert result.exit_code == 0
    assert read_archive_lines(OUT) == collect_source_lines(service, ids)


def test_a_long_thread_waits_on_disk_and_arrives_whole(migrate: Migrate, service: LegacyService) -> None:
    ids = add_threads(service, 2, messages=120, text=lambda n: f"{n} " * 2000)

    migrate("--ids", *ids, "--out", str(OUT))

    assert read_archive_lines(OUT) == collect_source_lines(service, ids)

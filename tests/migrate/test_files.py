"""Files, their contents and vector stores that threads reference."""

from __future__ import annotations

import os
from pathlib import Path

import orjson
import pytest

from tests.legacy_service import InjectedFault, LegacyService, add_threads, make_error_body
from tests.migrate.archive_contents import collect_source_lines, load_manifest, read_archive_lines, read_errors
from tests.migrate.conftest import Migrate
from threadbridge.api_types import JsonObject
from threadbridge_migrate.export.references import References

OUT = Path("archive")


def add_files(service: LegacyService, threads: int = 3) -> list[str]:
    """Threads that reference files in every way, and a vector store with two files."""
    ids = add_threads(service, threads)
    for name in ("attached", "image", "cited", "code", "stored_1", "stored_2", "of_assistant", "uploaded"):
        file: JsonObject = {"id": f"file-{name}", "object": "file", "filename": f"{name}.txt", "purpose": "user_data"}
        service.files[f"file-{name}"] = (file, f"bytes of {name} \x00\xff".encode("latin-1") * 5000)
    service.files["file-uploaded"] = (service.files["file-uploaded"][0], None)
    service.vector_stores["vs_1"] = (
        {"id": "vs_1", "object": "vector_store", "name": "notes"},
        [{"id": f"file-stored_{n}", "object": "vector_store.file", "vector_store_id": "vs_1"} for n in (1, 2)],
    )
    service.threads[ids[0]]["tool_resources"] = {"file_search": {"vector_store_ids": ["vs_1"]}}
    first, second, third = service.messages[ids[1]]
    first["attachments"] = [{"file_id": "file-attached", "tools": []}]
    second["content"].append({"type": "image_file", "image_file": {"file_id": "file-image", "detail": "auto"}})
    citation = {"type": "file_citation", "text": "x", "file_citation": {"file_id": "file-cited"}}
    third["content"][0]["text"]["annotations"].append(citation)
    output = {"type": "image", "image": {"file_id": "file-code"}}
    call = {"type": "code_interpreter", "code_interpreter": {"input": "1", "outputs": [output]}}
    service.steps[service.runs[ids[1]][0]["id"]][0]["step_details"] = {"type": "tool_calls", "tool_calls": [call]}
    resources = {"code_interpreter": {"file_ids": ["file-of_assistant", "file-uploaded"]}}
    service.assistants["asst_0"]["tool_resources"] = resources
    return ids


def test_everything_that_threads_reference_is_exported_once(migrate: Migrate, service: LegacyService) -> None:
    ids = add_files(service)

    result = migrate("--ids", *ids, "--out", str(OUT))

    assert result.exit_code == 0
    assert read_archive_lines(OUT) == collect_source_lines(service, ids)
    for file_id, (_, content) in service.files.items():
        path = OUT / "contents" / file_id
        assert (path.read_bytes() if path.exists() else None) == content
    asked = [seen.raw_path for seen in service.requests if "/files" in seen.raw_path]
    assert len(asked) == len(set(asked))
    assert load_manifest(OUT)["state"] == "complete"


def test_without_files_nothing_is_asked_about_them(migrate: Migrate, service: LegacyService) -> None:
    ids = add_files(service)

    result = migrate("--ids", *ids, "--out", str(OUT), "--no-files")

    assert result.exit_code == 0
    assert not any("files" in seen.raw_path or "vector" in seen.raw_path for seen in service.requests)


def test_a_deleted_file_is_missing_and_no_failure_of_its_thread(migrate: Migrate, service: LegacyService) -> None:
    ids = add_files(service)
    del service.files["file-image"]
    del service.vector_stores["vs_1"]
    del service.files["file-stored_1"], service.files["file-stored_2"]

    result = migrate("--ids", *ids, "--out", str(OUT), "--json")

    assert result.exit_code == 0
    assert orjson.loads(result.stdout)["missing_files"] == 2
    assert read_archive_lines(OUT) == collect_source_lines(service, ids)


def test_a_file_that_fails_is_an_error_of_its_own_and_tried_again(migrate: Migrate, service: LegacyService) -> None:
    ids = add_files(service)
    service.faults.append(InjectedFault("/file-image/content", 500, make_error_body("Oops."), times=3))

    first = migrate("--ids", *ids, "--out", str(OUT))
    failed = [(error["kind"], error["id"]) for error in read_errors(OUT)]
    assert not list((OUT / "contents").glob("*.new"))
    second = migrate("--ids", *ids, "--out", str(OUT))

    assert (first.exit_code, second.exit_code) == (1, 0)
    assert failed == [("file", "file-image")]
    assert read_archive_lines(OUT) == collect_source_lines(service, ids)


@pytest.mark.parametrize("part", ["files", "contents", "vector_stores", "vector_store_files"])
def test_a_damaged_part_of_files_is_fetched_again(migrate: Migrate, service: LegacyService, part: str) -> None:
    ids = add_files(service)
    migrate("--ids", *ids, "--out", str(OUT))
    os.truncate(OUT / f"{part}.jsonl", (OUT / f"{part}.jsonl").stat().st_size - 10)

    result = migrate("--ids", *ids, "--out", str(OUT))

    assert result.exit_code == 0
    assert read_archive_lines(OUT) == collect_source_lines(service, ids)


def test_ids_are_taken_from_keys_and_not_from_texts_or_paths() -> None:
    references = References()
    text = '{"file_id": "file-in-text"} "file_id":"file-in-text"'

    references.note([{"id": "x", "text": text, "file_id": "../../etc", "file_ids": ["file-1", "..", "file_2.csv"]}])  # type: ignore[typeddict-unknown-key]

    assert references.files == {"file-1", "file_2.csv"}

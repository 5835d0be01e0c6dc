"""Files and vector stores of an archive at the service of the store: uploaded once, and named by their new ids."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from tests.asgi_server import serve_app
from tests.migrate.load.quirky_threads import ThreadParts, make_message, make_thread, write_archive
from threadbridge.api_types import JsonMapping, JsonObject
from threadbridge.errors import UpstreamError
from threadbridge_adapters.simulator import SimulatedUpstream, Simulator
from threadbridge_adapters.simulator import app as build_app
from threadbridge_adapters.stores import open_store
from threadbridge_migrate.archive.reader import Archive, Part
from threadbridge_migrate.archive.record_buffer import RecordBuffer
from threadbridge_migrate.archive.writer import ArchiveWriter
from threadbridge_migrate.cli.application import app
from threadbridge_migrate.load.file_uploads import FileUploads, UploadReport, choose_filename
from threadbridge_migrate.load.id_ledger import get_ledger_path, read_ledger
from threadbridge_migrate.load.loader import LoadOptions, LoadReport, load_archive

TENANT = "default"
ASSISTANT: JsonObject = {
    "id": "asst_files",
    "object": "assistant",
    "created_at": 1,
    "model": "gpt-4o",
    "tools": [{"type": "file_search"}],
    "tool_resources": {"file_search": {"vector_store_ids": ["vs_old"]}},
}
FILES = {
    "file-notes": ("notes", b"The key is under the mat.\n"),
    "file-chart": ("chart.png", b"\x89PNG\r\n\x1a\n" + bytes(100)),
    "file-cited": ("../etc/cited.md", "# Über".encode()),
}


async def wait_no_time(_seconds: float) -> None:
    """Instead of pauses."""
    await asyncio.sleep(0)


def write_archive_with_files(path: Path) -> Archive:
    """A thread that names files in every way, an assistant with a vector store, and a file without content."""
    citation = {"type": "file_citation", "text": "x", "file_citation": {"file_id": "file-cited"}}
    text = {"type": "text", "text": {"value": "x", "annotations": [citation]}}
    image = {"type": "image_file", "image_file": {"file_id": "file-chart", "detail": "auto"}}
    attachment = {"file_id": "file-notes", "tools": [{"type": "file_search"}]}
    messages = [
        make_message("thread_f", 0, "Read", attachments=[attachment], metadata={"file": "file-notes"}),
        make_message("thread_f", 1, [text, image], role="assistant"),
    ]
    resources = {"code_interpreter": {"file_ids": ["file-notes"]}, "file_search": {"vector_store_ids": ["vs_old"]}}
    thread = make_thread("thread_f", tool_resources=resources)
    other: ThreadParts = (make_thread("thread_other"), [make_message("thread_other", 0, "Hi")], [], [])
    write_archive(path, [(thread, messages, [], []), other], assistants=[ASSISTANT])
    folder = path / "contents"
    folder.mkdir()
    with ArchiveWriter(path, source={"backend": "test"}, options={}) as writer:
        for file_id, (name, content) in FILES.items():
            (folder / file_id).write_bytes(content)
            record = {"id": file_id, "path": f"contents/{file_id}", "bytes": len(content)}
            with RecordBuffer("file", file_id) as buffer:
                buffer.add(Part.FILES, [{"id": file_id, "object": "file", "filename": name, "purpose": "assistants"}])
                buffer.add(Part.CONTENTS, [{**record, "sha256": hashlib.sha256(content).hexdigest()}])
                writer.commit([buffer])
        with RecordBuffer("vector_store", "vs_old") as buffer:
            buffer.add(Part.VECTOR_STORES, [{"id": "vs_old", "name": "Notes", "metadata": {"a": "1"}}])
            strategy = {"type": "static", "static": {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 50}}
            files = [
                {"id": "file-notes", "vector_store_id": "vs_old", "chunking_strategy": strategy},
                {"id": "file-cited", "vector_store_id": "vs_old", "attributes": {"kind": "md"}},
            ]
            buffer.add(Part.VECTOR_STORE_FILES, files)
            writer.commit([buffer])
        writer.finish()
    return Archive.open(path)


async def load(archive: Archive, store: Path, ids: Mapping[str, str]) -> LoadReport:
    opened = await open_store(f"sqlite:///{store}")
    try:
        return await load_archive(archive, opened, LoadOptions(tenant=TENANT, ids=ids))
    finally:
        await opened.aclose()


async def upload(archive: Archive, upstream: SimulatedUpstream) -> UploadReport:
    return await FileUploads(archive, upstream, wait=wait_no_time).run()


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return write_archive_with_files(tmp_path / "archive")


async def test_uploaded_files_have_their_bytes_and_a_name_that_services_accept(archive: Archive) -> None:
    upstream = SimulatedUpstream(Simulator())

    report = await upload(archive, upstream)

    assert (report.files, report.vector_stores, report.losses) == (3, 1, [])
    names = {old: (await upstream.request("GET", f"/files/{report.ids[old]}"))["filename"] for old in FILES}
    assert names == {"file-notes": "notes.txt", "file-chart": "chart.png", "file-cited": "cited.md"}
    files = await upstream.request("GET", "/files?limit=100")
    assert {each["bytes"] for each in files["data"]} == {len(content) for _, content in FILES.values()}


async def test_a_vector_store_gets_its_files_with_strategy_and_attributes(archive: Archive) -> None:
    upstream = SimulatedUpstream(Simulator())

    report = await upload(archive, upstream)

    created = await upstream.request("GET", f"/vector_stores/{report.ids['vs_old']}")
    listed = await upstream.request("GET", f"/vector_stores/{report.ids['vs_old']}/files")
    files = {each["id"]: each for each in listed["data"]}
    assert (created["name"], created["metadata"], created["file_counts"]["completed"]) == ("Notes", {"a": "1"}, 2)
    assert files[report.ids["file-notes"]]["chunking_strategy"]["static"]["max_chunk_size_tokens"] == 200
    assert files[report.ids["file-cited"]]["attributes"] == {"kind": "md"}


async def test_a_second_load_uploads_nothing(archive: Archive) -> None:
    upstream = SimulatedUpstream(Simulator())
    first = await upload(archive, upstream)

    second = await upload(archive, upstream)

    assert (second.files, second.vector_stores, second.ids) == (0, 0, first.ids)


@pytest.mark.parametrize("lines", range(6))
async def test_an_upload_that_was_killed_continues(archive: Archive, lines: int) -> None:
    upstream = SimulatedUpstream(Simulator())
    first = await upload(archive, upstream)
    ledger = get_ledger_path(archive.path)
    ledger.write_bytes(b"".join(ledger.read_bytes().splitlines(keepends=True)[:lines]) + b'{"kind')

    second = await upload(archive, upstream)

    assert second.files == max(0, 3 - lines)
    assert second.ids.keys() == first.ids.keys()
    listed = await upstream.request("GET", f"/vector_stores/{second.ids['vs_old']}/files")
    assert sorted(each["id"] for each in listed["data"]) == sorted([second.ids["file-notes"], second.ids["file-cited"]])


async def test_the_loaded_thread_names_the_new_ids_and_metadata_stay(archive: Archive, tmp_path: Path) -> None:
    report = await upload(archive, SimulatedUpstream(Simulator()))

    await load(archive, tmp_path / "a.db", report.ids)

    stored = (await read_stored(tmp_path / "a.db")).decode()
    assert stored.count('"file-notes"') == 1  # the metadata
    assert all(old not in stored for old in ("file-chart", "file-cited", "vs_old"))
    assert all(new in stored for new in report.ids.values())


async def test_files_may_be_uploaded_after_the_threads_were_loaded(archive: Archive, tmp_path: Path) -> None:
    await load(archive, tmp_path / "a.db", {})
    report = await upload(archive, SimulatedUpstream(Simulator()))

    second = await load(archive, tmp_path / "a.db", report.ids)
    third = await load(archive, tmp_path / "a.db", report.ids)
    await load(archive, tmp_path / "b.db", report.ids)

    assert (second.threads, second.assistants) == ({"extended": 1, "unchanged": 1}, 1)
    assert (third.threads, third.assistants) == ({"unchanged": 2}, 0)
    assert await read_stored(tmp_path / "a.db") == await read_stored(tmp_path / "b.db")


async def read_stored(path: Path) -> bytes:
    """All threads and messages of a store, as one text, by thread id."""
    words = ["export-threads", "--store", f"sqlite:///{path}", "--out", f"{path}.archive"]
    result = await asyncio.to_thread(CliRunner().invoke, app, words)
    assert result.exit_code == 0, result.output
    archive = Archive.open(f"{path}.archive")
    threads = sorted(archive.read_part(Part.THREADS), key=lambda thread: str(thread["id"]))
    return orjson.dumps([threads, sorted(archive.read_part(Part.MESSAGES), key=lambda each: str(each["thread_id"]))])


async def test_what_cannot_be_uploaded_is_named(archive: Archive) -> None:
    (archive.path / "contents" / "file-chart").write_bytes(b"altered")
    (archive.path / "contents" / "file-cited").unlink()

    report = await upload(archive, SimulatedUpstream(Simulator()))

    assert report.files == 1
    assert sorted(loss.partition(":")[0] for loss in report.losses) == ["file-chart", "file-cited", "file-cited"]


class UnreliableFiles(SimulatedUpstream):
    """Half of the requests fail before they are performed."""

    def __init__(self, simulator: Simulator) -> None:
        super().__init__(simulator)
        self._random = random.Random(3)  # noqa: S311 - not for secrets

    async def request(self, method: str, path: str, body: JsonMapping | None = None) -> JsonObject:
        self._fail()
        return await super().request(method, path, body)

    async def upload(
        self, path: str, *, filename: str, content: AsyncIterator[bytes], fields: Mapping[str, str]
    ) -> JsonObject:
        self._fail()
        return await super().upload(path, filename=filename, content=content, fields=fields)

    def _fail(self) -> None:
        if self._random.random() < 0.5:
            raise UpstreamError("The server had an error", status=self._random.choice([429, 500, 503]))


async def test_transient_errors_are_retried(archive: Archive) -> None:
    report = await upload(archive, UnreliableFiles(Simulator()))

    assert (report.files, report.vector_stores, report.losses) == (3, 1, [])


@pytest.mark.parametrize(
    ("name", "content", "content_type", "expected"),
    [
        ("report.PDF", b"x", None, "report.PDF"),
        ("report", b"%PDF-1.7", "application/octet-stream", "report.pdf"),
        ("report", b"a,b\n", "text/csv", "report.csv"),
        ("notes", "naïve".encode(), None, "notes.txt"),
        ("data", b"\x00\x01", None, "data.bin"),
        ("C:\\temp\\a.txt", b"x", None, "a.txt"),
        (None, b"GIF89a", None, "file-x.gif"),
    ],
)
def test_names_of_uploads(tmp_path: Path, name: object, content: bytes, content_type: object, expected: str) -> None:
    path = tmp_path / "file-x"
    path.write_bytes(content)

    assert choose_filename(name, path, content_type) == expected


async def test_the_command_uploads_loads_and_check_finds_nothing(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THREADBRIDGE_UPSTREAM__API_KEY", "sk-test-0123456789")
    store = f"sqlite:///{tmp_path}/a.db"
    runner = CliRunner()
    async with serve_app(build_app(Simulator())) as url:
        words = ["load", str(archive.path), "--store", store, "--files", "--upstream", f"{url}/v1", "--json"]
        first = await asyncio.to_thread(runner.invoke, app, words)
        second = await asyncio.to_thread(runner.invoke, app, words)
        without = await asyncio.to_thread(runner.invoke, app, [*words[:4], "--upstream", f"{url}/v1"])
        checked = await asyncio.to_thread(runner.invoke, app, ["check", str(archive.path), store])

    report = orjson.loads(first.stdout)
    assert (first.exit_code, report["files"], report["vector_stores"], report["losses"]) == (0, 3, 1, [])
    assert (second.exit_code, without.exit_code) == (5, 5)
    assert checked.exit_code == 0, checked.output
    assert len(read_ledger(get_ledger_path(archive.path), kind="file")) == 3


async def test_a_rejected_key_ends_the_command_before_anything_is_loaded(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    store = tmp_path / "a.db"

    result = await asyncio.to_thread(
        CliRunner().invoke, app, ["load", str(archive.path), "--store", f"sqlite:///{store}", "--files"]
    )

    assert result.exit_code in (2, 3)
    assert "OPENAI_API_KEY" in result.output
    assert not store.exists()

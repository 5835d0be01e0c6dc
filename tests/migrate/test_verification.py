"""`migrate verify`: an archive as it was sealed is intact, and every change of its bytes is found."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from tests.legacy_service import LegacyService
from tests.migrate.archive_contents import collect_source_lines, read_archive_lines
from tests.migrate.conftest import Migrate
from tests.migrate.load.quirky_threads import QUIRKS, weather_thread, write_archive
from tests.migrate.load.test_file_uploads import write_archive_with_files
from tests.migrate.test_files import add_files
from threadbridge_migrate.cli.application import app

OUT = Path("archive")


def verify(path: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["verify", str(path), *words])


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = write_archive_with_files(tmp_path / "files").path
    (path / "contents").chmod(0o700)
    for file in (path / "contents").iterdir():
        file.chmod(0o600)
    return path


def test_an_archive_as_it_was_written_is_intact(archive: Path) -> None:
    result = verify(archive, "--json")

    report = orjson.loads(result.stdout)
    assert (result.exit_code, report["findings"], report["state"]) == (0, [], "complete")
    assert report["counts"]["messages"] == 3


def test_archives_of_exports_and_of_every_quirk_are_intact(
    migrate: Migrate, service: LegacyService, tmp_path: Path
) -> None:
    migrate("--ids", *add_files(service), "--out", str(OUT))
    write_archive(tmp_path / "quirks", QUIRKS.values())

    assert [verify(path).exit_code for path in (OUT, tmp_path / "quirks")] == [0, 0]


def replace_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a byte of a part": (lambda path: replace_byte(path / "messages.jsonl"), "messages.jsonl: has another SHA-256"),
    "a shorter part": (lambda path: os.truncate(path / "threads.jsonl", 10), "threads.jsonl: has 10 bytes"),
    "a part that is gone": (lambda path: (path / "runs.jsonl").unlink(), "runs.jsonl"),
    "a byte of a content": (
        lambda path: replace_byte(path / "contents" / "file-chart"),
        "another SHA-256 than contents",
    ),
    "a content that is gone": (
        lambda path: (path / "contents" / "file-chart").unlink(),
        "contents/file-chart: has 0 bytes",
    ),
    "readable by others": (lambda path: (path / "messages.jsonl").chmod(0o644), "can be read by other users"),
    "a symbolic link": (lambda path: (path / "contents" / "x").symlink_to("/etc/passwd"), "is a symbolic link"),
    "a damaged journal": (lambda path: (path / "journal.jsonl").write_bytes(b"{}\n"), "journal.jsonl"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_found_and_named(archive: Path, name: str) -> None:
    if name == "a part that is gone":
        archive = write_archive(archive.parent / "weather", [weather_thread()])
    change, message = CHANGES[name]
    change(archive)

    result = verify(archive)

    assert result.exit_code == 1
    assert message in result.output


def seal_again(path: Path, part: str, lines: bytes) -> None:
    """A hostile or careless program that changes a part and its record in the manifest."""
    import hashlib

    (path / f"{part}.jsonl").write_bytes(lines)
    manifest = orjson.loads((path / "manifest.json").read_bytes())
    manifest["files"][f"{part}.jsonl"] = {"bytes": len(lines), "sha256": hashlib.sha256(lines).hexdigest()}
    (path / "manifest.json").write_bytes(orjson.dumps(manifest))


@pytest.mark.parametrize(
    ("part", "line", "message"),
    [
        ("messages", {"id": "msg_x", "thread_id": "thread_none"}, "line 1 refers to thread_none"),
        ("messages", {"thread_id": "thread_f"}, "line 1 has no id"),
        ("messages", [1], "line 1 is not a JSON object"),
        ("contents", {"id": "file-x", "path": "../../etc/passwd", "bytes": 1}, "leads out of contents/"),
        ("contents", {"id": "file-x", "path": "/etc/passwd", "bytes": 1}, "leads out of contents/"),
        ("messages", {"id": "msg_x", "thread_id": "thread_f"}, "the manifest counts 3"),
    ],
)
def test_lines_that_contradict_the_rest_are_found(archive: Path, part: str, line: object, message: str) -> None:
    seal_again(archive, part, orjson.dumps(line) + b"\n")

    result = verify(archive)

    assert result.exit_code == 1
    assert message in result.output


def test_a_line_twice_is_found(archive: Path) -> None:
    seal_again(archive, "messages", (archive / "messages.jsonl").read_bytes() * 2)

    assert "which an earlier line has" in verify(archive).output


def test_an_archive_that_is_not_sealed_says_so(archive: Path) -> None:
    manifest = orjson.loads((archive / "manifest.json").read_bytes())
    (archive / "manifest.json").write_bytes(orjson.dumps({**manifest, "state": "exporting", "files": {}}))

    result = verify(archive)

    assert (result.exit_code, "is not sealed" in result.output) == (1, True)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"format":"x","version":2}', None])
def test_another_directory_is_no_archive(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "manifest.json").write_bytes(content)

    result = verify(tmp_path)

    assert result.exit_code == 4
    assert "Traceback" not in result.output


def test_a_content_that_is_lost_is_fetched_again(migrate: Migrate, service: LegacyService) -> None:
    ids = add_files(service)
    migrate("--ids", *ids, "--out", str(OUT))
    (OUT / "contents" / "file-image").unlink()
    os.truncate(OUT / "contents" / "file-cited", 3)
    (OUT / "contents" / "file-code.new").write_bytes(b"half")

    result = migrate("--ids", *ids, "--out", str(OUT))

    assert result.exit_code == 0, result.output
    assert (OUT / "contents" / "file-image").read_bytes() == service.files["file-image"][1]
    assert (OUT / "contents" / "file-cited").read_bytes() == service.files["file-cited"][1]
    assert not (OUT / "contents" / "file-code.new").exists()
    lines, expected = read_archive_lines(OUT), collect_source_lines(service, ids)
    assert {name: sorted(each) for name, each in lines.items()} == {
        name: sorted(each) for name, each in expected.items()
    }
    assert verify(OUT).exit_code == 0


NAMES = st.sampled_from(["manifest.json", "journal.jsonl", "threads.jsonl", "messages.jsonl", "contents.jsonl"])


@settings(max_examples=25)
@given(NAMES, st.binary(max_size=20), st.floats(0, 1), st.booleans())
def test_no_bytes_end_in_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, name: str, added: bytes, at: float, cut: bool
) -> None:
    path = tmp_path_factory.mktemp("archives") / "archive"
    write_archive_with_files(path)
    content = (path / name).read_bytes()
    position = int(at * len(content))
    (path / name).write_bytes(content[:position] + added + (b"" if cut else content[position + len(added) :]))

    results = [CliRunner().invoke(app, words) for words in (["verify", str(path)], ["summary", str(path)])]
    loaded = CliRunner().invoke(app, ["load", str(path), "--store", f"sqlite:///{path}.db"])

    for result in (*results, loaded):
        assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    shutil.rmtree(path.parent)

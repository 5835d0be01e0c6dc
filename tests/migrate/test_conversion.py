"""`migrate convert`: every format has what the archive has, and nothing in a conversation can do harm."""

from __future__ import annotations

import importlib
import re
import sqlite3
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from tests.migrate.load.quirky_threads import (
    QUIRKS,
    ThreadParts,
    make_message,
    make_thread,
    weather_thread,
    write_archive,
)
from tests.migrate.load.test_file_uploads import write_archive_with_files
from threadbridge_migrate.archive.reader import Archive, Part
from threadbridge_migrate.cli.application import app
from threadbridge_migrate.conversion.converter import FORMATS

HARM = """</script><script>document.title='HARM'</script><img src=x onerror="document.title='HARM'">"""


def convert(archive: Path, name: str, *words: str) -> Result:
    return CliRunner().invoke(app, ["convert", str(archive), "--to", name, *words])


def harmful_thread() -> ThreadParts:
    citation = {
        "type": "url_citation",
        "text": "[x]",
        "url_citation": {"url": "javascript:document.title='HARM'", "title": HARM},
    }
    content = [
        {"type": "text", "text": {"value": f"{HARM} [x]", "annotations": [citation]}},
        {"type": "image_url", "image_url": {"url": "javascript:alert(1)"}},
        {"type": "image_file", "image_file": {"file_id": "../../x.svg"}},
    ]
    thread = make_thread("thread_harm", metadata={"title": HARM, "x": "</style>"})
    return (
        thread,
        [make_message("thread_harm", 0, content), make_message("thread_harm", 1, HARM, role="assistant")],
        [],
        [],
    )


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return write_archive(tmp_path / "archive", [*QUIRKS.values(), harmful_thread()])


@pytest.mark.parametrize("name", [each.name for each in FORMATS])
def test_every_quirk_can_be_converted_and_the_files_are_private(archive: Path, tmp_path: Path, name: str) -> None:
    result = convert(archive, name)

    assert result.exit_code == 0, result.output
    out = tmp_path / f"archive-{name}"
    assert f"Converted {len(QUIRKS) + 1} threads" in result.output
    assert {path.stat().st_mode & 0o077 for path in (out, *out.rglob("*"))} == {0}


def test_tables_have_all_objects_with_texts(archive: Path, tmp_path: Path) -> None:
    convert(archive, "sqlite")

    with closing(sqlite3.connect(tmp_path / "archive-sqlite" / "threads.db")) as database:
        bodies = [orjson.loads(body) for (body,) in database.execute("SELECT body FROM messages ORDER BY rowid")]
        (text,) = database.execute(
            "SELECT text FROM messages WHERE thread_id = 'thread_weather' AND role = 'assistant'"
        ).fetchone()
    assert bodies == list(Archive.open(archive).read_part(Part.MESSAGES))
    assert text == "Warm, and cold."


def test_parquet_has_the_same_rows(archive: Path, tmp_path: Path) -> None:
    duckdb: Any = importlib.import_module("duckdb")
    convert(archive, "parquet")
    convert(archive, "sqlite")

    with closing(sqlite3.connect(tmp_path / "archive-sqlite" / "threads.db")) as database:
        for name in ("messages", "runs", "steps", "threads"):
            expected = database.execute(f"SELECT * FROM {name} ORDER BY rowid").fetchall()  # noqa: S608 - constants
            rows = duckdb.read_parquet(str(tmp_path / "archive-parquet" / f"{name}.parquet")).fetchall()
            assert rows == expected


def test_items_and_chats_have_calls_with_their_outputs(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "archive", [weather_thread()])
    convert(archive, "openai-items")
    convert(archive, "chat-jsonl")

    items = orjson.loads((tmp_path / "archive-openai-items" / "items.jsonl").read_bytes())
    chat = orjson.loads((tmp_path / "archive-chat-jsonl" / "chats.jsonl").read_bytes())

    assert items["thread_id"] == "thread_weather"
    kinds = ["message", "function_call", "function_call", "function_call_output", "function_call_output", "message"]
    assert [item["type"] for item in items["items"]] == kinds
    assert [message["role"] for message in chat["messages"]] == ["user", "assistant", "tool", "tool", "assistant"]
    assert chat["messages"][-1]["content"] == "Warm, and cold."


class Elements(HTMLParser):
    """The elements of a page with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_pages_contain_no_script_link_or_image_of_a_conversation(archive: Path, tmp_path: Path) -> None:
    convert(archive, "html")

    page = (tmp_path / "archive-html" / "threads" / "thread_harm.html").read_text()
    elements = Elements(page).found

    assert {tag for tag, _ in elements} & {"script", "img", "iframe", "object"} == set()
    assert not [attributes for _, attributes in elements if any(name.startswith("on") for name in attributes)]
    links = [str(attributes["href"]) for tag, attributes in elements if tag == "a"]
    assert all(re.match(r"https?://|\.\./", link) for link in links), links
    assert "&lt;/script&gt;" in page


def test_pages_show_images_sources_and_steps(tmp_path: Path) -> None:
    archive = write_archive_with_files(tmp_path / "archive")
    result = convert(archive.path, "html", "--out", str(tmp_path / "pages"))
    page = (tmp_path / "pages" / "threads" / "thread_f.html").read_text()

    assert result.exit_code == 0, result.output
    assert 'src="../files/file-chart.png"' in page
    assert (tmp_path / "pages" / "files" / "file-chart.png").read_bytes() == (
        archive.path / "contents" / "file-chart"
    ).read_bytes()
    assert "../etc/cited.md" in page  # the name of the file, as a text


def test_markdown_keeps_texts_and_fences_code(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "archive", [weather_thread()])
    convert(archive, "markdown")

    page = (tmp_path / "archive-markdown" / "threads" / "thread_weather.md").read_text()

    assert "Weather in Rome and Oslo?" in page
    assert '```\n{"city":"Rome"}\n```' in page
    assert "(threads/thread_weather.md)" in (tmp_path / "archive-markdown" / "README.md").read_text()


def test_nothing_appears_where_the_archive_is_damaged_or_the_directory_is_used(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "mine.txt").write_text("mine")
    used = convert(archive, "html", "--out", str(tmp_path / "used"))
    (archive / "messages.jsonl").write_bytes(b"{}\n")
    damaged = convert(archive, "html", "--out", str(tmp_path / "new"))

    assert (used.exit_code, damaged.exit_code) == (2, 4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive", "used"]


def test_a_failure_in_the_middle_leaves_nothing(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device", "threads.db")

    monkeypatch.setattr("threadbridge_migrate.conversion.html_pages._build_blocks", fail)

    result = convert(archive, "html")

    assert (result.exit_code, "No space left" in result.output) == (4, True)
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]

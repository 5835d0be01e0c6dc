"""The HTML pages of an archive in a browser: the list, its search, a conversation, on a desk and on a phone."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.migrate.load.quirky_threads import (
    ThreadParts,
    make_message,
    make_run,
    make_step,
    make_thread,
    weather_thread,
    write_archive,
)
from tests.migrate.test_conversion import harmful_thread
from threadbridge_migrate.archive.reader import Part
from threadbridge_migrate.archive.record_buffer import RecordBuffer
from threadbridge_migrate.archive.writer import ArchiveWriter
from threadbridge_migrate.cli.application import app

BROWSER = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")

DESK, PHONE = (1100, 900), (390, 844)


def make_png(width: int, height: int) -> bytes:
    """A picture with a colour gradient."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = b"".join(
        b"\0" + bytes(v for x in range(width) for v in (x * 255 // width, y * 255 // height, 160))
        for y in range(height)
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def chart_thread() -> ThreadParts:
    """A question about a file, code that drew a chart, and an answer with a source."""
    run = make_run("thread_chart", 1)
    citation = {
        "type": "file_citation",
        "text": "【4:0†sales.csv】",
        "start_index": 40,
        "end_index": 57,
        "file_citation": {"file_id": "file-sales", "quote": "Q3, 41"},
    }
    text = {"value": "Sales grew in every quarter, most in the third【4:0†sales.csv】.", "annotations": [citation]}
    answer = make_message(
        "thread_chart",
        9,
        [{"type": "image_file", "image_file": {"file_id": "file-chart"}}, {"type": "text", "text": text}],
        role="assistant",
        run_id=run["id"],
        assistant_id="asst_sales",
    )
    code = {"input": "import pandas\nframe.plot()", "outputs": [{"type": "logs", "logs": "4 rows"}]}
    call = {"type": "tool_calls", "tool_calls": [{"id": "c", "type": "code_interpreter", "code_interpreter": code}]}
    question = make_message(
        "thread_chart", 0, "Draw the sales of last year, please.", attachments=[{"file_id": "file-sales"}]
    )
    thread = make_thread("thread_chart", metadata={"customer": "Ada"})
    return thread, [question, answer], [run], [make_step(run, 1, call)]


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    many: list[ThreadParts] = [
        (make_thread(f"thread_{n:03}"), [make_message(f"thread_{n:03}", 0, f"Question number {n}")], [], [])
        for n in range(250)
    ]
    assistant = {"id": "asst_sales", "object": "assistant", "name": "Sales analyst", "model": "gpt-4o"}
    archive = write_archive(
        tmp_path / "archive", [chart_thread(), weather_thread(), harmful_thread(), *many], assistants=[assistant]
    )
    (archive / "contents").mkdir(mode=0o700)
    picture = make_png(320, 120)
    (archive / "contents" / "file-chart").write_bytes(picture)
    with ArchiveWriter(archive, source={"backend": "test"}, options={}) as writer:
        for file_id, name in (("file-chart", "chart.png"), ("file-sales", "sales.csv")):
            with RecordBuffer("file", file_id) as buffer:
                buffer.add(Part.FILES, [{"id": file_id, "filename": name}])
                if file_id == "file-chart":
                    record = {"id": file_id, "path": f"contents/{file_id}", "bytes": len(picture)}
                    buffer.add(Part.CONTENTS, [record])
                writer.commit([buffer])
        writer.finish()
    result = CliRunner().invoke(app, ["convert", str(archive), "--to", "html", "--out", str(tmp_path / "pages")])
    assert result.exit_code == 0, result.output
    return tmp_path / "pages"


def open_page(url: str, profile: Path, *options: str, size: tuple[int, int] = DESK) -> str:
    assert BROWSER is not None
    command = [
        *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
        *("--disable-component-update", "--disable-sync", "--disable-quic", "--hide-scrollbars"),
        *(f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}", "--virtual-time-budget=2000"),
        *(*options, url),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def test_the_list_is_built_and_conversations_do_no_harm(pages: Path, tmp_path: Path) -> None:
    index = open_page(f"file://{pages}/index.html", tmp_path / "profile", "--dump-dom")
    harmful = open_page(f"file://{pages}/threads/thread_harm.html", tmp_path / "profile", "--dump-dom")

    assert index.count("<li>") == 200
    assert "253 threads" in index
    assert "&lt;/script&gt;" in index
    assert "<title>HARM</title>" not in index + harmful


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_pages_are_shown_with_images_and_not_wider_than_the_screen(
    pages: Path, tmp_path: Path, size: tuple[int, int]
) -> None:
    for page in ("index.html", "threads/thread_chart.html", "threads/thread_weather.html"):
        picture = tmp_path / f"{page.replace('/', '-')}-{size[0]}.png"
        open_page(f"file://{pages}/{page}", tmp_path / "profile", f"--screenshot={picture}", size=size)
        width, height = struct.unpack(">II", picture.read_bytes()[16:24])
        assert (width, height) == size

    page = (pages / "threads" / "thread_chart.html").read_text()
    assert re.search(r'<img src="\.\./files/file-chart\.png"', page)

"""Which threads are exported, and what an archive says about where they came from."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from threadbridge.settings import AssistantsSettings, Settings
from threadbridge_migrate.errors import UsageError
from threadbridge_migrate.export.sources import describe_source, read_ids

NOTHING = io.StringIO()


def test_files_may_hold_comments_blank_lines_quotes_commas_and_duplicates(tmp_path: Path) -> None:
    file = tmp_path / "ids.txt"
    text = "\ufeff# all of them\n\nthread_1  # the first\n\"thread_2\",\r\n'thread_1'\n   thread_3   \n"
    file.write_text(text, encoding="utf-8")

    assert read_ids([str(file)], NOTHING) == ["thread_1", "thread_2", "thread_3"]


def test_words_may_be_files_standard_input_and_ids_in_any_order(tmp_path: Path) -> None:
    file = tmp_path / "ids.txt"
    file.write_text("thread_1\nthread_2\n")

    ids = read_ids(["thread_9", "-", str(file)], io.StringIO("thread_2\nthread_5\n"))

    assert ids == ["thread_9", "thread_2", "thread_5", "thread_1"]


def test_a_line_that_is_no_id_is_named(tmp_path: Path) -> None:
    file = tmp_path / "ids.txt"
    file.write_text("thread_1\nthread_2 thread_3\n")

    with pytest.raises(UsageError, match=r"ids\.txt, line 2: 'thread_2 thread_3' is not a thread id"):
        read_ids([str(file)], NOTHING)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match=r"'missing/ids\.txt' is neither a file nor a thread id"):
        read_ids(["missing/ids.txt"], NOTHING)


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / "ids.bin"
    file.write_bytes(b"\xff\xfe\x00thread")

    with pytest.raises(UsageError, match="is not a text file"):
        read_ids([str(file)], NOTHING)


def test_the_source_is_described_without_secrets() -> None:
    url = "https://user:hidden@host.example:8443/v1?sig=hidden#x"
    legacy = Settings(backend="assistants", assistants=AssistantsSettings(base_url=url))
    ours = Settings(backend="responses", store="postgresql://user:hidden@db/threads", tenant="t1")

    assert describe_source(legacy) == {"backend": "assistants", "base_url": "https://host.example:8443/v1"}
    assert describe_source(ours) == {"backend": "responses", "store": "postgresql://db/threads", "tenant": "t1"}
    assert describe_source(Settings(store="sqlite:////srv/threads.db"))["store"] == "sqlite:////srv/threads.db"
    assert describe_source(Settings(backend="other")) == {"backend": "other", "tenant": "default"}

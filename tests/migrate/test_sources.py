"""Which threads are exported, and what an archive says about where they came from."""

from __future__ import annotations

import io
import sqlite3
from pathlib import Path

import pytest

from threadbridge.errors import ConfigurationError
from threadbridge.settings import AssistantsSettings, Settings
from threadbridge_migrate.errors import UsageError
from threadbridge_migrate.export.sources import ArchiveLocation, BackendLocation, describe_source, resolve
from threadbridge_migrate.export.thread_ids import read_ids

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


def test_a_word_names_an_archive_a_store_or_a_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive, database = tmp_path / "archive", tmp_path / "threads.db"
    archive.mkdir()
    (archive / "manifest.json").write_text("{}")
    sqlite3.connect(database).executescript("create table t (n); insert into t values (1)").connection.close()

    def settings(word: str) -> Settings:
        location = resolve(word)
        assert isinstance(location, BackendLocation)
        return location.settings

    assert resolve(str(archive)) == ArchiveLocation(archive)
    assert settings("https://host.example/v1").assistants.base_url == "https://host.example/v1"
    assert settings("https://host.example/v1").backend == "assistants"
    assert settings(str(database)).store == f"sqlite:///{database}"
    assert (settings("sqlite:///x.db").backend, settings("sqlite:///x.db").store) == ("responses", "sqlite:///x.db")
    monkeypatch.setenv("THREADBRIDGE_ASSISTANTS__API_KEY", "sk-test-0123456789")
    foundry = settings("https://host.example/api/projects/demo").assistants
    assert (foundry.list_threads, foundry.query) == (True, {"api-version": "v1"})


def test_a_directory_that_is_no_archive_is_one_only_where_a_new_one_may_be_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="SOURCE '.*new' is neither an archive"):
        resolve(str(tmp_path / "new"))
    assert resolve(str(tmp_path / "new"), is_new=True) == ArchiveLocation(tmp_path / "new")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="DEST '.*' is neither an archive"):
        resolve(str(tmp_path), option="DEST", is_new=True)


@pytest.mark.parametrize("word", ["https://ann:hidden@host.example/v1", "postgresql://ann:hidden@db/threads"])
def test_a_word_with_a_secret_is_rejected_without_repeating_it(word: str) -> None:
    with pytest.raises(ConfigurationError, match="other users of this machine can read") as caught:
        resolve(word)

    assert "hidden" not in caught.value.message

"""Thread ids from where programs keep them."""

from __future__ import annotations

import io
import sqlite3
from pathlib import Path

import pytest

from threadbridge_migrate.errors import UsageError
from threadbridge_migrate.export.thread_ids import IdTable, read_ids

IDS = ["thread_1", "thread_2", "thread_3"]


def read_table(source: Path | str, *, column: str | None = None, query: str | None = None) -> list[str]:
    return read_ids([], io.StringIO(), [IdTable(str(source), column, query)])


def test_a_caret_excludes_ids_and_files_of_ids(tmp_path: Path) -> None:
    (tmp_path / "all.txt").write_text("thread_1\nthread_2 # two\n^thread_2\nthread_3\nthread_4\n")
    (tmp_path / "done.txt").write_text("thread_4\n")

    assert read_ids([f"@{tmp_path}/all.txt", f"^@{tmp_path}/done.txt", "^thread_3", "thread_9"], io.StringIO()) == [
        "thread_1",
        "thread_9",
    ]


def test_a_file_named_with_an_at_sign_must_exist() -> None:
    with pytest.raises(UsageError, match=r"'missing\.txt' is not a file of thread ids"):
        read_ids(["@missing.txt"], io.StringIO())


@pytest.mark.parametrize(
    ("name", "text", "column"),
    [
        ("chats.csv", "user,thread_id\nann,thread_1\nbob,thread_2\ncarl,\nann,thread_1\ndora,thread_3\n", None),
        ("chats.csv", "user;conv\nann;thread_1\nbob;thread_2\nx;thread_3\n", "conv"),
        ("ids.csv", "whatever\nthread_1\nthread_2\nthread_3\n", None),
        (
            "chats.jsonl",
            '{"openaiThreadId":"thread_1"}\n{"openaiThreadId":"thread_2"}\n\n{"openaiThreadId":"thread_3"}',
            None,
        ),
        ("chats.json", '[{"t":"thread_1","id":1},{"t":"thread_2"},{"id":3},{"t":"thread_3"}]', "t"),
    ],
)
def test_a_column_of_a_file_holds_ids(tmp_path: Path, name: str, text: str, column: str | None) -> None:
    (tmp_path / name).write_text(text)

    assert read_table(tmp_path / name, column=column) == IDS


def test_a_query_of_a_database_holds_ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sqlite3.connect(tmp_path / "app.db") as database:
        database.execute("create table chats (id integer, thread_id text, owner text)")
        database.executemany("insert into chats values (?, ?, 'ann')", enumerate([*IDS, None]))
    database.close()
    url = f"sqlite:///{tmp_path}/app.db"

    assert read_table(url, query="select thread_id from chats where owner = 'ann'") == IDS
    assert read_table(url, column="thread_id", query="select * from chats") == IDS
    monkeypatch.setenv("APP_DATABASE", url)
    assert read_table("env:APP_DATABASE", query="select thread_id from chats") == IDS


@pytest.mark.parametrize(
    ("source", "query", "column", "message"),
    [
        ("missing.csv", None, None, "is neither a file nor the URL of a database"),
        ("table.csv", "select 1", None, "--query needs the URL of a database"),
        ("table.csv", None, "c", "has no column 'c', but a, b"),
        ("table.csv", None, None, "name the column with --column; it has a, b"),
        ("table.csv", None, "b", "row 1: 'not an id' is not a thread id"),
        ("broken.jsonl", None, None, "is not JSON Lines"),
        ("sqlite:///app.db", None, None, "needs --query"),
        ("sqlite:///app.db", "select nothing from nowhere", None, "The query of --ids-from failed"),
        ("env:NOWHERE", "select 1", None, "is not set to the URL of a database"),
        ("nosuch://host/db", "select 1", None, "The query of --ids-from failed"),
    ],
)
def test_a_table_that_cannot_be_read_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, query: str | None, column: str | None, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("table.csv").write_text("a,b\n1,not an id\n")
    Path("broken.jsonl").write_text("{")

    with pytest.raises(UsageError) as caught:
        read_table(source, column=column, query=query)

    assert message in caught.value.message


def test_a_password_on_the_command_line_is_rejected() -> None:
    with pytest.raises(UsageError, match="other users of this machine can read") as caught:
        read_table("postgresql://ann:hidden@db/app", query="select 1")

    assert "hidden" not in caught.value.message

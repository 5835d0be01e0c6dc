"""SQL dumps as the tools of four databases write them."""

from __future__ import annotations

import io
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from tests.migrate.dumps.test_shapes import import_dump, read_talks
from threadbridge_migrate.archive.reader import Archive, Part
from threadbridge_migrate.cli.application import app
from threadbridge_migrate.dumps.sql_dump import SqlValue, TruncatedDumpError, is_sql_dump, iterate_rows

TALK = [("user", "Where's it?\nHere; or (there), 'no'"), ("assistant", 'On the "shelf"\\.')]


def read(text: str) -> list[tuple[str, dict[str, SqlValue]]]:
    rows = iterate_rows(io.StringIO(text))
    return [(row.table, dict(zip(row.columns, row.values, strict=True))) for row in rows]


def dump_sqlite() -> str:
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(
            "CREATE TABLE role (id INTEGER PRIMARY KEY, name TEXT, UNIQUE (name));"
            "INSERT INTO role VALUES (1, 'user'), (2, 'assistant');"
            "CREATE TABLE message (id TEXT, created_at INTEGER, text_content TEXT, thread_id TEXT, role_id INTEGER);"
        )
        rows = [(f"msg_{n}", 1700000300 + n, text, "thread_j", n + 1) for n, (_, text) in enumerate(TALK)]
        database.executemany("INSERT INTO message VALUES (?, ?, ?, ?, ?)", rows)
        return "\n".join(database.iterdump())


MYSQL = r"""-- MySQL dump 10.13  Distrib 8.0.36
/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
DROP TABLE IF EXISTS `message`;
CREATE TABLE `message` (
  `id` varchar(64) NOT NULL,
  `thread_id` varchar(64) DEFAULT 'a,b',
  `role` enum('user','assistant'),
  `content` longtext,
  `created_at` datetime,
  PRIMARY KEY (`id`), KEY `by_thread` (`thread_id`)
) ENGINE=InnoDB;
LOCK TABLES `message` WRITE;
INSERT INTO `message` VALUES ('msg_0','thread_j','user','Where\'s it?\nHere; or (there), ''no''','2023-11-14 22:18:20'),
('msg_1','thread_j','assistant','On the \"shelf\"\\.','2023-11-14 22:18:21');
UNLOCK TABLES;
"""

POSTGRES = """--
-- PostgreSQL database dump
--
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
CREATE FUNCTION public.touch() RETURNS trigger AS $$ BEGIN NEW.x := 1; RETURN NEW; END; $$ LANGUAGE plpgsql;
CREATE TABLE public.message (
    id text NOT NULL,
    thread_id text,
    role text,
    content text,
    created_at timestamp with time zone
);
COPY public.message (id, thread_id, role, content, created_at) FROM stdin;
msg_0\tthread_j\tuser\tWhere's it?\\nHere; or (there), 'no'\t2023-11-14 22:18:20+00
msg_1\tthread_j\tassistant\tOn the "shelf"\\\\.\t2023-11-14 22:18:21+00
\\.

SELECT pg_catalog.setval('public.message_id_seq', 2, true);
"""

SQL_SERVER = """USE [chats]
GO
SET IDENTITY_INSERT [dbo].[message] ON
GO
INSERT [dbo].[message] ([id], [thread_id], [role], [content], [created_at]) VALUES (N'msg_0', N'thread_j', N'user', \
N'Where''s it?
Here; or (there), ''no''', CAST(N'2023-11-14T22:18:20.000' AS DateTime))
INSERT [dbo].[message] ([id], [thread_id], [role], [content], [created_at]) VALUES (N'msg_1', N'thread_j', \
N'assistant', N'On the "shelf"\\.', CAST(N'2023-11-14T22:18:21.000' AS DateTime))
GO
"""


@pytest.mark.parametrize("dump", [dump_sqlite(), MYSQL, POSTGRES, SQL_SERVER], ids=str.split("sqlite mysql pg mssql"))
def test_a_dump_is_imported_and_loaded(tmp_path: Path, dump: str) -> None:
    (tmp_path / "saved").write_text(dump, "utf-8")
    archive, store = str(tmp_path / "archive"), f"sqlite:///{tmp_path}/threads.db"

    result = import_dump(str(tmp_path / "saved"), "--out", archive)
    loaded = CliRunner().invoke(app, ["load", archive, "--store", store])

    assert result.exit_code == 0, result.output
    assert "Files: 1 SQL dump" in result.output
    assert read_talks(tmp_path / "archive") == {"thread_j": TALK}
    assert [each["created_at"] for each in Archive.open(archive).read_part(Part.MESSAGES)] == [1700000300, 1700000301]
    assert loaded.exit_code == 0, loaded.output


def test_contents_as_json_and_tables_of_own_ids(tmp_path: Path) -> None:
    (tmp_path / "saved").write_text(
        """BEGIN;
        INSERT INTO "ChatMessage" ("id","chatThreadId","role","content") VALUES
          (1, 'c1', 'user', '{"text":{"value":"It''s?"}}'::jsonb), (2, 'c1', 'assistant', E'[{"text":"L1\\\\nL2"}]');
        INSERT INTO "ChatThread" ("id", "openaiThreadId", "title") VALUES ('c1', 'thread_l', NULL);
        """
    )

    result = import_dump(str(tmp_path / "saved"), "--out", str(tmp_path / "archive"), "--map", "thread_id=chatthreadid")

    assert result.exit_code == 0, result.output
    assert read_talks(tmp_path / "archive") == {"thread_l": [("user", "It's?"), ("assistant", "L1\nL2")]}


def test_columns_without_names_are_named_by_number(tmp_path: Path) -> None:
    (tmp_path / "saved").write_text("INSERT INTO message VALUES ('thread_j', 'Where?', 'user');\n")
    words = [str(tmp_path / "saved"), "--out", str(tmp_path / "archive")]

    refused = import_dump(*words)
    result = import_dump(*words, "--map", "thread_id=column1,content=column2,role=column3")

    assert refused.exit_code == 4
    assert "message with column1, column2, column3" in refused.output
    assert not result.output.count("Traceback")
    assert read_talks(tmp_path / "archive") == {"thread_j": [("user", "Where?")]}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("NULL", None),
        ("-12", -12),
        ("1.5e3", 1500.0),
        ("TRUE", 1),
        ("x'4869'", "Hi"),
        ("'a' || 'b'", "ab"),
        (r"replace('a\nb','\n',char(10))", "a\nb"),
        (r"unistr('a\u000ab')", "a\nb"),
        ("to_timestamp('2024-01-01', 'YYYY')", "2024-01-01"),
        ("$x$it's$x$", "it's"),
        ("99999999999999999999", 1e20),
    ],
)
def test_values(expression: str, value: SqlValue) -> None:
    text = f"INSERT INTO t (a, b) VALUES (1, {expression});"  # noqa: S608

    assert read(text) == [("t", {"a": 1, "b": value})]


@given(st.text(st.characters(codec="utf-8"), max_size=40), st.integers(1, 9))
def test_any_text_is_read_whatever_the_size_of_the_pieces(value: str, size: int) -> None:
    class Pieces(io.StringIO):
        def read(self, _: int | None = -1, /) -> str:
            return super().read(size)

    literal = "'" + value.replace("'", "''") + "'"
    text = f"INSERT INTO t VALUES ({literal}), (2);\nINSERT INTO t VALUES (3)"  # noqa: S608
    rows = list(iterate_rows(Pieces(text)))

    assert [list(row.values) for row in rows] == [[value], [2], [3]]


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_rows_before_the_end_of_a_cut_dump_are_imported(tmp_path: Path, cut: int) -> None:
    (tmp_path / "saved").write_text(MYSQL[: MYSQL.index("'msg_1'") + 60 - cut])

    result = import_dump(str(tmp_path / "saved"), "--out", str(tmp_path / "archive"))

    assert result.exit_code == 1
    assert "The dump ends within a statement" in result.output
    assert read_talks(tmp_path / "archive") == {"thread_j": TALK[:1]}


@given(st.integers(0, 2**32), st.sampled_from([MYSQL, POSTGRES, SQL_SERVER]))
def test_damaged_dumps_have_rows_or_an_end(seed: int, dump: str) -> None:
    luck = random.Random(seed)  # noqa: S311
    letters = list(dump)
    for _ in range(luck.randint(1, 20)):
        letters[luck.randrange(len(letters))] = luck.choice("'\"`();,\\$[]x\n")
    try:
        rows = list(iterate_rows(io.StringIO("".join(letters))))
    except TruncatedDumpError:
        return
    assert all(isinstance(value, str | int | float | None) for row in rows for value in row.values)


@pytest.mark.parametrize(
    "text", ['thread_id,role,content\nthread_a,user,"\nINSERT INTO t VALUES (1);"\n', "Set sail.\n"]
)
def test_texts_about_sql_are_no_dumps(text: str) -> None:
    assert not is_sql_dump(text)

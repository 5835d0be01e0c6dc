"""Opening a store: where it is, what it may be, and what is said when it cannot be opened."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.stored_objects import thread
from threadbridge.errors import ConfigurationError, StoreError
from threadbridge.ports import ObjectKind
from threadbridge_adapters.stores import open_store
from threadbridge_adapters.stores.sqlite.connection import SqliteDatabase, parse_store_url


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def modes(directory: Path) -> dict[str, str]:
    return {file.name: oct(file.stat().st_mode & 0o777) for file in sorted(directory.iterdir())}


async def test_what_was_written_is_there_after_opening_again(tmp_path: Path) -> None:
    path = tmp_path / "threads.db"
    store = await open_store(str(path))
    await store.write(lambda session: session.add(ObjectKind.THREAD, thread()), tenant="t")
    await store.aclose()

    store = await open_store(f"sqlite:///{path}")
    found = await store.read(lambda session: session.get(ObjectKind.THREAD, "thread_1"), tenant="t")
    await store.aclose()

    assert found == thread()


async def test_a_closed_store_leaves_one_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    store = await open_store(str(tmp_path / "threads.db"))
    await store.write(lambda session: session.add(ObjectKind.THREAD, thread()), tenant="t")
    await store.read(lambda session: session.get(ObjectKind.THREAD, "thread_1"), tenant="t")
    during = modes(tmp_path)
    await store.aclose()

    assert during == dict.fromkeys(["threads.db", "threads.db-shm", "threads.db-wal"], "0o600")
    assert modes(tmp_path) == {"threads.db": "0o600"}


async def test_without_a_url_the_users_data_directory_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))

    store = await open_store(None)
    await store.aclose()

    assert (tmp_path / "data" / "threadbridge" / "threadbridge.db").is_file()


@pytest.mark.parametrize(
    ("platform", "variables", "path"),
    [
        ("linux", {}, "/home/me/.local/share/threadbridge/threadbridge.db"),
        ("linux", {"XDG_DATA_HOME": "/data"}, "/data/threadbridge/threadbridge.db"),
        ("darwin", {}, "/home/me/Library/Application Support/threadbridge/threadbridge.db"),
        ("win32", {}, "/home/me/AppData/Local/threadbridge/threadbridge.db"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/threadbridge/threadbridge.db"),
    ],
)
def test_every_platform_has_its_own_data_directory(
    platform: str, variables: dict[str, str], path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from threadbridge_adapters.stores.sqlite.connection import default_store_path

    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: Path("/home/me"))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert default_store_path() == Path(path)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        (":memory:", SqliteDatabase(None)),
        ("sqlite://", SqliteDatabase(None)),
        ("sqlite:///:memory:", SqliteDatabase(None)),
        ("/data/100%?.db", SqliteDatabase(Path("/data/100%?.db"))),
        ("sqlite:////data/a.db", SqliteDatabase(Path("/data/a.db"))),
        ("a.db", SqliteDatabase(Path.cwd() / "a.db")),
        ("sqlite:///a.db", SqliteDatabase(Path.cwd() / "a.db")),
        ("~/a.db", SqliteDatabase(Path.home() / "a.db")),
        ("sqlite:////a.db?synchronous=FULL&busy_timeout=1.5", SqliteDatabase(Path("/a.db"), "full", 1.5)),
    ],
)
def test_a_url_names_a_place(url: str, place: SqliteDatabase) -> None:
    assert parse_store_url(url) == place


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "'' is not a path"),
        ("a\0b", r"'a\x00b' is not a path"),
        ("mongodb://user:secret@host/db", "mongodb: is not a kind of store that this version supports"),
        ("sqlite://host/a.db", "sqlite: is not a kind of store that this version supports"),
        ("://", "the URL cannot be read"),
        ("sqlite:///a.db?mode=ro", "unknown option 'mode'; allowed are synchronous and busy_timeout"),
        ("sqlite:///a.db?synchronous=off", "synchronous='off' is not one of normal, full"),
        ("sqlite:///a.db?busy_timeout=soon", "busy_timeout='soon' is not a number of seconds"),
        ("sqlite:///a.db?busy_timeout=nan", "busy_timeout='nan' is not a number of seconds"),
    ],
)
async def test_a_url_that_names_no_store_is_refused_in_one_sentence(url: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        await open_store(url)

    assert sentence in raised.value.message
    assert raised.value.message.startswith("store: ")
    assert "secret" not in raised.value.message


async def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "threads.db"

    with pytest.raises(StoreError) as raised:
        await open_store(str(path))

    assert raised.value.message == (
        f"The store {path} could not be opened (unable to open database file); "
        "check that its directory exists and may be written to."
    )


async def test_a_directory_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="unable to open database file"):
        await open_store(str(tmp_path))


async def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear reader, " * 100)

    with pytest.raises(StoreError, match="file is not a database.; choose another file"):
        await open_store(str(path))

    assert path.read_text() == "Dear reader, " * 100


async def test_the_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    execute(path, "CREATE TABLE threads (id TEXT)")

    with pytest.raises(StoreError, match="the database of another program .it has a table 'threads'."):
        await open_store(str(path))

    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("threads",)]


async def test_a_store_of_a_newer_version_is_refused_politely(tmp_path: Path) -> None:
    path = tmp_path / "threads.db"
    await (await open_store(str(path))).aclose()
    execute(path, "UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(StoreError) as raised:
        await open_store(str(path))

    assert "was written by a newer ThreadBridge (revision 9999" in raised.value.message
    assert "upgrade ThreadBridge" in raised.value.message


async def test_a_damaged_file_is_told_without_its_contents(tmp_path: Path) -> None:
    path = tmp_path / "threads.db"
    store = await open_store(str(path))
    await store.write(lambda session: session.add(ObjectKind.THREAD, thread("thread_secret")), tenant="t")
    await store.aclose()
    execute(path, "DROP TABLE threads")
    store = await open_store(str(path))

    with pytest.raises(StoreError) as raised:
        await store.write(lambda session: session.add(ObjectKind.THREAD, thread("thread_secret")), tenant="t")
    await store.aclose()

    assert raised.value.message == (
        f"The store {path} could not be written (no such table: threads); "
        "the file was changed by another program; restore it from a backup."
    )
    assert "thread_secret" not in f"{raised.value.__cause__}"


IMPORTED = """
import asyncio, sys
from threadbridge_adapters.stores import open_store
assert "sqlalchemy" not in sys.modules
store = asyncio.run(open_store(sys.argv[1]))
asyncio.run(store.aclose())
print("alembic" in sys.modules, "openai" in sys.modules)
"""


def test_a_new_or_current_store_is_opened_without_alembic(tmp_path: Path) -> None:
    path = str(tmp_path / "threads.db")
    command = [sys.executable, "-W", "error", "-c", IMPORTED, path]

    new = subprocess.run(command, capture_output=True, text=True, check=True)
    current = subprocess.run(command, capture_output=True, text=True, check=True)

    assert (new.stdout, new.stderr) == ("False False\n", "")
    assert (current.stdout, current.stderr) == ("False False\n", "")

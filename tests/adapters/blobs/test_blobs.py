"""Contents of files: kept whole or not at all, once, wherever they are."""

from __future__ import annotations

import asyncio
import os
import stat
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from pathlib import Path

import pytest

from threadbridge.errors import ConfigurationError, InvalidRequest, StoreError
from threadbridge.ports import BlobStore
from threadbridge_adapters.blobs import open_blob_store
from threadbridge_adapters.stores.sqlite.connection import SqliteDatabase

PLACES: dict[str, Callable[[Path], BlobStore]] = {
    "directory": lambda tmp: open_blob_store(str(tmp / "files")),
    "beside the store": lambda tmp: open_blob_store(None, database=SqliteDatabase(tmp / "threads.db")),
    "passing": lambda _: open_blob_store(None),
    "fsspec": lambda _: open_blob_store(f"memory://{uuid.uuid4()}/files"),
}


@pytest.fixture(params=PLACES)
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    return PLACES[request.param](tmp_path)


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def breaking(part: bytes) -> AsyncIterator[bytes]:
    yield part
    raise StoreError("broken")


async def plainly(digest: str) -> str:
    return digest


async def contents(blobs: BlobStore, name: str) -> bytes:
    return b"".join([piece async for piece in blobs.read(name)])


async def test_files_that_are_kept_at_the_same_time_all_come_back(
    blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, delays = tempfile.mkdtemp, iter((0.0, 0.05))

    def slower_each_time(prefix: str) -> str:
        time.sleep(next(delays))
        return make(prefix=prefix)

    monkeypatch.setattr(tempfile, "mkdtemp", slower_each_time)

    kept = await asyncio.gather(
        *(blobs.put(pieces(part), max_bytes=100, name_for=plainly) for part in (b"one", b"two"))
    )

    assert [await contents(blobs, blob.name) for blob in kept] == [b"one", b"two"]


async def test_what_is_kept_comes_back(blobs: BlobStore) -> None:
    blob = await blobs.put(pieces(b"one", b"two"), max_bytes=100, name_for=plainly)

    assert (blob.name, blob.size) == (sha256(b"onetwo").hexdigest(), 6)
    assert await contents(blobs, blob.name) == b"onetwo"


async def test_the_same_content_has_the_same_name(blobs: BlobStore) -> None:
    first = await blobs.put(pieces(b"onetwo"), max_bytes=100, name_for=plainly)
    second = await blobs.put(pieces(b"one", b"two"), max_bytes=100, name_for=plainly)

    assert first == second
    assert await contents(blobs, second.name) == b"onetwo"


async def test_what_is_forgotten_is_gone_and_may_be_forgotten_again(blobs: BlobStore) -> None:
    blob = await blobs.put(pieces(b"one"), max_bytes=100, name_for=plainly)

    await blobs.delete(blob.name)
    await blobs.delete(blob.name)

    with pytest.raises(StoreError):
        await contents(blobs, blob.name)


async def test_too_much_is_refused(blobs: BlobStore) -> None:
    with pytest.raises(InvalidRequest, match="larger than 5 bytes"):
        await blobs.put(pieces(b"one", b"two"), max_bytes=5, name_for=plainly)


async def test_half_a_file_leaves_nothing(tmp_path: Path) -> None:
    blobs = open_blob_store(str(tmp_path))

    with pytest.raises(StoreError, match="broken"):
        await blobs.put(breaking(b"one"), max_bytes=100, name_for=plainly)

    assert os.listdir(tmp_path) == []


async def test_what_a_dead_process_did_not_finish_is_removed_and_what_another_writes_is_not(tmp_path: Path) -> None:
    abandoned, writing = tmp_path / "unfinished-old", tmp_path / "unfinished-new"
    abandoned.touch()
    writing.touch()
    os.utime(abandoned, (1, 1))

    await open_blob_store(str(tmp_path)).delete_abandoned_uploads(idle_seconds=3600)

    assert (abandoned.exists(), writing.exists()) == (False, True)


async def test_a_directory_is_for_its_owner_only(tmp_path: Path) -> None:
    blobs = open_blob_store(None, database=SqliteDatabase(tmp_path / "threads.db"))

    await blobs.put(pieces(b"one"), max_bytes=100, name_for=plainly)

    assert stat.S_IMODE((tmp_path / "threads.db.files").stat().st_mode) == 0o700


def test_a_place_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="nowhere://"):
        open_blob_store("nowhere://bucket/files")


async def test_a_directory_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")

    with pytest.raises(StoreError, match="could not be written"):
        await open_blob_store(str(tmp_path / "file" / "files")).put(pieces(b"one"), max_bytes=100, name_for=plainly)


async def test_what_a_driver_says_is_told_by_the_name_of_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("key sk-secret is wrong")

    monkeypatch.setattr("fsspec.implementations.memory.MemoryFileSystem.put_file", refuse)

    with pytest.raises(StoreError, match="could not be written: ValueError") as caught:
        await open_blob_store("memory://bucket/files").put(pieces(b"one"), max_bytes=100, name_for=plainly)

    assert "sk-secret" not in caught.value.message


async def test_a_url_of_this_machine_is_a_directory_in_which_nothing_half_is_ever_found(tmp_path: Path) -> None:
    blobs = open_blob_store(f"file://{tmp_path}/files")

    blob = await blobs.put(pieces(b"one"), max_bytes=100, name_for=plainly)

    assert [path.name for path in (tmp_path / "files" / blob.name[:2]).iterdir()] == [blob.name]
    assert stat.S_IMODE((tmp_path / "files").stat().st_mode) == 0o700

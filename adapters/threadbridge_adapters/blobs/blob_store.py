"""`ports.BlobStore`: contents are spooled, then moved to a directory or an object store under their digest."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager, suppress
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import IO, Any, Protocol, cast

from threadbridge.errors import ConfigurationError, InvalidRequest, StoreError
from threadbridge.ports import Blob, BlobNamer

_SPOOL_PREFIX = "unfinished-"


class BlobStorage(Protocol):
    """Stores complete temporary files under a name and opens them. Methods raise OSError."""

    def create_spool_file(self) -> IO[bytes]:
        """A named temporary file; the caller removes it."""
        ...

    def put(self, spool_path: Path, name: str) -> None:
        """Store the file under this name; an existing file is not replaced."""
        ...

    def open(self, name: str) -> IO[bytes]: ...

    def remove(self, name: str) -> None: ...

    def delete_abandoned_spool_files(self, before: float) -> None:
        """Remove temporary files that were last written to before this time."""
        ...


def delete_stale_files(folder: Path, prefix: str, before: float) -> None:
    """Remove the files with this prefix that were last written to before this time."""
    for path in folder.glob(f"{prefix}*"):
        with suppress(OSError):  # already removed, or owned by another user
            if path.stat().st_mtime < before:
                path.unlink()


class DirectoryStorage:
    """Files in a directory that only the owner may read, in one folder per first two characters of the names."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def create_spool_file(self) -> IO[bytes]:
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        return tempfile.NamedTemporaryFile(dir=self._root, prefix=_SPOOL_PREFIX, delete=False)

    def put(self, spool_path: Path, name: str) -> None:
        target = self._get_path(name)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        if not target.exists():
            os.replace(spool_path, target)

    def open(self, name: str) -> IO[bytes]:
        return self._get_path(name).open("rb")

    def remove(self, name: str) -> None:
        self._get_path(name).unlink(missing_ok=True)

    def delete_abandoned_spool_files(self, before: float) -> None:
        delete_stale_files(self._root, _SPOOL_PREFIX, before)

    def _get_path(self, name: str) -> Path:
        return self._root / name[:2] / name


class TemporaryStorage:
    """For a store in memory: a temporary directory that is removed when its process ends."""

    def __init__(self) -> None:
        self._storage: DirectoryStorage | None = None
        self._lock = threading.Lock()  # a turn copies several generated files concurrently

    def create_spool_file(self) -> IO[bytes]:
        return self._get_storage().create_spool_file()

    def put(self, spool_path: Path, name: str) -> None:
        self._get_storage().put(spool_path, name)

    def open(self, name: str) -> IO[bytes]:
        return self._get_storage().open(name)

    def remove(self, name: str) -> None:
        self._get_storage().remove(name)

    def delete_abandoned_spool_files(self, before: float) -> None:
        """Only this process writes here, so nothing is abandoned."""

    def _get_storage(self) -> DirectoryStorage:
        with self._lock:
            if self._storage is None:
                path = tempfile.mkdtemp(prefix="threadbridge-")
                weakref.finalize(self, shutil.rmtree, path, ignore_errors=True)
                self._storage = DirectoryStorage(Path(path))
            return self._storage


_CHUNK_BYTES = 256 * 1024


class SpoolingBlobStore:
    """`ports.BlobStore` on one storage. Memory holds at most one chunk of each blob."""

    def __init__(self, storage: BlobStorage) -> None:
        self._storage = storage

    async def put(self, content: AsyncIterator[bytes], *, max_bytes: int, name_for: BlobNamer) -> Blob:
        try:
            spool = await asyncio.to_thread(self._storage.create_spool_file)
        except OSError as exc:
            raise _to_store_error("written", exc) from exc
        path = Path(spool.name)
        try:
            digest, size = sha256(), 0
            async for chunk in content:
                size += len(chunk)
                if size > max_bytes:
                    raise InvalidRequest(f"The file is larger than {max_bytes} bytes.")
                digest.update(chunk)
                spool.write(chunk)
            spool.flush()
            name = await name_for(digest.hexdigest())
            await asyncio.to_thread(self._storage.put, path, name)
        except OSError as exc:
            raise _to_store_error("written", exc) from exc
        finally:
            await asyncio.to_thread(_discard_spool_file, spool, path)
        return Blob(name, size)

    async def read(self, name: str) -> AsyncIterator[bytes]:
        try:
            file = await asyncio.to_thread(self._storage.open, name)
            with file:
                while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
                    yield chunk
        except OSError as exc:
            raise _to_store_error("read", exc) from exc

    async def delete(self, name: str) -> None:
        try:
            await asyncio.to_thread(self._storage.remove, name)
        except OSError as exc:
            raise _to_store_error("removed", exc) from exc

    async def delete_abandoned_uploads(self, *, idle_seconds: float) -> None:
        try:
            await asyncio.to_thread(self._storage.delete_abandoned_spool_files, time.time() - idle_seconds)
        except OSError as exc:
            raise _to_store_error("removed", exc) from exc


def _discard_spool_file(spool: IO[bytes], path: Path) -> None:
    spool.close()
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _to_store_error(operation: str, exc: OSError) -> StoreError:
    return StoreError(f"The contents of a file could not be {operation}: {exc.strerror or type(exc).__name__}.")


_SHARED_SPOOL_PREFIX = "threadbridge-unfinished-"
#: On these file systems an incomplete file is visible; `DirectoryStorage` avoids that.
_LOCAL_PROTOCOLS = frozenset({"file", "local"})


class FsspecStorage:
    """A folder of an fsspec file system. Incomplete blobs are spooled on this machine."""

    def __init__(self, filesystem: Any, root: str) -> None:
        self._filesystem = filesystem
        self._root = root.rstrip("/")

    def create_spool_file(self) -> IO[bytes]:
        return tempfile.NamedTemporaryFile(prefix=_SHARED_SPOOL_PREFIX, delete=False)

    def put(self, spool_path: Path, name: str) -> None:
        target = self._get_path(name)
        with _map_driver_errors():
            if not self._filesystem.exists(target):
                self._filesystem.makedirs(target.rpartition("/")[0], exist_ok=True)
                self._filesystem.put_file(str(spool_path), target)

    def open(self, name: str) -> IO[bytes]:
        with _map_driver_errors():
            return cast("IO[bytes]", self._filesystem.open(self._get_path(name), "rb"))

    def remove(self, name: str) -> None:
        with suppress(FileNotFoundError), _map_driver_errors():
            self._filesystem.rm_file(self._get_path(name))

    def delete_abandoned_spool_files(self, before: float) -> None:
        delete_stale_files(Path(tempfile.gettempdir()), _SHARED_SPOOL_PREFIX, before)

    def _get_path(self, name: str) -> str:
        return f"{self._root}/{name[:2]}/{name}"


@contextmanager
def _map_driver_errors() -> Generator[None]:
    """Raise a driver's own errors (credentials, connections) as OSError, without their text, which may contain keys."""
    try:
        yield
    except OSError:
        raise
    except Exception as exc:
        raise OSError(None, type(exc).__name__) from exc


def open_fsspec_storage(url: str) -> BlobStorage:
    """The storage at an fsspec URL. Raises ConfigurationError if fsspec or its driver is not installed."""
    try:
        fsspec: Any = import_module("fsspec.core")
        filesystem, root = fsspec.url_to_fs(url, use_listings_cache=False)  # other processes write there too
    except (ImportError, ValueError) as exc:
        raise ConfigurationError(
            f"files: {url.partition('://')[0]}:// cannot be used ({exc}); install 'threadbridge[blobs]' and the driver "
            "that fsspec names, or choose a directory."
        ) from exc
    if url.partition("://")[0] in _LOCAL_PROTOCOLS:
        return DirectoryStorage(Path(root))
    return FsspecStorage(filesystem, root)

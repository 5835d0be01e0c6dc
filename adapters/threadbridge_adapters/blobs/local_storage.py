"""Storage of complete blobs: in a directory, or in a temporary directory of the process.

Every method may block and is called on a worker thread.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import weakref
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol

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

"""Where finished blobs lie: a directory, or one that passes with the process.

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

_UNFINISHED = "unfinished-"


class Shelf(Protocol):
    """Takes finished temporary files over, and opens them again. Methods raise OSError."""

    def spool(self) -> IO[bytes]:
        """A temporary file with a name; whoever asked for it removes it."""
        ...

    def put(self, spooled: Path, name: str) -> None:
        """Keep the file under this name; one that is there already stays."""
        ...

    def open(self, name: str) -> IO[bytes]: ...

    def remove(self, name: str) -> None: ...

    def tidy(self, before: float) -> None:
        """Remove temporary files that were last written to before this time."""
        ...


def remove_unwritten(folder: Path, prefix: str, before: float) -> None:
    """Remove the files with this prefix that were last written to before this time."""
    for unfinished in folder.glob(f"{prefix}*"):
        with suppress(OSError):  # gone by now, or not ours
            if unfinished.stat().st_mtime < before:
                unfinished.unlink()


class DirectoryShelf:
    """Files in a directory only their owner may read, by the first letters of their names."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def spool(self) -> IO[bytes]:
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        return tempfile.NamedTemporaryFile(dir=self._root, prefix=_UNFINISHED, delete=False)

    def put(self, spooled: Path, name: str) -> None:
        target = self._place(name)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        if not target.exists():
            os.replace(spooled, target)

    def open(self, name: str) -> IO[bytes]:
        return self._place(name).open("rb")

    def remove(self, name: str) -> None:
        self._place(name).unlink(missing_ok=True)

    def tidy(self, before: float) -> None:
        remove_unwritten(self._root, _UNFINISHED, before)

    def _place(self, name: str) -> Path:
        return self._root / name[:2] / name


class PassingShelf:
    """For a store in memory: on disk all the same, and gone with the process that made it."""

    def __init__(self) -> None:
        self._shelf: DirectoryShelf | None = None
        self._opening = threading.Lock()  # a turn copies several files out at a time

    def spool(self) -> IO[bytes]:
        return self._opened().spool()

    def put(self, spooled: Path, name: str) -> None:
        self._opened().put(spooled, name)

    def open(self, name: str) -> IO[bytes]:
        return self._opened().open(name)

    def remove(self, name: str) -> None:
        self._opened().remove(name)

    def tidy(self, before: float) -> None:
        """Nobody but this process ever wrote here."""

    def _opened(self) -> DirectoryShelf:
        with self._opening:
            if self._shelf is None:
                path = tempfile.mkdtemp(prefix="threadbridge-")
                weakref.finalize(self, shutil.rmtree, path, ignore_errors=True)
                self._shelf = DirectoryShelf(Path(path))
            return self._shelf

"""Blobs in an object store, through fsspec: Amazon S3, Google Cloud Storage, Azure, or any other with a driver."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import IO, Any, cast

from threadbridge.errors import ConfigurationError
from threadbridge_adapters.blobs.blob_store import BlobStorage, DirectoryStorage, delete_stale_files

_SPOOL_PREFIX = "threadbridge-unfinished-"
#: On these file systems an incomplete file is visible; `DirectoryStorage` avoids that.
_LOCAL_PROTOCOLS = frozenset({"file", "local"})


class FsspecStorage:
    """A folder of an fsspec file system. Incomplete blobs are spooled on this machine."""

    def __init__(self, filesystem: Any, root: str) -> None:
        self._filesystem = filesystem
        self._root = root.rstrip("/")

    def create_spool_file(self) -> IO[bytes]:
        return tempfile.NamedTemporaryFile(prefix=_SPOOL_PREFIX, delete=False)

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
        delete_stale_files(Path(tempfile.gettempdir()), _SPOOL_PREFIX, before)

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

"""Blob stores for the contents of files, selected by the settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadbridge.ports import BlobStore
    from threadbridge_adapters.stores.sqlite.connection import SqliteDatabase

__all__ = ["open_blob_store"]


def open_blob_store(url: str | None, *, database: SqliteDatabase | None = None) -> BlobStore:
    """The blob store in a directory or at an fsspec URL (`s3://…`, `gcs://…`, `abfs://…`).

    None means the directory `<store>.files` next to the file of the store's `database`, or for a store in memory a
    temporary directory that is removed when the process ends. No directory is created and no connection opened before
    the first blob.
    Raises ConfigurationError for a URL that cannot be used.
    """
    from threadbridge_adapters.blobs.blob_store import (
        DirectoryStorage,
        SpoolingBlobStore,
        TemporaryStorage,
        open_fsspec_storage,
    )

    if url is not None and "://" in url:
        return SpoolingBlobStore(open_fsspec_storage(url))
    if url is not None:
        return SpoolingBlobStore(DirectoryStorage(Path(url).expanduser().absolute()))
    if database is None or (database.path is None and not database.name):
        return SpoolingBlobStore(TemporaryStorage())
    if database.path is not None:
        return SpoolingBlobStore(DirectoryStorage(database.path.with_name(f"{database.path.name}.files")))
    from threadbridge_adapters.stores.sqlite.shared_memory import open_shared_storage

    return SpoolingBlobStore(open_shared_storage(database))

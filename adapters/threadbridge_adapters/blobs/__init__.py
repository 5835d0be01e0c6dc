"""Blobs: where the contents of files are kept, as the settings say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadbridge.ports import BlobStore

__all__ = ["open_blobs"]


def open_blobs(url: str | None, *, beside: Path | None) -> BlobStore:
    """The blobs of a directory or of an fsspec URL (`s3://…`, `gcs://…`, `abfs://…`).

    None is the directory `<store>.files` beside the store's file, or one that passes with the process where the
    store is in memory. Nothing is made or reached before the first blob. Raises ConfigurationError for a URL that
    cannot be used.
    """
    from threadbridge_adapters.blobs.blob_store import Contents
    from threadbridge_adapters.blobs.local_storage import DirectoryShelf, PassingShelf

    if url is not None and "://" in url:
        from threadbridge_adapters.blobs.fsspec_storage import remote_shelf

        return Contents(remote_shelf(url))
    if url is not None:
        return Contents(DirectoryShelf(Path(url).expanduser().absolute()))
    return Contents(DirectoryShelf(beside.with_name(f"{beside.name}.files")) if beside is not None else PassingShelf())

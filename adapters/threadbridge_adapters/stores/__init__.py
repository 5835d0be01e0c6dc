"""Stores: what the emulated backend remembers, as the entry point opens it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadbridge.ports import Store

__all__ = ["open_store"]


async def open_store(url: str | None = None) -> Store:
    """The store at a URL, created or brought up to date; close it with `aclose`.

    None is the user's own file (`~/.local/share/threadbridge/threadbridge.db`, or where the platform keeps such
    things); `:memory:`, a path, or `sqlite:///path` with `?synchronous=full` to outlive power failures too.
    Raises ConfigurationError for a URL that names no store, StoreError for one that cannot be opened.
    """
    from threadbridge_adapters.stores.sqlite.sqlite_url import parse_store_url
    from threadbridge_adapters.stores.sqlite.store import SqliteStore

    store = SqliteStore(parse_store_url(url))
    try:
        return await store.initialize()
    except BaseException:
        await store.aclose()
        raise

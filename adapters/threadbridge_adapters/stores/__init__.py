"""The stores, and the entry point that opens them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadbridge.ports import Store

__all__ = ["open_store"]


async def open_store(url: str | None = None) -> Store:
    """The store at a URL, created or upgraded; close it with `aclose`.

    None is the user's default store (`~/.local/share/threadbridge/threadbridge.db`, or the platform's counterpart);
    otherwise `:memory:`, a path, or `sqlite:///path`, with `?synchronous=full` to lose nothing in a power failure.
    Raises ConfigurationError for a URL that names no store, StoreError for a store that cannot be opened.
    """
    from threadbridge_adapters.stores.sqlite.connection import parse_store_url
    from threadbridge_adapters.stores.sqlite.store import SqliteStore

    database = parse_store_url(url)
    if database.name:
        from threadbridge_adapters.stores.sqlite.shared_memory import open_shared_store

        return await open_shared_store(database).initialize()
    store = SqliteStore(database)
    try:
        return await store.initialize()
    except BaseException:
        await store.aclose()
        raise

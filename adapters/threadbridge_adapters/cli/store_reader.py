"""Read access of commands to the configured store, which a server may be using."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import typer

if TYPE_CHECKING:
    from threadbridge.ports import Session
    from threadbridge.settings import Settings

T = TypeVar("T")


def print_store(settings: Settings) -> None:
    """Name the store that a command read, on stderr."""
    from threadbridge_adapters.stores.sqlite.connection import parse_store_url

    typer.echo(f"Store: {parse_store_url(settings.store).path or ':memory:'}", err=True)


async def read_store(settings: Settings, query: Callable[[Session], T]) -> T:
    """The result of one query on the configured store. Raises ConfigurationError if it does not exist."""
    from threadbridge.errors import ConfigurationError
    from threadbridge_adapters.stores import open_store
    from threadbridge_adapters.stores.sqlite.connection import parse_store_url

    path = parse_store_url(settings.store).path
    if path is None or not path.exists():
        reason = "No other process can read a store in memory" if path is None else f"There is no store at {path}"
        raise ConfigurationError(f"{reason}; name another with --store.")
    store = await open_store(settings.store)
    try:
        return await store.read(query, tenant=settings.tenant)
    finally:
        await store.aclose()

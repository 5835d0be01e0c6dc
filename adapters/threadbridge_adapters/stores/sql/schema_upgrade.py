"""Bringing a store's schema up to date when it is opened, and refusing one that is newer than this version."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text

from threadbridge.errors import StoreError

#: The newest revision, which `schema` describes; a test holds it to the migrations. Knowing it here saves importing
#: Alembic where nothing is to be done.
CURRENT = "0007"
_VERSION_TABLE = "alembic_version"
_REVISION = text(f"SELECT version_num FROM {_VERSION_TABLE}")  # noqa: S608  a constant


def upgrade(connection: Connection, place: object) -> None:
    """Apply the missing revisions in one transaction; the second of two processes waits and finds it done.

    Raises StoreError for a database of another program or of a newer ThreadBridge; it is left as it was.
    """
    with connection.begin():
        found = _revision(connection, place)
        if found != CURRENT:
            _apply(connection, place, found)


def _revision(connection: Connection, place: object) -> str | None:
    tables = inspect(connection).get_table_names()
    if _VERSION_TABLE in tables:
        return connection.execute(_REVISION).scalar()
    if tables:
        raise StoreError(
            f"{place} is the database of another program (it has a table {min(tables)!r}); choose another file."
        )
    return None


def _apply(connection: Connection, place: object, found: str | None) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "threadbridge_adapters.stores.sql:migrations")
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise StoreError(
            f"The store {place} was written by a newer ThreadBridge (revision {found}, this version knows {CURRENT}); "
            "upgrade ThreadBridge, or choose another file."
        )
    command.upgrade(config, "head")

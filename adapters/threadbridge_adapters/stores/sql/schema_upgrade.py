"""Bringing a store's schema up to date when it is opened, and refusing one that is newer than this version."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text

from threadbridge.errors import StoreError

#: The newest revision, which `schema` describes; a test holds it to the migrations. Knowing it here saves importing
#: Alembic where nothing is to be done.
CURRENT_REVISION = "0007"
_VERSION_TABLE = "alembic_version"
_SELECT_REVISION = text(f"SELECT version_num FROM {_VERSION_TABLE}")  # noqa: S608  a constant


def upgrade_schema(connection: Connection, database: object) -> None:
    """Apply the missing revisions in one transaction; the second of two processes waits and finds it done.

    Raises StoreError for a database of another program or of a newer ThreadBridge; it is left as it was.
    """
    with connection.begin():
        revision = _read_revision(connection, database)
        if revision != CURRENT_REVISION:
            _apply_revisions(connection, database, revision)


def _read_revision(connection: Connection, database: object) -> str | None:
    tables = inspect(connection).get_table_names()
    if _VERSION_TABLE in tables:
        return connection.execute(_SELECT_REVISION).scalar()
    if tables:
        raise StoreError(
            f"{database} is the database of another program (it has a table {min(tables)!r}); choose another file."
        )
    return None


def _apply_revisions(connection: Connection, database: object, revision: str | None) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "threadbridge_adapters.stores.sql:migrations")
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is not None and revision not in known:
        raise StoreError(
            f"The store {database} was written by a newer ThreadBridge (revision {revision}, this version knows "
            f"{CURRENT_REVISION}); upgrade ThreadBridge, or choose another file."
        )
    command.upgrade(config, "head")

"""Create or upgrade the schema of a store when it is opened, and reject a schema that is newer than this version."""

from __future__ import annotations

import logging

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table, insert, inspect, select

from threadbridge.errors import StoreError
from threadbridge_adapters.stores.sql.schema import metadata

#: The newest revision, which `schema` describes; a test compares it with the migrations. With it, Alembic is imported
#: only when a revision has to be applied.
CURRENT_REVISION = "0011"
#: As Alembic creates it.
_VERSION = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


def upgrade_schema(connection: Connection, database: object) -> None:
    """Create the schema or apply the missing revisions, in one transaction; a second process waits for it.

    Raises StoreError for a database of another program or of a newer ThreadBridge; it is left as it was.
    """
    with connection.begin():
        tables = inspect(connection).get_table_names()
        if tables and _VERSION.name not in tables:
            raise StoreError(
                f"{database} is the database of another program (it has a table {min(tables)!r}); choose another file."
            )
        revision = connection.execute(select(_VERSION.c.version_num)).scalar() if tables else None
        if revision is None:
            # The newest schema, as if every revision had been applied.
            metadata.create_all(connection, checkfirst=False)
            _VERSION.create(connection, checkfirst=False)
            connection.execute(insert(_VERSION).values(version_num=CURRENT_REVISION))
        elif revision != CURRENT_REVISION:
            _apply_revisions(connection, database, revision)


def _apply_revisions(connection: Connection, database: object, revision: str) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "threadbridge_adapters.stores.sql:migrations")
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision not in known:
        raise StoreError(
            f"The store {database} was written by a newer ThreadBridge (revision {revision}, this version knows "
            f"{CURRENT_REVISION}); upgrade ThreadBridge, or choose another file."
        )
    logger = logging.getLogger("alembic")
    level = logger.level
    logger.setLevel(logging.WARNING)  # its lines about every revision tell a user nothing
    try:
        command.upgrade(config, "head")
    finally:
        logger.setLevel(level)

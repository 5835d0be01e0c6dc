"""Alembic's entry: revisions run on the connection that `upgrade` hands over, inside its transaction."""

from __future__ import annotations

from alembic import context

from threadbridge_adapters.stores.sql.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite changes a column by rebuilding the table.
    render_as_batch=True,
)
context.run_migrations()

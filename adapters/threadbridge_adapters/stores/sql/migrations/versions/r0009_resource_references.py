"""Find the assistants and threads that name a file or a vector store, so that deleting it does not read all of them."""

from __future__ import annotations

import json
from typing import Any, cast

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Build the table from the `tool_resources` of the stored objects."""
    op.create_table(
        "resource_references",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("resource_id", sa.Text, nullable=False),
        sa.Column("object_id", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "resource_id", "object_id", name="pk_resource_references"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_resource_references_object", "resource_references", ["tenant", "object_id"])
    for table in ("assistants", "threads"):
        _add_references_of(table)


def _add_references_of(table: str) -> None:
    connection = op.get_bind()
    # Most threads have no resources; their bodies are not parsed.
    rows = connection.execute(sa.text(f"SELECT tenant, id, body FROM {table} WHERE body LIKE '%_ids\":[\"%'"))  # noqa: S608  # one of two names
    insert = sa.text(
        "INSERT INTO resource_references (tenant, resource_id, object_id) VALUES (:tenant, :resource, :id)"
    )
    while batch := rows.fetchmany(1000):
        references = [
            {"tenant": tenant, "resource": resource_id, "id": object_id}
            for tenant, object_id, body in batch
            for resource_id in _list_resource_ids(json.loads(body))
        ]
        if references:
            connection.execute(insert, references)


def _list_resource_ids(body: Any) -> list[str]:
    resources: dict[str, Any] = body.get("tool_resources") or {}
    tools = [cast("dict[str, Any]", tool) for tool in resources.values() if isinstance(tool, dict)]
    lists: list[list[Any]] = [ids for tool in tools for ids in tool.values() if isinstance(ids, list)]
    return list(dict.fromkeys(each for ids in lists for each in ids if isinstance(each, str)))

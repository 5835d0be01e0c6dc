"""Answered requests, so that a repeat gets the first answer again: by idempotency key, and the newest of a thread."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and the table, empty."""
    op.add_column("thread_sizes", sa.Column("requests", sa.Text))
    op.create_table(
        "keyed_requests",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("object_id", sa.Text, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("step_id", sa.Text),
        sa.Column("thread_id", sa.Text),
        sa.PrimaryKeyConstraint("tenant", "key", name="pk_keyed_requests"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_keyed_requests_at", "keyed_requests", ["tenant", "at"])

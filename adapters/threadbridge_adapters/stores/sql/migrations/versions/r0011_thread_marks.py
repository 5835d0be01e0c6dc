"""Threads that were adopted, and threads that were deleted: neither can be seen from the objects."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table, empty."""
    op.create_table(
        "thread_marks",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("thread_id", sa.Text, nullable=False),
        sa.Column("mark", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "thread_id", name="pk_thread_marks"),
        sqlite_with_rowid=False,
    )

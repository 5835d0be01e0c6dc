"""Fewer indexes, and tables that are one: a run writes a seventh fewer pages."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_BY_THEIR_KEY = ("thread_sizes", "turns", "spending")


def upgrade() -> None:
    """Drop what no query needs any more, and make the tables without a `seq` anew. Nothing in them changes."""
    op.drop_index("ix_steps_thread", "steps")
    op.drop_index("ix_timeline_messages", "timeline")
    op.drop_index("ix_timeline_weights", "timeline")
    op.create_index("ix_timeline_weights", "timeline", ["tenant", "thread_id", "seq", "sort", "tokens", "message_id"])
    for table in _BY_THEIR_KEY:
        with op.batch_alter_table(table, recreate="always", table_kwargs={"sqlite_with_rowid": False}):
            pass

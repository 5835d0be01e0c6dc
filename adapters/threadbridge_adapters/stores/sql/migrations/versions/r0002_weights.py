"""Weights of a timeline's entries, the size of every thread, and what each turn was made of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_SIZES = """
INSERT INTO thread_sizes (tenant, thread_id, messages, tokens)
SELECT tenant, thread_id, COUNT(message_id), 0 FROM timeline GROUP BY tenant, thread_id
"""


def upgrade() -> None:
    """Add the columns; what is there already is counted when a run first meets it."""
    op.add_column("timeline", sa.Column("sort", sa.Text))
    op.add_column("timeline", sa.Column("tokens", sa.Integer))
    op.drop_index("ix_timeline_thread", "timeline")
    op.create_index("ix_timeline_weights", "timeline", ["tenant", "thread_id", "seq", "sort", "tokens"])
    op.create_table(
        "thread_sizes",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("thread_id", sa.Text, nullable=False),
        sa.Column("messages", sa.Integer, nullable=False),
        sa.Column("tokens", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "thread_id", name="pk_thread_sizes"),
    )
    op.execute(_SIZES)
    op.add_column("turns", sa.Column("report", sa.Text))

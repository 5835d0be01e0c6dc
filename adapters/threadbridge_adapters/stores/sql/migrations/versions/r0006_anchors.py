"""What the service behind keeps of each thread, and how often a thread was changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and the table, empty: nothing was gone on from so far."""
    op.add_column("thread_sizes", sa.Column("edits", sa.Integer, nullable=False, server_default="0"))
    op.create_table(
        "anchors",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_anchors"),
    )
    op.create_index("uq_anchors_id", "anchors", ["tenant", "id"], unique=True)
    op.create_index("ix_anchors_seq", "anchors", ["tenant", "seq"])

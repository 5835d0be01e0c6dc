"""Parameters that models of the service behind refused."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table, empty: what was refused is learned again."""
    op.create_table(
        "refusals",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("parameter", sa.Text, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "service", "model", "parameter", name="pk_refusals"),
    )

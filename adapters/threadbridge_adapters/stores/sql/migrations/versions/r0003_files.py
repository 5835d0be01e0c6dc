"""Files that code made, the containers it ran in, and errands to undo."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Build the three tables."""
    _plain_objects("files", sa.Column("blob", sa.Text, nullable=False))
    op.create_index("ix_files_blob", "files", ["blob"])
    _plain_objects("containers")
    _plain_objects("errands")


def _plain_objects(table: str, *more: sa.Column[str]) -> None:
    op.create_table(
        table,
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger),
        *more,
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("seq", name=f"pk_{table}"),
    )
    op.create_index(f"uq_{table}_id", table, ["tenant", "id"], unique=True)
    op.create_index(f"ix_{table}_seq", table, ["tenant", "seq"])

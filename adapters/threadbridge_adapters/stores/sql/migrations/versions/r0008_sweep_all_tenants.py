"""Find the tenants with unfinished runs in an index, for sweeps that cover all tenants."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_UNFINISHED = sa.text("status IN ('queued', 'in_progress', 'cancelling')")


def upgrade() -> None:
    """Start the index of unfinished runs with the tenant."""
    op.drop_index("ix_runs_unfinished", "runs")
    op.create_index(
        "ix_runs_unfinished",
        "runs",
        ["tenant", "lease_until"],
        sqlite_where=_UNFINISHED,
        postgresql_where=_UNFINISHED,
    )

"""The first schema. Frozen: later changes are later revisions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ACTIVE = sa.text("status IN ('queued', 'in_progress', 'requires_action', 'cancelling')")
_UNFINISHED = sa.text("status IN ('queued', 'in_progress', 'cancelling')")
_IS_MESSAGE = sa.text("message_id IS NOT NULL")
_IS_OF_A_RUN = sa.text("run_id IS NOT NULL")


def upgrade() -> None:
    """Build the six tables."""
    _plain_objects("assistants")
    _plain_objects("threads")
    _runs()
    _steps()
    _timeline()
    _turns()


def _seq() -> sa.Column[int]:
    return sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False)


def _key(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=nullable)


def _created_at() -> sa.Column[int]:
    return sa.Column("created_at", sa.BigInteger)


def _partial(name: str, table: str, *columns: str, where: sa.TextClause, unique: bool = False) -> None:
    op.create_index(name, table, columns, unique=unique, sqlite_where=where, postgresql_where=where)


def _plain_objects(table: str) -> None:
    op.create_table(
        table,
        _seq(),
        _key("tenant"),
        _key("id"),
        _created_at(),
        _key("body"),
        sa.PrimaryKeyConstraint("seq", name=f"pk_{table}"),
    )
    op.create_index(f"uq_{table}_id", table, ["tenant", "id"], unique=True)
    op.create_index(f"ix_{table}_seq", table, ["tenant", "seq"])


def _runs() -> None:
    op.create_table(
        "runs",
        _seq(),
        _key("tenant"),
        _key("id"),
        _created_at(),
        _key("thread_id"),
        _key("status"),
        _key("lease_owner", nullable=True),
        sa.Column("lease_until", sa.Float, nullable=False),
        _key("body"),
        sa.PrimaryKeyConstraint("seq", name="pk_runs"),
    )
    op.create_index("uq_runs_id", "runs", ["tenant", "id"], unique=True)
    op.create_index("ix_runs_thread", "runs", ["tenant", "thread_id", "seq"])
    _partial("uq_runs_one_active", "runs", "tenant", "thread_id", where=_ACTIVE, unique=True)
    _partial("ix_runs_unfinished", "runs", "lease_until", where=_UNFINISHED)


def _steps() -> None:
    op.create_table(
        "steps",
        _seq(),
        _key("tenant"),
        _key("id"),
        _created_at(),
        _key("thread_id"),
        _key("run_id"),
        _key("body"),
        sa.PrimaryKeyConstraint("seq", name="pk_steps"),
    )
    op.create_index("uq_steps_id", "steps", ["tenant", "id"], unique=True)
    op.create_index("ix_steps_thread", "steps", ["tenant", "thread_id", "seq"])
    op.create_index("ix_steps_run", "steps", ["tenant", "run_id", "seq"])


def _timeline() -> None:
    op.create_table(
        "timeline",
        _seq(),
        _key("tenant"),
        _key("thread_id"),
        _key("run_id", nullable=True),
        _key("message_id", nullable=True),
        _key("message", nullable=True),
        _key("item", nullable=True),
        sa.PrimaryKeyConstraint("seq", name="pk_timeline"),
    )
    _partial("uq_timeline_message", "timeline", "tenant", "message_id", where=_IS_MESSAGE, unique=True)
    _partial("ix_timeline_messages", "timeline", "tenant", "thread_id", "seq", where=_IS_MESSAGE)
    _partial("ix_timeline_run", "timeline", "tenant", "run_id", "seq", where=_IS_OF_A_RUN)
    op.create_index("ix_timeline_thread", "timeline", ["tenant", "thread_id", "seq"])


def _turns() -> None:
    op.create_table(
        "turns",
        _key("tenant"),
        _key("run_id"),
        sa.Column("number", sa.Integer, nullable=False),
        _key("response_id", nullable=True),
        _key("request_id", nullable=True),
        _key("model", nullable=True),
        _key("usage", nullable=True),
        sa.PrimaryKeyConstraint("tenant", "run_id", "number", name="pk_turns"),
    )

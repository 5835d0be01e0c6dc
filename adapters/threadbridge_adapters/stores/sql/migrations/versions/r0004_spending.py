"""What every turn cost, and what was spent each day by thread, assistant, model and tenant."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

#: The key of a turn in each scope.
_KEYS = {
    "thread": "runs.thread_id",
    "assistant": "json_extract(runs.body, '$.assistant_id')",
    "model": "coalesce(turns.model, '')",
    "tenant": "''",
}
#: What was asked before prices were kept counts with its tokens and an unknown price.
_EARLIER = """
INSERT INTO spending (tenant, scope, key, day, turns, unpriced,
                      prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens, nanodollars)
SELECT turns.tenant, '{scope}', {key}, runs.created_at / 86400, COUNT(*), COUNT(*),
       coalesce(SUM(json_extract(turns.usage, '$.prompt_tokens')), 0),
       coalesce(SUM(json_extract(turns.usage, '$.prompt_token_details.cached_tokens')), 0),
       coalesce(SUM(json_extract(turns.usage, '$.completion_tokens')), 0),
       coalesce(SUM(json_extract(turns.usage, '$.completion_tokens_details.reasoning_tokens')), 0),
       0
FROM turns JOIN runs ON runs.tenant = turns.tenant AND runs.id = turns.run_id
WHERE turns.usage IS NOT NULL
GROUP BY 1, 3, 4
"""


def upgrade() -> None:
    """Add the column and the table, and count what is there."""
    op.add_column("turns", sa.Column("nanodollars", sa.BigInteger))
    op.create_table(
        "spending",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("turns", sa.Integer, nullable=False),
        sa.Column("unpriced", sa.Integer, nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger, nullable=False),
        sa.Column("cached_tokens", sa.BigInteger, nullable=False),
        sa.Column("completion_tokens", sa.BigInteger, nullable=False),
        sa.Column("reasoning_tokens", sa.BigInteger, nullable=False),
        sa.Column("nanodollars", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "scope", "key", "day", name="pk_spending"),
    )
    for scope, key in _KEYS.items():
        op.execute(_EARLIER.format(scope=scope, key=key))

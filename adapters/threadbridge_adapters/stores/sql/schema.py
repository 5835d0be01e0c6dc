"""The tables of a store. A test compares them with the result of Alembic's revisions.

Every row has a tenant, and every index but that of blobs starts with it. There are only indexes that a query needs:
each is one more page to write for every row. Tables without a `seq` are stored in the index of their primary key.

`seq` is the order of insertion, which is the order of every list (A12). Bodies are the wire JSON as text and not a JSON
column, where a database may reorder keys. Messages are rows of the timeline. There are no foreign keys: a thread is
deleted in one transaction of nine statements, and a migration can rebuild a table without cascading deletes.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, MetaData, Table, Text, text

#: The condition under which a run locks its thread (A63). A query uses a partial index only if both have this text.
IS_ACTIVE = text("status IN ('queued', 'in_progress', 'requires_action', 'cancelling')")
#: Runs that need a worker; one in `requires_action` waits for its caller instead.
IS_UNFINISHED = text("status IN ('queued', 'in_progress', 'cancelling')")
_IS_MESSAGE = text("message_id IS NOT NULL")
_HAS_RUN = text("run_id IS NOT NULL")

metadata = MetaData(naming_convention={"pk": "pk_%(table_name)s"})


def _seq_column() -> Column[int]:
    # Only a column declared INTEGER is SQLite's own row id.
    return Column("seq", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True)


def _text_column(name: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, Text, nullable=nullable)


def _created_at_column() -> Column[int]:
    return Column("created_at", BigInteger)


def _partial_index(name: str, *columns: str, where: object, unique: bool = False) -> Index:
    return Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


assistants = Table(
    "assistants",
    metadata,
    _seq_column(),
    _text_column("tenant"),
    _text_column("id"),
    _created_at_column(),
    _text_column("body"),
    Index("uq_assistants_id", "tenant", "id", unique=True),
    Index("ix_assistants_seq", "tenant", "seq"),
)

threads = Table(
    "threads",
    metadata,
    _seq_column(),
    _text_column("tenant"),
    _text_column("id"),
    _created_at_column(),
    _text_column("body"),
    Index("uq_threads_id", "tenant", "id", unique=True),
    Index("ix_threads_seq", "tenant", "seq"),
)

runs = Table(
    "runs",
    metadata,
    _seq_column(),
    _text_column("tenant"),
    _text_column("id"),
    _created_at_column(),
    _text_column("thread_id"),
    _text_column("status"),
    _text_column("lease_owner", nullable=True),
    Column("lease_until", Float, nullable=False),
    _text_column("body"),
    Index("uq_runs_id", "tenant", "id", unique=True),
    Index("ix_runs_thread", "tenant", "thread_id", "seq"),
    _partial_index("uq_runs_one_active", "tenant", "thread_id", unique=True, where=IS_ACTIVE),
    _partial_index("ix_runs_unfinished", "tenant", "lease_until", where=IS_UNFINISHED),
)

steps = Table(
    "steps",
    metadata,
    _seq_column(),
    _text_column("tenant"),
    _text_column("id"),
    _created_at_column(),
    _text_column("thread_id"),
    _text_column("run_id"),
    _text_column("body"),
    Index("uq_steps_id", "tenant", "id", unique=True),
    Index("ix_steps_run", "tenant", "run_id", "seq"),
)

timeline = Table(
    "timeline",
    metadata,
    _seq_column(),
    _text_column("tenant"),
    _text_column("thread_id"),
    _text_column("run_id", nullable=True),
    _text_column("message_id", nullable=True),
    _text_column("message", nullable=True),
    _text_column("item", nullable=True),
    _text_column("sort", nullable=True),
    Column("tokens", Integer),
    _partial_index("uq_timeline_message", "tenant", "message_id", unique=True, where=_IS_MESSAGE),
    _partial_index("ix_timeline_run", "tenant", "run_id", "seq", where=_HAS_RUN),
    # Includes the token counts, so that selecting a thread's history does not read its messages, and the ids of
    # messages, so that lists of messages do not read items.
    Index("ix_timeline_weights", "tenant", "thread_id", "seq", "sort", "tokens", "message_id"),
)

#: Updated with the timeline, because counting the entries of a thread would cost as much as reading them.
thread_sizes = Table(
    "thread_sizes",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("thread_id", Text, primary_key=True),
    Column("messages", Integer, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("edits", Integer, nullable=False, server_default="0"),
    # The newest answered requests of clients that send no idempotency key: this row is written with every message
    # anyway, and removed with the thread.
    _text_column("requests", nullable=True),
    sqlite_with_rowid=False,
)

files = Table(
    "files",
    metadata,
    _seq_column(),
    _text_column("tenant"),
    _text_column("id"),
    _created_at_column(),
    _text_column("blob"),
    _text_column("body"),
    Index("uq_files_id", "tenant", "id", unique=True),
    Index("ix_files_seq", "tenant", "seq"),
    Index("ix_files_blob", "blob"),
)

#: What the `tool_resources` of assistants and threads name, so that deleting a file does not read all of them.
resource_references = Table(
    "resource_references",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("resource_id", Text, primary_key=True),
    Column("object_id", Text, primary_key=True),
    Index("ix_resource_references_object", "tenant", "object_id"),
    sqlite_with_rowid=False,
)

containers = Table(
    "containers",
    metadata,
    _seq_column(),
    _text_column("tenant"),
    _text_column("id"),
    _created_at_column(),
    _text_column("body"),
    Index("uq_containers_id", "tenant", "id", unique=True),
    Index("ix_containers_seq", "tenant", "seq"),
)

anchors = Table(
    "anchors",
    metadata,
    _seq_column(),
    _text_column("tenant"),
    _text_column("id"),
    _created_at_column(),
    _text_column("body"),
    Index("uq_anchors_id", "tenant", "id", unique=True),
    Index("ix_anchors_seq", "tenant", "seq"),
)

cleanup_intents = Table(
    "errands",
    metadata,
    _seq_column(),
    _text_column("tenant"),
    _text_column("id"),
    _created_at_column(),
    _text_column("body"),
    Index("uq_errands_id", "tenant", "id", unique=True),
    Index("ix_errands_seq", "tenant", "seq"),
)

turns = Table(
    "turns",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("run_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    _text_column("response_id", nullable=True),
    _text_column("request_id", nullable=True),
    _text_column("model", nullable=True),
    _text_column("usage", nullable=True),
    _text_column("report", nullable=True),
    Column("nanodollars", BigInteger),
    sqlite_with_rowid=False,
)


def _sum_column(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


#: Sums, and not one row per turn: they stay when the threads are deleted, and reading them stays cheap.
spending = Table(
    "spending",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("scope", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("turns", Integer, nullable=False),
    Column("unpriced", Integer, nullable=False),
    _sum_column("prompt_tokens"),
    _sum_column("cached_tokens"),
    _sum_column("completion_tokens"),
    _sum_column("reasoning_tokens"),
    _sum_column("nanodollars"),
    sqlite_with_rowid=False,
)

#: Parameters that models rejected although the model tables allow them, by upstream.
parameter_rejections = Table(
    "refusals",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("service", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("parameter", Text, primary_key=True),
    Column("at", Float, nullable=False),
)

#: Threads that were adopted, and threads that were deleted and are therefore never adopted.
thread_marks = Table(
    "thread_marks",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("thread_id", Text, primary_key=True),
    _text_column("mark"),
    sqlite_with_rowid=False,
)

#: Answered requests by idempotency key.
keyed_requests = Table(
    "keyed_requests",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    _text_column("digest"),
    _text_column("kind"),
    _text_column("object_id"),
    Column("at", Float, nullable=False),
    Column("attempt", Integer, nullable=False),
    _text_column("step_id", nullable=True),
    _text_column("thread_id", nullable=True),
    Index("ix_keyed_requests_at", "tenant", "at"),
    sqlite_with_rowid=False,
)

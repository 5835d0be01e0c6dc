"""Thread ids that were adopted or deleted."""

from __future__ import annotations

from sqlalchemy import bindparam, func, select

from threadbridge.ports import ThreadMark
from threadbridge_adapters.stores.sql.schema import thread_marks
from threadbridge_adapters.stores.sql.statements import SqlConnection, Statement, build_upsert

_OF_TENANT = thread_marks.c.tenant == bindparam("tenant")
_PUT = build_upsert(thread_marks, keys=("tenant", "thread_id"), update=lambda new: {"mark": new["mark"]})
_GET = Statement(select(thread_marks.c.mark).where(_OF_TENANT, thread_marks.c.thread_id == bindparam("thread_id")))
_COUNT = Statement(
    select(func.count()).select_from(thread_marks).where(_OF_TENANT, thread_marks.c.mark == bindparam("mark"))
)


def put_mark(connection: SqlConnection, tenant: str, thread_id: str, mark: ThreadMark) -> None:
    """Mark a thread id; replaces an earlier mark."""
    connection.execute(_PUT, {"tenant": tenant, "thread_id": thread_id, "mark": mark.value})


def get_mark(connection: SqlConnection, tenant: str, thread_id: str) -> ThreadMark | None:
    """The mark of a thread id, or None."""
    row = connection.fetch_one(_GET, {"tenant": tenant, "thread_id": thread_id})
    return None if row is None else ThreadMark(row[0])


def count_marks(connection: SqlConnection, tenant: str, mark: ThreadMark) -> int:
    """How many thread ids have the mark."""
    return int(connection.fetch_one(_COUNT, {"tenant": tenant, "mark": mark.value})[0])

"""The contents of files that code made: every one is named by a file, or has an errand under its own name.

The errand is written before the content is kept, ended by the transaction of the turn that names it, and written again
when the last of its files is deleted: a turn that made the same may be about to name it.
"""

from __future__ import annotations

from collections.abc import Iterable

from threadbridge.ports import Kind, Session, Wire
from threadbridge.service import cleanup_intents
from threadbridge.service.context import Context


def named(session: Session, context: Context, digest: str, *, mark: str) -> str:
    """The name to keep a content under: that of a file of the tenant's which has the same, else one with the mark of
    the turn, which nobody else has.
    """
    name = session.blob_of(digest) or f"{digest}-{mark}"
    cleanup_intents.note(session, _errand(context, name))
    return name


def unnamed(session: Session, context: Context, name: str) -> None:
    """A file that had this content is deleted."""
    if not session.uses_blob(name):
        cleanup_intents.note(session, _errand(context, name))


def still_there(session: Session, names: Iterable[str]) -> frozenset[str]:
    """Those of the contents that may be named, which the caller does in this transaction.

    The others were kept so long ago that they are being removed: their process must have slept.
    """
    return frozenset(name for name in set(names) if _may_be_named(session, name))


def _may_be_named(session: Session, name: str) -> bool:
    if cleanup_intents.fulfilled(session, name):
        return True
    return session.get(Kind.ERRAND, name) is None and session.uses_blob(name)


def condemned(session: Session, name: str) -> bool:
    """Whether the content is to be removed: no file has it, and from now on none will."""
    if session.uses_blob(name):
        session.remove(Kind.ERRAND, name)
        return False
    return cleanup_intents.condemned(session, name) is not None


def _errand(context: Context, name: str) -> Wire:
    return {"id": name, "created_at": context.second, "blob": name}

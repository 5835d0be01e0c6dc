"""The contents of files that code made: every one is named by a file, or has an errand under its own name.

The errand is written before the content is kept, ended by the transaction of the turn that names it, and written again
when the last of its files is deleted: a turn that made the same may be about to name it.
"""

from __future__ import annotations

from collections.abc import Iterable

from threadbridge.ports import ObjectKind, Session, Wire
from threadbridge.service import cleanup_intents
from threadbridge.service.context import ServiceContext


def reserve_blob_name(session: Session, context: ServiceContext, digest: str, *, suffix: str) -> str:
    """The name to keep a content under: that of a file of the tenant's which has the same, else one with the mark of
    the turn, which nobody else has.
    """
    name = session.find_blob_name(digest) or f"{digest}-{suffix}"
    cleanup_intents.record_intent(session, _build_cleanup_intent(context, name))
    return name


def release_blob(session: Session, context: ServiceContext, name: str) -> None:
    """A file that had this content is deleted."""
    if not session.is_blob_referenced(name):
        cleanup_intents.record_intent(session, _build_cleanup_intent(context, name))


def claim_blobs(session: Session, names: Iterable[str]) -> frozenset[str]:
    """Those of the contents that may be named, which the caller does in this transaction.

    The others were kept so long ago that they are being removed: their process must have slept.
    """
    return frozenset(name for name in set(names) if _claim_blob(session, name))


def _claim_blob(session: Session, name: str) -> bool:
    if cleanup_intents.cancel_intent(session, name):
        return True
    return session.get(ObjectKind.CLEANUP_INTENT, name) is None and session.is_blob_referenced(name)


def start_blob_cleanup(session: Session, name: str) -> bool:
    """Whether the content is to be removed: no file has it, and from now on none will."""
    if session.is_blob_referenced(name):
        session.remove(ObjectKind.CLEANUP_INTENT, name)
        return False
    return cleanup_intents.start_cleanup(session, name) is not None


def _build_cleanup_intent(context: ServiceContext, name: str) -> Wire:
    return {"id": name, "created_at": context.unix_seconds, "blob": name}

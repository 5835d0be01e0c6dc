"""Blobs of files that code created: each is named by a file, or has a cleanup intent under its own name.

The intent is written before the blob is stored, cancelled by the transaction of the turn that names the blob, and
written again when the last of its files is deleted, since a turn with the same content may be about to name it.
"""

from __future__ import annotations

from collections.abc import Iterable

from threadbridge.ports import ObjectKind, Session, Wire
from threadbridge.service import cleanup_intents
from threadbridge.service.context import ServiceContext


def reserve_blob_name(session: Session, context: ServiceContext, digest: str, *, suffix: str) -> str:
    """The blob name for a content: that of a file of the tenant with the same content, otherwise a name that the
    turn's suffix makes unique.
    """
    name = session.find_blob_name(digest) or f"{digest}-{suffix}"
    cleanup_intents.record_intent(session, _build_cleanup_intent(context, name))
    return name


def release_blob(session: Session, context: ServiceContext, name: str) -> None:
    """Record a cleanup intent for the blob of a deleted file, unless another file has it."""
    if not session.is_blob_referenced(name):
        cleanup_intents.record_intent(session, _build_cleanup_intent(context, name))


def claim_blobs(session: Session, names: Iterable[str]) -> frozenset[str]:
    """The blobs that the caller may name in this transaction.

    The cleanup of the others has started, because their process stopped for too long.
    """
    return frozenset(name for name in set(names) if _claim_blob(session, name))


def _claim_blob(session: Session, name: str) -> bool:
    if cleanup_intents.cancel_intent(session, name):
        return True
    return session.get(ObjectKind.CLEANUP_INTENT, name) is None and session.is_blob_referenced(name)


def start_blob_cleanup(session: Session, name: str) -> bool:
    """Whether the blob can be removed: no file has it, and from now on none will."""
    if session.is_blob_referenced(name):
        session.remove(ObjectKind.CLEANUP_INTENT, name)
        return False
    return cleanup_intents.start_cleanup(session, name) is not None


def _build_cleanup_intent(context: ServiceContext, name: str) -> Wire:
    return {"id": name, "created_at": context.unix_seconds, "blob": name}

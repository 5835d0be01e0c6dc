"""Cleanup intents: records of upstream objects and blobs that no row names yet or any more, for their removal.

Creating an object upstream, or storing a blob, and writing the row that names it cannot be one transaction. So the
intent is written first, and the transaction that names the object cancels it. An old intent belongs to a process or a
row that is gone: its cleanup is marked as started before anything is removed, so that no transaction names an object
that is being removed.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict, cast

from threadbridge.ports import ObjectKind, Session
from threadbridge.settings import Limits


class CleanupIntent(TypedDict):
    """An object to remove: a blob, a conversation, or what a request for vector stores and files created upstream."""

    id: str
    created_at: int
    #: Whether the cleanup has started; stored intents have it.
    condemned: NotRequired[bool]
    #: The name of a blob.
    blob: NotRequired[str]
    #: The service of a conversation, which has the id of the intent.
    conversation_at: NotRequired[str]
    #: A new vector store: the name that it is created with, and its id or that of an existing vector store.
    name: NotRequired[str | None]
    store: NotRequired[str | None]
    #: The files that were added to the vector store, and those that were uploaded.
    added: NotRequired[list[str]]
    uploaded: NotRequired[list[str]]


def get_intent(session: Session, intent_id: str) -> CleanupIntent | None:
    """The stored intent; None if it was cancelled or never recorded."""
    return cast("CleanupIntent | None", session.get(ObjectKind.CLEANUP_INTENT, intent_id))


def record_intent(session: Session, intent: CleanupIntent) -> None:
    """Write the cleanup intent, replacing an earlier one with the same id."""
    row: CleanupIntent = {**intent, "condemned": False}
    if get_intent(session, intent["id"]) is None:
        session.add(ObjectKind.CLEANUP_INTENT, row)
    else:
        session.put(ObjectKind.CLEANUP_INTENT, row)


def cancel_intent(session: Session, intent_id: str) -> bool:
    """Cancel the intent, since the transaction names its object. False if the cleanup has started."""
    intent = get_intent(session, intent_id)
    if intent is None or intent.get("condemned"):
        return False
    return session.remove(ObjectKind.CLEANUP_INTENT, intent_id)


def start_cleanup(session: Session, intent_id: str) -> CleanupIntent | None:
    """Mark the cleanup as started, so that no transaction can cancel the intent. None if it was cancelled."""
    intent = get_intent(session, intent_id)
    if intent is None:
        return None
    row: CleanupIntent = {**intent, "condemned": True}
    session.put(ObjectKind.CLEANUP_INTENT, row)
    return row


def is_cleanup_due(intent: CleanupIntent, limits: Limits, now: float) -> bool:
    """Whether the cleanup of the intent is due."""
    return bool(intent.get("condemned")) or now - intent["created_at"] > compute_cleanup_delay(limits)


def compute_cleanup_delay(limits: Limits) -> float:
    """Seconds after which an intent is abandoned: no run and no request can still be using its object."""
    return max(limits.abandoned_seconds, limits.run_expiry_seconds, limits.supply_seconds + limits.busy_wait_seconds)

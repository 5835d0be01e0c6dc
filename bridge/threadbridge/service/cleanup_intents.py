"""Cleanup intents: records of upstream objects and blobs that no row names yet or any more, for their removal.

Creating an object upstream, or storing a blob, and writing the row that names it cannot be one transaction. So the
intent is written first, and the transaction that names the object cancels it. An old intent belongs to a process or a
row that is gone: its cleanup is marked as started before anything is removed, so that no transaction names an object
that is being removed.
"""

from __future__ import annotations

from threadbridge.ports import ObjectKind, Session, Wire
from threadbridge.settings import Limits


def record_intent(session: Session, intent: Wire) -> None:
    """Write the cleanup intent, replacing an earlier one with the same id."""
    row = {**intent, "condemned": False}
    if session.get(ObjectKind.CLEANUP_INTENT, intent["id"]) is None:
        session.add(ObjectKind.CLEANUP_INTENT, row)
    else:
        session.put(ObjectKind.CLEANUP_INTENT, row)


def cancel_intent(session: Session, intent_id: str) -> bool:
    """Cancel the intent, since the transaction names its object. False if the cleanup has started."""
    intent = session.get(ObjectKind.CLEANUP_INTENT, intent_id)
    if intent is None or intent["condemned"]:
        return False
    return session.remove(ObjectKind.CLEANUP_INTENT, intent_id)


def start_cleanup(session: Session, intent_id: str) -> Wire | None:
    """Mark the cleanup as started, so that no transaction can cancel the intent. None if it was cancelled."""
    intent = session.get(ObjectKind.CLEANUP_INTENT, intent_id)
    if intent is None:
        return None
    row = {**intent, "condemned": True}
    session.put(ObjectKind.CLEANUP_INTENT, row)
    return row


def is_cleanup_due(intent: Wire, limits: Limits, now: float) -> bool:
    """Whether the cleanup of the intent is due."""
    return bool(intent["condemned"]) or now - intent["created_at"] > compute_cleanup_delay(limits)


def compute_cleanup_delay(limits: Limits) -> float:
    """Seconds after which an intent is abandoned: no run and no request can still be using its object."""
    return max(limits.abandoned_seconds, limits.run_expiry_seconds, limits.supply_seconds + limits.busy_wait_seconds)

"""What was made elsewhere and no row names, not yet or not any more: an errand says what to undo if it stays so.

Making a thing at a service, or keeping the contents of a file, and writing the row that names it cannot be one
transaction. So the errand is written first, and the transaction that names the thing ends it. One that has grown old
belongs to a process that is gone, or to a row that is: it is condemned before anything is undone, so that no
transaction names what is being removed.
"""

from __future__ import annotations

from threadbridge.ports import ObjectKind, Session, Wire
from threadbridge.settings import Limits


def record_intent(session: Session, intent: Wire) -> None:
    """Write the errand down, in place of what was written under its id before."""
    row = {**intent, "condemned": False}
    if session.get(ObjectKind.CLEANUP_INTENT, intent["id"]) is None:
        session.add(ObjectKind.CLEANUP_INTENT, row)
    else:
        session.put(ObjectKind.CLEANUP_INTENT, row)


def cancel_intent(session: Session, intent_id: str) -> bool:
    """End the errand, for the transaction names what it made. False: that is being undone, or was."""
    intent = session.get(ObjectKind.CLEANUP_INTENT, intent_id)
    if intent is None or intent["condemned"]:
        return False
    return session.remove(ObjectKind.CLEANUP_INTENT, intent_id)


def start_cleanup(session: Session, intent_id: str) -> Wire | None:
    """The errand as it is to be undone, which from now on no transaction fulfils; None where it has ended."""
    intent = session.get(ObjectKind.CLEANUP_INTENT, intent_id)
    if intent is None:
        return None
    row = {**intent, "condemned": True}
    session.put(ObjectKind.CLEANUP_INTENT, row)
    return row


def is_cleanup_due(intent: Wire, limits: Limits, now: float) -> bool:
    """Whether the errand is to be undone."""
    return bool(intent["condemned"]) or now - intent["created_at"] > compute_cleanup_delay(limits)


def compute_cleanup_delay(limits: Limits) -> float:
    """Seconds after which what was begun is abandoned: no run and no request may still go on with it."""
    return max(limits.abandoned_seconds, limits.run_expiry_seconds, limits.supply_seconds + limits.busy_wait_seconds)

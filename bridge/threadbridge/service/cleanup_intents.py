"""What was made elsewhere and no row names, not yet or not any more: an errand says what to undo if it stays so.

Making a thing at a service, or keeping the contents of a file, and writing the row that names it cannot be one
transaction. So the errand is written first, and the transaction that names the thing ends it. One that has grown old
belongs to a process that is gone, or to a row that is: it is condemned before anything is undone, so that no
transaction names what is being removed.
"""

from __future__ import annotations

from threadbridge.ports import Kind, Session, Wire
from threadbridge.settings import Limits


def note(session: Session, errand: Wire) -> None:
    """Write the errand down, in place of what was written under its id before."""
    row = {**errand, "condemned": False}
    if session.get(Kind.ERRAND, errand["id"]) is None:
        session.add(Kind.ERRAND, row)
    else:
        session.put(Kind.ERRAND, row)


def fulfilled(session: Session, errand_id: str) -> bool:
    """End the errand, for the transaction names what it made. False: that is being undone, or was."""
    errand = session.get(Kind.ERRAND, errand_id)
    if errand is None or errand["condemned"]:
        return False
    return session.remove(Kind.ERRAND, errand_id)


def condemned(session: Session, errand_id: str) -> Wire | None:
    """The errand as it is to be undone, which from now on no transaction fulfils; None where it has ended."""
    errand = session.get(Kind.ERRAND, errand_id)
    if errand is None:
        return None
    row = {**errand, "condemned": True}
    session.put(Kind.ERRAND, row)
    return row


def is_due(errand: Wire, limits: Limits, now: float) -> bool:
    """Whether the errand is to be undone."""
    return bool(errand["condemned"]) or now - errand["created_at"] > patience(limits)


def patience(limits: Limits) -> float:
    """Seconds after which what was begun is abandoned: no run and no request may still go on with it."""
    return max(limits.abandoned_seconds, limits.run_expiry_seconds, limits.supply_seconds + limits.busy_wait_seconds)

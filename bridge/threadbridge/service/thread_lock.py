"""A thread is locked while a run is active on it: no new messages, no new runs (A42, A52, A63)."""

from __future__ import annotations

from threadbridge.errors import InvalidRequest
from threadbridge.ports import Session
from threadbridge.service.context import ServiceContext
from threadbridge.service.run_expiry import get_active_run, is_overdue


class ThreadBusy(InvalidRequest):
    """Refused because a run is active; the same request may be accepted later."""


def ensure_messages_allowed(session: Session, context: ServiceContext, thread_id: str) -> None:
    """Raises ThreadBusy while a run is active; the text is parsed by clients (A42, C1)."""
    run = get_active_run(session, context, thread_id)
    if run is not None:
        raise ThreadBusy(f"Can't add messages to {thread_id} while a run {run['id']} is active.")


def ensure_run_allowed(session: Session, context: ServiceContext, thread_id: str) -> None:
    """Raises ThreadBusy while another run is active (A52)."""
    run = get_active_run(session, context, thread_id)
    if run is not None:
        raise ThreadBusy(f"Thread {thread_id} already has an active run {run['id']}.")


def may_be_unlocked(session: Session, now: float, thread_id: str) -> bool:
    """Whether a request that was refused is worth another attempt: no run is active, or its time is up."""
    run = session.get_active_run(thread_id)
    return run is None or is_overdue(session, now, run)

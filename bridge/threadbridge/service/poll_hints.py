"""How long a client is advised to wait before it looks at a run again (A5, C13)."""

from __future__ import annotations

from threadbridge.ports import Wire
from threadbridge.run_states import is_active

#: (age of the run's current stretch in seconds, advice in milliseconds): quick answers are seen quickly, long ones cost
#: few requests. Without advice the SDKs wait a second.
_HINTS_BY_AGE = ((2.0, 50), (10.0, 250), (60.0, 1000))
_MAX_HINT_MS = 2000


def compute_poll_hint_ms(run: Wire, now: float) -> int | None:
    """Milliseconds until the next look is worth it; None when the run has ended or waits for the client."""
    if not is_active(run) or run["status"] == "requires_action":
        return None
    age = now - (run["started_at"] or run["created_at"])
    return next((advice for until, advice in _HINTS_BY_AGE if age < until), _MAX_HINT_MS)

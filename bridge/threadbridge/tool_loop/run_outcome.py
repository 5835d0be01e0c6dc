"""How a run ended, as an exception that names it."""

from __future__ import annotations

from collections.abc import Mapping

from threadbridge.errors import RunCancelled, RunError, RunExpired, RunFailed, RunIncomplete
from threadbridge.ports import Wire
from threadbridge.run_states import TERMINAL_STATUSES, RunStatus

#: Statuses in which the next step is the caller's: `poll` stops at them (A62).
POLL_STOP_STATUSES = TERMINAL_STATUSES | {RunStatus.REQUIRES_ACTION}

_ERRORS: Mapping[str, type[RunError]] = {
    RunStatus.FAILED: RunFailed,
    RunStatus.EXPIRED: RunExpired,
    RunStatus.CANCELLED: RunCancelled,
    RunStatus.INCOMPLETE: RunIncomplete,
}


def get_run_error(run: Wire) -> RunError | None:
    """The error that a finished run stands for; None for one that completed."""
    error_type = _ERRORS.get(run["status"])
    return None if error_type is None else error_type(f"run {run['id']} is {run['status']}{_format_reason(run)}", run)


def build_round_limit_error(run: Wire, max_rounds: int) -> RunError:
    """The error of a run that was cancelled because it would not stop calling."""
    return RunCancelled(
        f"run {run['id']} was cancelled: it asked for tool outputs more than {max_rounds} times (max_rounds)", run
    )


def _format_reason(run: Wire) -> str:
    error = run.get("last_error")
    if error:
        return f": {error.get('code')}: {error.get('message')}"
    details = run.get("incomplete_details")
    return f": {details.get('reason')}" if details else ""

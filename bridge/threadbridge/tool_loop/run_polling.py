"""When to poll a run again, when to stop, and which error stands for a run that did not complete."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from threadbridge.api_types import RunObject
from threadbridge.errors import RunCancelled, RunError, RunExpired, RunFailed, RunIncomplete
from threadbridge.run_states import TERMINAL_STATUSES, RunStatus

#: Statuses in which a run makes no progress without the caller: `poll` stops at them (A62).
POLL_STOP_STATUSES = TERMINAL_STATUSES | {RunStatus.REQUIRES_ACTION}

#: Seconds that the openai SDK's helpers wait by default (A5).
DEFAULT_POLL_INTERVAL = 1.0
#: Seconds before the first three polls of `execute`: most runs are short.
FIRST_DELAYS = (0.2, 0.4, 0.8)
#: Seconds before later polls: from one to ten, growing by this factor.
MIN_DELAY, MAX_DELAY, GROWTH_FACTOR = 1.0, 10.0, 1.5
#: Up to this share is added at random, so that many clients do not poll at the same moment.
JITTER = 0.25


def get_poll_interval(requested_ms: int | None, hint_ms: int | None) -> float:
    """Seconds between two polls of `poll`: the caller's choice, else the service's hint, else one (A5, A62)."""
    if requested_ms is not None:
        return requested_ms / 1000
    return DEFAULT_POLL_INTERVAL if hint_ms is None else hint_ms / 1000


class PollBackoff:
    """The pauses of `execute`: short at first, then growing; a hint of the service takes precedence."""

    def __init__(self, random_fraction: Callable[[], float]) -> None:
        self._random_fraction = random_fraction
        self._first_delays = iter(FIRST_DELAYS)  # used once in a whole run, whatever the number of its rounds
        self._growing_delay = MIN_DELAY

    def reset(self) -> None:
        """Start the growing delays again, after tool outputs were submitted."""
        self._growing_delay = MIN_DELAY

    def get_next_delay(self, hint_ms: int | None) -> float:
        """Seconds to wait before the next poll."""
        seconds = next(self._first_delays, None)
        minimum = 0.0
        if seconds is None:
            seconds, minimum = self._growing_delay, MIN_DELAY
            self._growing_delay = min(seconds * GROWTH_FACTOR, MAX_DELAY)
        if hint_ms is not None:
            seconds = hint_ms / 1000
        return max(seconds, minimum) * (1 + JITTER * self._random_fraction())


_ERRORS: Mapping[str, type[RunError]] = {
    RunStatus.FAILED: RunFailed,
    RunStatus.EXPIRED: RunExpired,
    RunStatus.CANCELLED: RunCancelled,
    RunStatus.INCOMPLETE: RunIncomplete,
}


def get_run_error(run: RunObject) -> RunError | None:
    """The error that stands for a run at its end; None for one that completed."""
    error_type = _ERRORS.get(run["status"])
    if error_type is None:
        return None
    reason = ""
    error, details = run.get("last_error"), run.get("incomplete_details")
    if error:
        reason = f": {error.get('code')}: {error.get('message')}"
    elif details:
        reason = f": {details.get('reason')}"
    return error_type(f"run {run['id']} is {run['status']}{reason}", run)


def build_round_limit_error(run: RunObject, max_rounds: int) -> RunError:
    """The error of a run that was cancelled because it required tool outputs too often."""
    return RunCancelled(
        f"run {run['id']} was cancelled: it required tool outputs more than {max_rounds} times (max_rounds)", run
    )

"""How long to wait before looking at a run again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

#: What the openai SDK's helpers wait when nobody says anything (A5).
DEFAULT_POLL_INTERVAL = 1.0
#: The first three looks come quickly, because most runs are short.
FIRST_DELAYS = (0.2, 0.4, 0.8)
#: After them never more than one look a second, and at least one in ten.
MIN_DELAY, MAX_DELAY, GROWTH_FACTOR = 1.0, 10.0, 1.5
#: Up to this share is added by chance, so that many waiters do not look at the same moment.
JITTER = 0.25


def get_poll_interval(requested_ms: int | None, hint_ms: int | None) -> float:
    """Seconds between two looks of `poll`: the caller's choice, else the service's advice, else one (A5, A62)."""
    if requested_ms is not None:
        return requested_ms / 1000
    return DEFAULT_POLL_INTERVAL if hint_ms is None else hint_ms / 1000


class PollBackoff:
    """The pauses of `execute`: short at first, then growing; the service's advice goes before its own plan."""

    def __init__(self, random_fraction: Callable[[], float]) -> None:
        self._random_fraction = random_fraction
        self._first_delays = iter(FIRST_DELAYS)  # of the whole run, however many rounds it has
        self._growing_delays = _iterate_growing_delays()

    def reset(self) -> None:
        """The run was answered and works anew: what grew begins again, the quick looks are used up."""
        self._growing_delays = _iterate_growing_delays()

    def get_next_delay(self, hint_ms: int | None) -> float:
        """Seconds to wait before the next look."""
        first_delay = next(self._first_delays, None)
        planned = next(self._growing_delays) if first_delay is None else first_delay
        seconds = planned if hint_ms is None else hint_ms / 1000
        if first_delay is None:
            seconds = max(seconds, MIN_DELAY)
        return seconds * (1 + JITTER * self._random_fraction())


def _iterate_growing_delays() -> Iterator[float]:
    seconds = MIN_DELAY
    while True:
        yield seconds
        seconds = min(seconds * GROWTH_FACTOR, MAX_DELAY)

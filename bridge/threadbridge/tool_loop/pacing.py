"""How long to wait before looking at a run again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

#: What the openai SDK's helpers wait when nobody says anything (A5).
DEFAULT_INTERVAL = 1.0
#: The first three looks come quickly, because most runs are short.
FIRST_PAUSES = (0.2, 0.4, 0.8)
#: After them never more than one look a second, and at least one in ten.
SHORTEST, LONGEST, GROWTH = 1.0, 10.0, 1.5
#: Up to this share is added by chance, so that many waiters do not look at the same moment.
JITTER = 0.25


def interval(chosen_ms: int | None, advised_ms: int | None) -> float:
    """Seconds between two looks of `poll`: the caller's choice, else the service's advice, else one (A5, A62)."""
    if chosen_ms is not None:
        return chosen_ms / 1000
    return DEFAULT_INTERVAL if advised_ms is None else advised_ms / 1000


class Pacing:
    """The pauses of `execute`: short at first, then growing; the service's advice goes before its own plan."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._plan = _plan()
        self._taken = 0

    def pause(self, advised_ms: int | None) -> float:
        """Seconds to wait before the next look."""
        planned = next(self._plan)
        self._taken += 1
        seconds = planned if advised_ms is None else advised_ms / 1000
        if self._taken > len(FIRST_PAUSES):
            seconds = max(seconds, SHORTEST)
        return seconds * (1 + JITTER * self._chance())


def _plan() -> Iterator[float]:
    yield from FIRST_PAUSES
    seconds = SHORTEST
    while True:
        yield seconds
        seconds = min(seconds * GROWTH, LONGEST)

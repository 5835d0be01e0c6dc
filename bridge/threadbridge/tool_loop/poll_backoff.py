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
        self._quick = iter(FIRST_PAUSES)  # of the whole run, however many rounds it has
        self._steady = _steady()

    def another_round(self) -> None:
        """The run was answered and works anew: what grew begins again, the quick looks are used up."""
        self._steady = _steady()

    def pause(self, advised_ms: int | None) -> float:
        """Seconds to wait before the next look."""
        quick = next(self._quick, None)
        planned = next(self._steady) if quick is None else quick
        seconds = planned if advised_ms is None else advised_ms / 1000
        if quick is None:
            seconds = max(seconds, SHORTEST)
        return seconds * (1 + JITTER * self._chance())


def _steady() -> Iterator[float]:
    seconds = SHORTEST
    while True:
        yield seconds
        seconds = min(seconds * GROWTH, LONGEST)

"""Results of comparisons and their bounds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Measure = Literal["ratio", "difference", "value"]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: both measurements, and the bound on their ratio, their difference or the first one."""

    name: str
    unit: str
    ours: float
    other: float | None
    beside: str
    measure: Measure
    bound: float
    at_least: bool = False

    @property
    def result(self) -> float:
        """The number to which the bound applies."""
        match self.measure:
            case "ratio":
                assert self.other is not None
                return self.ours / self.other
            case "difference":
                assert self.other is not None
                return self.ours - self.other
            case "value":
                return self.ours

    @property
    def holds(self) -> bool:
        """Whether the result is within the bound."""
        return self.result >= self.bound if self.at_least else self.result <= self.bound

    def to_json(self) -> dict[str, Any]:
        """All fields, for `--json`."""
        return {**asdict(self), "result": self.result, "holds": self.holds}


def make_ratio_row(name: str, unit: str, pairs: Sequence[tuple[float, float]], *, beside: str, bound: float) -> Row:
    """A row for the ratio of two alternately measured sides: the repeat with the median ratio."""
    ours, other = sorted(pairs, key=lambda pair: pair[0] / pair[1])[len(pairs) // 2]
    return Row(name, unit, ours, other, beside, "ratio", bound)


def make_delay_row(name: str, pairs: Sequence[tuple[float, float]], *, beside: str, bound: float) -> Row:
    """A row for the added delay of ThreadBridge in milliseconds: the medians of both sides."""
    ours, other = (statistics.median(side) for side in zip(*pairs, strict=True))
    return Row(name, "ms", ours, other, beside, "difference", bound)

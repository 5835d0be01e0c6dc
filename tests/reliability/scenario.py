"""What a scenario counts. Every fault is one too many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias


class Fault(StrEnum):
    """What must never happen."""

    LOST = "lost"  # something that was acknowledged does not exist
    DOUBLED = "doubled"  # something exists more often than it was requested
    UNFINISHED = "unfinished"  # a run that does not become terminal, a request without a response
    UNTERMINATED = "unterminated"  # a stream that ends without its last event, though the connection did not break
    UNEXPECTED = "unexpected"  # a response, a run or a log line that no request explains


@dataclass
class Evidence:
    """The counts of a scenario. `tried` is in the unit that the scenario names."""

    tried: int = 0
    faults: Counter[Fault] = field(default_factory=Counter[Fault])
    descriptions: list[str] = field(default_factory=list[str])
    #: Further counts that say how much was at stake, such as messages and runs.
    amounts: Counter[str] = field(default_factory=Counter[str])

    def report(self, fault: Fault, description: str) -> None:
        """Count a fault."""
        self.faults[fault] += 1
        self.descriptions.append(f"{fault}: {description}")


#: Performs a scenario of the size and seed, and counts into the evidence.
Perform: TypeAlias = Callable[[Evidence, int, int], None]


@dataclass(frozen=True)
class Scenario:
    """One row of the table in `tests.reliability.__main__`."""

    unit: str
    perform: Perform
    #: Size of a run of the command, and of the tests.
    size: int
    dose: int

    def collect(self, size: int, seed: int) -> Evidence:
        """Perform the scenario; an exception is a fault, because nothing in a scenario may raise."""
        evidence = Evidence()
        self.perform(evidence, size, seed)
        return evidence

"""Time and chance, each through one port, so that tests need neither waiting nor patching."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias


class Clock(Protocol):
    """The one source of time, so that expiry and polling are tested without waiting."""

    def now(self) -> float:
        """Unix time in seconds."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Callable[[], object]:
        """Have the running loop call something after that time; what is returned calls it off. Costs no task."""
        ...


#: Makes a fresh id with a prefix: `new_id("run")` gives `run_` and 24 alphanumerics (A9, C1).
IdGenerator: TypeAlias = Callable[[str], str]

#: How many tokens a text is. May be an estimate; must be fast, for it is called within transactions.
TokenCounter: TypeAlias = Callable[[str], int]

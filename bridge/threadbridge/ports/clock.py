"""The ports for time, ids and token counts, so that tests need neither waiting nor patching."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias


class Clock(Protocol):
    """The only source of time, so that tests of expiry and polling do not wait."""

    def now(self) -> float:
        """Unix time in seconds."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait that many seconds."""
        ...

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Callable[[], object]:
        """Have the running loop call `callback` after that time, without a task. The returned function cancels it."""
        ...


#: Returns a new id with a prefix: `new_id("run")` gives `run_` and 24 alphanumerics (A9, C1).
IdGenerator: TypeAlias = Callable[[str], str]

#: The number of tokens of a text. May be an estimate; must be fast, because it is called within transactions.
TokenCounter: TypeAlias = Callable[[str], int]

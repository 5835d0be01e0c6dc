"""The real clock and the real source of ids."""

from __future__ import annotations

import asyncio
import os
import string
import time
from collections.abc import Callable

_ID_LENGTH = 24
#: Random bytes for an id: eight more than its digits, because some are dropped.
_ID_BYTES = _ID_LENGTH + 8
_ALPHABET = (string.ascii_letters + string.digits).encode()
#: Each digit stands for four byte values; the remaining values are dropped, as they would favour some digits.
_BYTE_TO_DIGIT = (_ALPHABET * 4).ljust(256)
_EXCESS_BYTES = bytes(range(len(_ALPHABET) * 4, 256))


class SystemClock:
    """The clock of the operating system."""

    def now(self) -> float:
        """Unix time in seconds."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait without blocking the event loop."""
        await asyncio.sleep(seconds)

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Callable[[], object]:
        """Call `callback` on the running loop after this time; the returned function cancels it."""
        return asyncio.get_running_loop().call_later(seconds, callback).cancel


def new_id(prefix: str) -> str:
    """A new id: the prefix, an underscore, and 24 letters and digits, never `-` or `_` (A9, C1)."""
    digits = b""
    while len(digits) < _ID_LENGTH:  # a second round happens once in billions of ids
        digits = os.urandom(_ID_BYTES).translate(_BYTE_TO_DIGIT, _EXCESS_BYTES)
    return f"{prefix}_{digits[:_ID_LENGTH].decode()}"

"""The real clock and the real source of ids."""

from __future__ import annotations

import asyncio
import os
import string
import time
from collections.abc import Callable

_ID_LENGTH = 24
#: Random bytes behind an id. Eight more than its digits, because some are thrown away.
_ID_BYTES = _ID_LENGTH + 8
_ALPHABET = (string.ascii_letters + string.digits).encode()
#: Four bytes for every digit; the bytes that are left over would favour some of them.
_BYTE_TO_DIGIT = (_ALPHABET * 4).ljust(256)
_EXCESS_BYTES = bytes(range(len(_ALPHABET) * 4, 256))


class SystemClock:
    """Wall-clock time and real waiting."""

    def now(self) -> float:
        """Unix time in seconds."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait without blocking the loop."""
        await asyncio.sleep(seconds)

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Callable[[], object]:
        """Have the running loop call something after that time."""
        return asyncio.get_running_loop().call_later(seconds, callback).cancel


def new_id(prefix: str) -> str:
    """A fresh id: the prefix, an underscore, and 24 letters and digits, never `-` or `_` (A9, C1)."""
    digits = b""
    while len(digits) < _ID_LENGTH:  # once, but for one time in billions
        digits = os.urandom(_ID_BYTES).translate(_BYTE_TO_DIGIT, _EXCESS_BYTES)
    return f"{prefix}_{digits[:_ID_LENGTH].decode()}"

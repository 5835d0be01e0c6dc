"""The real clock and the real source of ids."""

from __future__ import annotations

import asyncio
import os
import string
import time

_ALPHABET = string.ascii_letters + string.digits
_ID_LENGTH = 24
#: Random bytes behind an id; enough for 24 digits to the base of 62.
_ID_BYTES = 20
#: Ids whose randomness is fetched in one call to the system, which costs more than an id.
_IDS_AT_ONCE = 64

_numbers: list[int] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_numbers.clear)  # parent and child must not give out the same ids


class SystemClock:
    """Wall-clock time and real waiting."""

    def now(self) -> float:
        """Unix time in seconds."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait without blocking the loop."""
        await asyncio.sleep(seconds)


def new_id(prefix: str) -> str:
    """A fresh id: the prefix, an underscore, and 24 letters and digits, never `-` or `_` (A9, C1)."""
    number = _random_number()
    digits: list[str] = []
    for _ in range(_ID_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return f"{prefix}_{''.join(digits)}"


def _random_number() -> int:
    while True:
        try:
            return _numbers.pop()  # one step of the interpreter: two threads never get the same
        except IndexError:
            fresh = os.urandom(_ID_BYTES * _IDS_AT_ONCE)
            starts = range(0, len(fresh), _ID_BYTES)
            _numbers.extend(int.from_bytes(fresh[start : start + _ID_BYTES]) for start in starts)

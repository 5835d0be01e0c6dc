"""The real clock and the real source of ids."""

from __future__ import annotations

import asyncio
import secrets
import string
import time

_ALPHABET = string.ascii_letters + string.digits
_ID_LENGTH = 24


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
    return f"{prefix}_{''.join(secrets.choice(_ALPHABET) for _ in range(_ID_LENGTH))}"

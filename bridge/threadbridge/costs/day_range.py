"""A day as people name it: by its date, or by how long ago it was."""

from __future__ import annotations

import re
from datetime import date

_FIRST_DAY = date(1970, 1, 1)
_RELATIVE_DAY = re.compile(r"(?P<count>[0-9]{1,5})(?P<unit>[dw])")
_DAYS = {"d": 1, "w": 7}


def parse_day(text: str, *, today: int) -> int:
    """The day as the sums count it (days since 1970, UTC). Raises ValueError with a sentence on what can be named."""
    ago = _RELATIVE_DAY.fullmatch(text)
    if ago is not None:
        return today - int(ago["count"]) * _DAYS[ago["unit"]]
    try:
        return (date.fromisoformat(text) - _FIRST_DAY).days
    except ValueError:
        raise ValueError(
            f"{text!r} is no day; name one by its date, like 2026-11-01, or by how long ago it was, like 7d or 4w."
        ) from None

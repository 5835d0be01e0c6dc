"""Which paths of requests stay below the base URL of the service."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

#: What a path must contain to leave the base URL or to hold a character that no id has.
_SUSPICIOUS: Final = re.compile(rb"\.\.|%|\\|[\x00-\x20\x7f]")
#: How often a path may be escaped.
_MAX_DECODINGS: Final = 4
_SEPARATORS: Final = re.compile(r"[/\\]")
_CONTROL_CHARACTERS: Final = re.compile(r"[\x00-\x1f\x7f]")


def is_below_base(raw_path: bytes) -> bool:
    """Whether every server that gets this path below a base URL takes it for a path below that URL.

    Servers differ in what they decode, how often, and whether a backslash separates segments.
    """
    if not raw_path.startswith(b"/"):
        return False  # `@host` after the host of a base URL would name another host
    if _SUSPICIOUS.search(raw_path) is None:
        return True
    path = raw_path.decode("latin-1")
    for _ in range(_MAX_DECODINGS):
        # A server with path parameters ignores what follows a semicolon.
        segments = (segment.partition(";")[0] for segment in _SEPARATORS.split(path))
        if _CONTROL_CHARACTERS.search(path) or not {".", ".."}.isdisjoint(segments):
            return False
        decoded = unquote(path, "latin-1")
        if decoded == path:
            return True
        path = decoded
    return False

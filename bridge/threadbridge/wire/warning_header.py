"""The response header that says what of a request was accepted and will not be done as it was asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

#: A list of strings as HTTP writes them (RFC 9651): `"One sentence.", "Another one."`.
HEADER = "threadbridge-warning"

#: Characters of the whole header: some proxies refuse a response whose headers have more than 4 kB.
HEADER_CHARACTERS = 2000

#: Characters of one warning; names that a client made up may be of any length.
_WARNING_CHARACTERS = 300

_MORE = '"There are more warnings; the log has all of them."'
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_UNSAFE = re.compile(r"[^\x20-\x7e]")


def warning_headers(warnings: Sequence[str]) -> dict[str, str]:
    """The header for these warnings, each of them once; none where there are none."""
    written: list[str] = []
    left = HEADER_CHARACTERS - len(_MORE)
    for warning in dict.fromkeys(warnings):
        quoted = _quoted(warning)
        left -= len(quoted) + 2
        if left < 0:
            written.append(_MORE)
            break
        written.append(quoted)
    return {HEADER: ", ".join(written)} if written else {}


def warnings_in(headers: Mapping[str, str]) -> list[str]:
    """The warnings of a response that came from another ThreadBridge."""
    return [re.sub(r"\\(.)", r"\1", quoted) for quoted in _QUOTED.findall(headers.get(HEADER, ""))]


def _quoted(warning: str) -> str:
    """Anything but printable ASCII could end the header or begin another one."""
    short = warning if len(warning) <= _WARNING_CHARACTERS else f"{warning[:_WARNING_CHARACTERS]}..."
    escaped = _UNSAFE.sub("?", short).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

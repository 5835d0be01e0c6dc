"""The response header that says what of a request was accepted and will not be done as it was asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

#: A list of strings as HTTP writes them (RFC 9651): `"One sentence.", "Another one."`.
WARNING_HEADER = "threadbridge-warning"

#: Characters of the whole header: some proxies refuse a response whose headers have more than 4 kB.
MAX_HEADER_CHARACTERS = 2000

#: Characters of one warning; names that a client made up may be of any length.
_MAX_WARNING_CHARACTERS = 300

_TRUNCATION_NOTICE = '"There are more warnings; the log has all of them."'
_QUOTED_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_UNSAFE = re.compile(r"[^\x20-\x7e]")


def build_warning_headers(warnings: Sequence[str]) -> dict[str, str]:
    """The header for these warnings, each of them once; none where there are none."""
    items: list[str] = []
    left = MAX_HEADER_CHARACTERS - len(_TRUNCATION_NOTICE)
    for warning in dict.fromkeys(warnings):
        quoted = _quote(warning)
        left -= len(quoted) + 2
        if left < 0:
            items.append(_TRUNCATION_NOTICE)
            break
        items.append(quoted)
    return {WARNING_HEADER: ", ".join(items)} if items else {}


def parse_warning_headers(headers: Mapping[str, str]) -> list[str]:
    """The warnings of a response that came from another ThreadBridge."""
    return [re.sub(r"\\(.)", r"\1", quoted) for quoted in _QUOTED_STRING.findall(headers.get(WARNING_HEADER, ""))]


def _quote(warning: str) -> str:
    """Anything but printable ASCII could end the header or begin another one."""
    short = warning if len(warning) <= _MAX_WARNING_CHARACTERS else f"{warning[:_MAX_WARNING_CHARACTERS]}..."
    escaped = _UNSAFE.sub("?", short).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

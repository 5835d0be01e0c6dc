"""The response header with warnings about accepted parts of a request that are ignored or replaced."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

#: A list of strings in the syntax of RFC 9651: `"One sentence.", "Another one."`.
WARNING_HEADER = "threadbridge-warning"

#: The most characters of the header: some proxies reject a response with more than 4 kB of headers.
MAX_HEADER_CHARACTERS = 2000

#: The most characters of one warning: names from a client can have any length.
_MAX_WARNING_CHARACTERS = 300

_TRUNCATION_NOTICE = '"There are more warnings; the log has all of them."'
_QUOTED_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_UNSAFE = re.compile(r"[^\x20-\x7e]")


def build_warning_headers(warnings: Sequence[str]) -> dict[str, str]:
    """The header for these warnings, without duplicates; no header without warnings."""
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
    """Keep printable ASCII only: other characters could end the header or start another one."""
    short = warning if len(warning) <= _MAX_WARNING_CHARACTERS else f"{warning[:_MAX_WARNING_CHARACTERS]}..."
    escaped = _UNSAFE.sub("?", short).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

"""Thread ids from arguments, files and standard input."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from threadbridge_migrate.errors import UsageError

#: Accepted ids; services other than OpenAI's have their own prefixes.
_ID = re.compile(r"[A-Za-z0-9_-]{1,256}")


def read_ids(words: Sequence[str], stdin: TextIO) -> list[str]:
    """The distinct ids that the arguments name, in order.

    An argument is `-` (standard input), a file, or an id. Files have one id per line. Blank lines, comments after `#`,
    and quotes and commas around an id are ignored, so that a column of a CSV file can be used.
    Raises UsageError for a missing file and for a line without an id.
    """
    return list(dict.fromkeys(found for word in words for found in _read_word(word, stdin)))


def _read_word(word: str, stdin: TextIO) -> Iterator[str]:
    if word == "-":
        yield from _parse_lines("standard input", stdin)
    elif Path(word).is_file():
        try:
            with Path(word).open(encoding="utf-8-sig") as file:
                yield from _parse_lines(word, file)
        except UnicodeDecodeError as exc:
            raise UsageError(f"{word} is not a text file with one thread id per line.") from exc
    elif _ID.fullmatch(word):
        yield word
    else:
        raise UsageError(f"{word!r} is neither a file nor a thread id.")


def _parse_lines(name: str, lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        text = line.partition("#")[0].strip().strip("\"',").strip()
        if not text:
            continue
        if not _ID.fullmatch(text):
            raise UsageError(f"{name}, line {number}: {text[:80]!r} is not a thread id.")
        yield text

"""Which threads to export: ids from arguments, files and standard input, or all that the source lists."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TextIO

from threadbridge.api_types import JsonMapping
from threadbridge.ports import Backend
from threadbridge.settings import Settings
from threadbridge_migrate.errors import UsageError
from threadbridge_migrate.export.rate_limited_source import RateLimitedSource

#: Accepted ids; services other than OpenAI's have their own prefixes.
_ID = re.compile(r"[A-Za-z0-9_-]{1,256}")

#: User and password of a URL: the text between `://` and the last @ before the host.
_CREDENTIALS = re.compile(r"(?<=://)[^/]*@")


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


async def iterate_ids(ids: Sequence[str]) -> AsyncIterator[str]:
    """An asynchronous iterator over known ids."""
    for thread_id in ids:
        yield thread_id


def iterate_listed_ids(backend: Backend, source: RateLimitedSource) -> AsyncIterator[str]:
    """The ids of all threads, oldest first. Raises UsageError if the source cannot list threads."""
    if not backend.capabilities.lists_threads:
        raise UsageError(
            "This source cannot list its threads: name them with --ids (a file, - for standard input, or ids); "
            "if the service can list them, set `assistants.list_threads` to true."
        )

    async def iterate_unique_ids() -> AsyncIterator[str]:
        seen = set[str]()
        async for page in source.iterate_pages(partial(backend.list_threads, source.context)):
            for thread in page:
                if thread["id"] not in seen:
                    seen.add(thread["id"])
                    yield thread["id"]

    return iterate_unique_ids()


def describe_source(settings: Settings) -> JsonMapping:
    """The identity of the source, for the manifest; contains no secret."""
    match settings.backend:
        case "assistants":
            return {"backend": "assistants", "base_url": _strip_secrets(settings.assistants.base_url)}
        case "responses":
            return {"backend": "responses", "store": _strip_secrets(settings.store), "tenant": settings.tenant}
        case name:
            return {"backend": name, "tenant": settings.tenant}


def _strip_secrets(url: str | None) -> str | None:
    """The URL without user, password and query."""
    return None if url is None else _CREDENTIALS.sub("", re.split(r"[?#]", url, maxsplit=1)[0], count=1)

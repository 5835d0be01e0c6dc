"""Sources and destinations of the subcommands: an archive, a store, or a service that speaks Assistants v2."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from threadbridge.api_types import JsonMapping, JsonObject, is_json_object
from threadbridge.runtime.settings_loader import load_settings, reject_secret_argument
from threadbridge.settings import Settings
from threadbridge_migrate.archive.reader import MANIFEST
from threadbridge_migrate.errors import UsageError
from threadbridge_migrate.export.foundry import authorize, build_project_settings, is_project_url
from threadbridge_migrate.export.rate_limited_source import RateLimitedSource
from threadbridge_migrate.export.thread_source import ThreadSource

#: User and password of a URL: the text between `://` and the last @ before the host.
_CREDENTIALS = re.compile(r"(?<=://)[^/]*@")


_SQLITE_HEADER = b"SQLite format 3\0"


@dataclass(frozen=True, slots=True)
class ArchiveLocation:
    """An archive; the directory may be missing if the caller of `resolve` allows a new one."""

    path: Path


@dataclass(frozen=True, slots=True)
class BackendLocation:
    """A store or a service: the settings with which `open_backend` opens it."""

    settings: Settings

    def describe(self) -> JsonMapping:
        """The identity of the store or the service, without secrets."""
        return describe_source(self.settings)


def resolve(
    word: str, *, option: str = "SOURCE", is_new: bool = False, settings: JsonMapping | None = None
) -> ArchiveLocation | BackendLocation:
    """What a word of the command line names.

    | word                                   | location                                                     |
    |----------------------------------------|--------------------------------------------------------------|
    | directory with an archive              | the archive                                                  |
    | `https://HOST/api/projects/NAME`       | the Foundry project                                          |
    | another `http://` or `https://` URL    | the service                                                  |
    | `sqlite:///PATH`, `postgresql://…`, `:memory:`, a file of SQLite | the store                          |
    | directory that is missing or empty     | a new archive, if `is_new`                                   |

    `option` names the word in errors. `settings` are further settings in the form of `load_settings`; those of the
    environment and of files apply too, keys among them. Raises UsageError for a word of another kind, and
    ConfigurationError for wrong settings and for a secret in a URL.
    """
    further: JsonObject = dict(settings or {})
    if word.startswith(("http://", "https://")):
        reject_secret_argument(option, "assistants.base_url", word)
        section: object = further.pop("assistants", None)
        service: JsonObject = build_project_settings(word) if is_project_url(word) else {"base_url": word}
        assistants: JsonObject = {**service, **(section if is_json_object(section) else {})}
        loaded = load_settings(**{**further, "backend": "assistants", "assistants": assistants})
        return BackendLocation(authorize(loaded))
    path = Path(word)
    if "://" not in word and word != ":memory:":
        if (path / MANIFEST).is_file() or (is_new and not _is_occupied(path)):
            return ArchiveLocation(path)
        if not _is_sqlite_file(path):
            raise UsageError(
                f"{option} {word!r} is neither an archive (a directory with {MANIFEST}), nor the URL of a store "
                "(sqlite:///PATH) or of a service (https://HOST/v1)."
            )
        word = f"sqlite:///{path}"
    reject_secret_argument(option, "store", word)
    return BackendLocation(load_settings(**{**further, "backend": "responses", "store": word}))


def _is_occupied(path: Path) -> bool:
    return path.exists() and not (path.is_dir() and not any(path.iterdir()))


def _is_sqlite_file(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_SQLITE_HEADER)) == _SQLITE_HEADER


async def iterate_ids(ids: Sequence[str]) -> AsyncIterator[str]:
    """An asynchronous iterator over known ids."""
    for thread_id in ids:
        yield thread_id


def iterate_listed_ids(backend: ThreadSource, source: RateLimitedSource) -> AsyncIterator[str]:
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

"""Uploads the files of an archive to the Responses service of a store, and creates its vector stores again.

The service assigns new ids. The ledger has the line of each file before anything names it, so a load that was killed
continues; an upload whose answer was lost leaves a file that nothing names.
"""

from __future__ import annotations

import asyncio
import hashlib
import mimetypes
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple, TypeVar

from threadbridge.api_types import JsonObject, is_json_object
from threadbridge.errors import UpstreamError
from threadbridge.ports import Upstream
from threadbridge.ports.upstream import build_path
from threadbridge_migrate.archive.reader import Archive, Part, is_content_path
from threadbridge_migrate.load.id_ledger import append_to_ledger, get_ledger_path, read_ledger
from threadbridge_migrate.upstream_retries import UpstreamRetries

T = TypeVar("T")

#: Files that are uploaded, or added to vector stores, at the same time.
CONCURRENCY: Final = 8

#: Seconds after which a vector store that is still indexing is left to itself.
MAX_INDEXING_SECONDS: Final = 600.0

_SECONDS_BETWEEN_POLLS: Final = 0.5
_CHUNK_BYTES: Final = 1 << 20

#: Purposes that a client may choose. Files that the service wrote itself have others.
_UPLOADABLE_PURPOSES: Final = frozenset({"assistants", "vision", "user_data"})
_OTHER_PURPOSE: Final = "user_data"

#: What can be set when a vector store is created, or a file is added to one.
_STORE_FIELDS: Final = ("name", "description", "metadata", "expires_after")


class UploadReport(NamedTuple):
    """The new ids of all files and vector stores by their old ones, and what was done in this load."""

    ids: dict[str, str]
    files: int
    vector_stores: int
    #: What could not be brought along, one sentence each.
    losses: list[str]


class FileUploads:
    """The files and vector stores of one archive at one service. `wait` is `asyncio.sleep`."""

    def __init__(
        self, archive: Archive, upstream: Upstream, *, wait: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        self._archive = archive
        self._upstream = upstream
        self._retries = UpstreamRetries(wait=wait)
        self._wait = wait
        self._ledger = get_ledger_path(archive.path)
        self._ids = read_ledger(self._ledger, destination=upstream.name)
        self._filled = set(read_ledger(self._ledger, destination=upstream.name, kind="filled_vector_store"))
        self._losses: list[str] = []
        self._uploaded = 0
        self._created = 0

    async def run(self) -> UploadReport:
        """Upload what the ledger does not name yet. Raises the error of a rejected key, ArchiveError and OSError."""
        described = {
            file["id"]: file for file in self._archive.read_part(Part.FILES) if isinstance(file.get("id"), str)
        }
        contents = {record["id"]: record for record in self._archive.read_part(Part.CONTENTS)}
        await self._perform(self._upload, [(each, described.get(each["id"], {})) for each in contents.values()])
        files_by_store = defaultdict[object, list[JsonObject]](list)
        for file in self._archive.read_part(Part.VECTOR_STORE_FILES):
            files_by_store[file.get("vector_store_id")].append(file)
        stores = {store["id"]: store for store in self._archive.read_part(Part.VECTOR_STORES)}
        await self._perform(self._fill_store, [(each, files_by_store[each["id"]]) for each in stores.values()])
        return UploadReport(self._ids, self._uploaded, self._created, self._losses)

    async def _perform(
        self, work: Callable[[JsonObject, T], Awaitable[None]], items: Iterable[tuple[JsonObject, T]]
    ) -> None:
        """Do the work for all items, several at a time; one that fails is a loss, but for a rejected key."""
        slots = asyncio.Semaphore(CONCURRENCY)

        async def run(item: JsonObject, further: T) -> None:
            try:
                await work(item, further)
            except UpstreamError as error:
                if error.status in (401, 403):
                    raise
                self._losses.append(f"{item['id']}: {error.message}")
            finally:
                slots.release()

        try:
            async with asyncio.TaskGroup() as group:
                for item, further in items:
                    await slots.acquire()
                    group.create_task(run(item, further))
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _upload(self, record: JsonObject, described: JsonObject) -> None:
        file_id: str = record["id"]
        if file_id in self._ids:
            return
        if record.get("path") is None:
            error = record.get("error")
            reason = error.get("message") if is_json_object(error) else None
            self._losses.append(f"{file_id}: the source gave no content ({reason}); references keep this id")
            return
        if not is_content_path(str(record["path"])):
            self._losses.append(f"{file_id}: its path leads out of the archive; it was not uploaded")
            return
        path = self._archive.path / str(record["path"])
        if not await asyncio.to_thread(_has_hash, path, record.get("sha256")):
            self._losses.append(f"{file_id}: {path} is missing or was changed; it was not uploaded")
            return
        purpose = described.get("purpose")
        fields = {"purpose": purpose if purpose in _UPLOADABLE_PURPOSES else _OTHER_PURPOSE}
        filename = await asyncio.to_thread(choose_filename, described.get("filename"), path, record.get("content_type"))

        async def send() -> JsonObject:
            return await self._upstream.upload(
                build_path("files"), filename=filename, content=_iterate_chunks(path), fields=fields
            )

        created = await self._retries.call(send)
        self._record("file", file_id, created["id"])
        self._uploaded += 1

    async def _fill_store(self, store: JsonObject, files: list[JsonObject]) -> None:
        """Create a vector store and add its files. One that the ledger names gets the files that it lacks."""
        old: str = store["id"]
        if old in self._filled:
            return
        present = set[str]()
        if old in self._ids:
            present = {file["id"] for file in await self._list_store_files(self._ids[old])}
        else:
            body = {name: store[name] for name in _STORE_FIELDS if store.get(name)}
            created = await self._request("POST", build_path("vector_stores"), body)
            self._record("vector_store", old, created["id"])
            self._created += 1
        for file in files:
            new = self._ids.get(file["id"])
            if new is None:
                self._losses.append(f"{file['id']}: is not in the vector store {self._ids[old]} (was {old})")
            elif new not in present:
                await self._add_to_store(old, file, new)
        await self._wait_for_index(old)
        self._record("filled_vector_store", old, self._ids[old])
        self._filled.add(old)

    async def _add_to_store(self, old: str, file: JsonObject, new: str) -> None:
        strategy = file.get("chunking_strategy")
        body: JsonObject = {"file_id": new}
        if is_json_object(strategy) and strategy.get("type") == "static":
            body["chunking_strategy"] = strategy
        if file.get("attributes"):
            body["attributes"] = file["attributes"]
        try:
            await self._request("POST", build_path("vector_stores", self._ids[old], "files"), body)
        except UpstreamError as error:
            if error.status in (401, 403):
                raise
            self._losses.append(
                f"{file['id']}: is not in the vector store {self._ids[old]} (was {old}): {error.message}"
            )

    async def _wait_for_index(self, old: str) -> None:
        """Wait until the service has read the files of a vector store; name those that it cannot read."""
        new, waited = self._ids[old], 0.0
        path = build_path("vector_stores", new)
        while True:
            counts: JsonObject = (await self._request("GET", path)).get("file_counts") or {}
            if not counts.get("in_progress"):
                break
            if waited >= MAX_INDEXING_SECONDS:
                self._losses.append(f"{new} (was {old}): the service is still indexing {counts['in_progress']} files")
                return
            await self._wait(_SECONDS_BETWEEN_POLLS)
            waited += _SECONDS_BETWEEN_POLLS
        if not counts.get("failed"):
            return
        names = {new_id: old_id for old_id, new_id in self._ids.items()}
        for file in await self._list_store_files(new):
            if file.get("status") == "failed":
                error = file.get("last_error")
                reason = error.get("message") if is_json_object(error) else None
                file_id = names.get(file["id"], file["id"])
                self._losses.append(f"{file_id}: the service could not index it in {new} (was {old}): {reason}")

    async def _list_store_files(self, store_id: str) -> list[JsonObject]:
        files: list[JsonObject] = []
        after: str | None = None
        while True:
            path = build_path("vector_stores", store_id, "files", limit=100, after=after)
            page = await self._request("GET", path)
            files += page["data"]
            if not page.get("has_more") or not page["data"]:
                return files
            after = page["data"][-1]["id"]

    async def _request(self, method: str, path: str, body: JsonObject | None = None) -> JsonObject:
        return await self._retries.call(partial(self._upstream.request, method, path, body))

    def _record(self, kind: str, old: str, new: str) -> None:
        append_to_ledger(self._ledger, kind=kind, old=old, new=new, destination=self._upstream.name)
        self._ids[old] = new


def choose_filename(name: object, path: Path, content_type: object) -> str:
    """The name for an upload: that of the source without folders, with an extension, by which services tell formats."""
    filename = PurePosixPath(name.replace("\\", "/")).name if isinstance(name, str) else ""
    filename = filename or path.name
    if PurePosixPath(filename).suffix:
        return filename
    declared = str(content_type).partition(";")[0].strip()
    guessed = None if declared in ("", "None", "application/octet-stream") else mimetypes.guess_extension(declared)
    return filename + (guessed or _recognise_extension(path))


#: The first bytes of formats, and their extensions. Containers of the ZIP kind cannot be told apart by them.
_SIGNATURES: Final = (
    (b"%PDF-", ".pdf"),
    (b"\x89PNG\r\n", ".png"),
    (b"\xff\xd8\xff", ".jpg"),
    (b"GIF8", ".gif"),
    (b"PK\x03\x04", ".zip"),
)


def _recognise_extension(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(4096)
    for signature, extension in _SIGNATURES:
        if start.startswith(signature):
            return extension
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return ".webp"
    try:
        start.decode()
    except UnicodeDecodeError as error:
        if error.start < len(start) - 4:  # not just a character that the end of the sample divides
            return ".bin"
    return ".bin" if b"\0" in start else ".txt"


def _has_hash(path: Path, sha256: object) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


async def _iterate_chunks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
            yield chunk

"""Generated files: copied out of their container, inlined into requests, and served as the upstream's `/files` are."""

from __future__ import annotations

import asyncio
import mimetypes
import secrets
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar
from urllib.parse import quote, unquote, urlencode

import orjson

from threadbridge.api_types import CreateResponseBody, JsonMapping
from threadbridge.engine.attachment_provisioner import map_provisioning_error
from threadbridge.engine.context import EngineContext
from threadbridge.errors import BridgeError, UpstreamError
from threadbridge.logs import get_logger
from threadbridge.ports import (
    Blob,
    BlobNamer,
    BlobStore,
    Page,
    PassthroughRequest,
    Session,
    Upstream,
    WireResponse,
    build_path,
)
from threadbridge.service import generated_files, tool_resources
from threadbridge.service.generated_files import (
    FileObject,
    PersistedFile,
    merge_file_pages,
    parse_file_query,
    plan_upstream_query,
    read_own_files,
)
from threadbridge.settings import Limits
from threadbridge.sse import escape_line_separators
from threadbridge.translation.generated_files import GeneratedFile, get_base_name, is_image
from threadbridge.translation.input_items import collect_image_file_ids, inline_images

T = TypeVar("T")

_log = get_logger("threadbridge.files")

#: Largest image in bytes that is sent within a request; the upstream rejects the id of a larger one.
_MAX_IMAGE_BYTES = 20 * 1024 * 1024
#: Statuses of an upstream without `/files`.
_UNSUPPORTED_STATUSES = frozenset({404, 405, 501})
_NOT_FOUND = 404


class FileCopier:
    """The copies of one turn's files. Each begins as soon as its file is known."""

    def __init__(self, upstream: Upstream, blobs: BlobStore, name_blob: BlobNamer, limits: Limits) -> None:
        self._upstream = upstream
        self._blobs = blobs
        self._name_blob = name_blob
        self._limits = limits
        self._semaphore = asyncio.Semaphore(limits.concurrent_copies)
        self._tasks: dict[asyncio.Task[Blob | None], GeneratedFile] = {}

    def start_copies(self, files: Sequence[GeneratedFile]) -> None:
        """Copy the files that are not being copied yet; `files` are all that are known by now."""
        for file in files[len(self._tasks) :]:
            self._tasks[asyncio.ensure_future(self._copy(file))] = file

    async def wait(self) -> None:
        """Every copy is there, or its time is up. One that fails is left out, with a warning in the log."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._limits.copy_out_seconds)

    def collect_copied_files(self) -> Sequence[PersistedFile]:
        """The copied files. Copies under way are abandoned."""
        copied: list[PersistedFile] = []
        for task, file in self._tasks.items():
            blob = task.result() if task.done() and not task.cancelled() else None
            if blob is not None:
                copied.append(PersistedFile(file, blob))
            elif task.cancel():
                _log.warning("the copy of a generated file took too long and was abandoned", file_id=file.file_id)
        return copied

    async def _copy(self, file: GeneratedFile) -> Blob | None:
        try:
            async with self._semaphore:
                if file.container_file is None:
                    return await self._store(_iterate_once(file.content or b""))
                container_id, file_id = file.container_file
                path = build_path("containers", container_id, "files", file_id, "content")
                async with self._upstream.download(path) as content:
                    return await self._store(content)
        except BridgeError as error:
            _log.warning("could not copy a generated file", file_id=file.file_id, error=error.message)
            return None

    async def _store(self, content: AsyncIterator[bytes]) -> Blob:
        return await self._blobs.put(content, max_bytes=self._limits.copied_file_bytes, name_for=self._name_blob)


async def _iterate_once(content: bytes) -> AsyncIterator[bytes]:
    yield content


class ImageInliner:
    """The images of one turn, each read once."""

    def __init__(self, ctx: EngineContext) -> None:
        self._ctx = ctx
        self._data_urls: dict[str, str] = {}

    async def inline_images(self, body: CreateResponseBody) -> CreateResponseBody:
        """The request with the contents of generated images instead of their ids.

        Raises StoreError if they cannot be read.
        """
        items = body.get("input", [])
        if isinstance(items, str):
            return body
        file_ids = collect_image_file_ids(items)
        if not file_ids:
            return body

        def find_images(session: Session) -> Mapping[str, tuple[str, str]]:
            """The names and blobs of the generated images among these files."""
            images: dict[str, tuple[str, str]] = {}
            for file_id in file_ids - self._data_urls.keys():
                file, blob = generated_files.retrieve(session, file_id), generated_files.get_blob_name(session, file_id)
                if file and blob and is_image(file["filename"]) and file["bytes"] <= _MAX_IMAGE_BYTES:
                    images[file_id] = (file["filename"], blob)
            return images

        images = await self._ctx.store.read(find_images, tenant=self._ctx.tenant)
        for file_id, (filename, blob) in images.items():
            content = b"".join([piece async for piece in self._ctx.blobs.read(blob)])
            media_type = mimetypes.guess_type(filename)[0] or "image/png"
            self._data_urls[file_id] = f"data:{media_type};base64,{b64encode(content).decode()}"
        return {**body, "input": inline_images(items, self._data_urls)} if self._data_urls else body


class GeneratedFilesApi:
    """Answers requests about generated files, and deletes what tool resources name; all others are the upstream's."""

    def __init__(self, ctx: EngineContext) -> None:
        self._ctx = ctx

    async def handle(self, request: PassthroughRequest) -> WireResponse | None:
        """The response; None for a request that does not concern the store. Raises BridgeError."""
        match (request.method, request.path.split("/")[1:]):
            case ("GET", ["files"]):
                return await self._list_files(request)
            case ("GET", ["files", file_id]):
                file = await self._read(lambda session: generated_files.retrieve(session, file_id))
                return None if file is None else _json_response(file)
            case ("GET", ["files", file_id, "content"]):
                return await self._get_content(file_id)
            case ("DELETE", ["files", file_id]):
                if await self._read(lambda session: generated_files.retrieve(session, file_id)) is None:
                    return await self._delete_referenced("files", unquote(file_id))
                deletion = await self._ctx.write(partial(generated_files.delete, file_id=file_id))
                await self._detach(file_id)
                return None if deletion is None else _json_response(deletion)
            case ("DELETE", ["vector_stores", store_id]):
                return await self._delete_referenced("vector_stores", unquote(store_id))
            case _:
                return None

    async def _list_files(self, request: PassthroughRequest) -> WireResponse | None:
        query = parse_file_query(dict(request.query))
        own = None if query is None else await self._read(lambda session: read_own_files(session, query))
        if query is None or own is None:
            return None
        missing = plan_upstream_query(query, own)
        if missing is None or not self._ctx.rules.profile.files:
            return _json_response(merge_file_pages(query, own, Page([], has_more=False)))
        params = {**dict(request.query), "limit": str(missing.limit), "after": missing.after}
        encoded = urlencode({name: value for name, value in params.items() if value is not None})
        try:
            answer = await self._ctx.upstream.request("GET", f"/files?{encoded}")
        except UpstreamError as error:
            if error.status not in _UNSUPPORTED_STATUSES:  # the service has `/files` (S12)
                raise
            answer = {}
        upstream_page = Page(answer.get("data") or [], has_more=bool(answer.get("has_more")))
        return _json_response(merge_file_pages(query, own, upstream_page))

    async def _get_content(self, file_id: str) -> WireResponse | None:
        def read_file(session: Session) -> tuple[FileObject | None, str | None]:
            return generated_files.retrieve(session, file_id), generated_files.get_blob_name(session, file_id)

        file, blob = await self._read(read_file)
        if file is None or blob is None:
            return None
        # Names of files that earlier versions stored still have their directories.
        filename = quote(get_base_name(file["filename"]) or file_id, safe="")
        headers = {
            "content-type": "application/octet-stream",
            "content-length": str(file["bytes"]),
            "content-disposition": f"attachment; filename*=UTF-8''{filename}",
            "x-request-id": f"req_{secrets.token_hex(16)}",
        }
        return WireResponse(200, headers, self._ctx.blobs.read(blob))

    async def _delete_referenced(self, collection: str, resource_id: str) -> WireResponse | None:
        """Delete a file or vector store upstream and, once it is gone, from the tool resources that name it.

        None where none does: then the upstream answers the client itself.
        """
        if not await self._read(lambda session: session.list_referencing_objects(resource_id, limit=1)):
            return None
        try:
            answer = await self._ctx.upstream.request("DELETE", build_path(collection, resource_id))
        except UpstreamError as error:
            if error.status == _NOT_FOUND:
                await self._detach(resource_id)
            raise map_provisioning_error(error) from error
        await self._detach(resource_id)
        return _json_response(answer)

    async def _detach(self, resource_id: str) -> None:
        has_more = True
        while has_more:
            has_more = await self._ctx.store.write(
                lambda session: tool_resources.detach_resource(session, resource_id), tenant=self._ctx.tenant
            )

    async def _read(self, work: Callable[[Session], T]) -> T:
        return await self._ctx.store.read(work, tenant=self._ctx.tenant)


def _json_response(body: JsonMapping) -> WireResponse:
    headers = {"content-type": "application/json", "x-request-id": f"req_{secrets.token_hex(16)}"}
    return WireResponse(200, headers, escape_line_separators(orjson.dumps(body, option=orjson.OPT_INDENT_2)))

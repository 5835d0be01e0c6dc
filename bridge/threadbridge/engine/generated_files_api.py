"""Requests about files that concern the store: generated files, answered as the upstream's `/files` would answer them
(A85), and the deletion of files and vector stores that assistants and threads name.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import quote, unquote, urlencode

import orjson

from threadbridge.api_types import JsonMapping
from threadbridge.engine.attachment_provisioner import map_provisioning_error
from threadbridge.engine.context import EngineContext
from threadbridge.errors import UpstreamError
from threadbridge.ports import Page, PassthroughRequest, Session, WireResponse, build_path
from threadbridge.service import generated_files, tool_resources
from threadbridge.service.file_listing import (
    UpstreamFilesQuery,
    merge_file_pages,
    parse_file_query,
    plan_upstream_query,
    read_own_files,
)
from threadbridge.service.generated_files import FileObject
from threadbridge.sse import escape_line_separators
from threadbridge.translation.produced_files import get_base_name

T = TypeVar("T")

#: Statuses of an upstream without `/files`.
_UNSUPPORTED_STATUSES = frozenset({404, 405, 501})


_NOT_FOUND = 404


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
                return await self._delete_file(file_id)
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
        upstream_page = await self._list_upstream_files(request, missing)
        return _json_response(merge_file_pages(query, own, upstream_page))

    async def _list_upstream_files(self, request: PassthroughRequest, missing: UpstreamFilesQuery) -> Page[FileObject]:
        """The files of the upstream; none if it has no `/files` (S12)."""
        params = {**dict(request.query), "limit": str(missing.limit), "after": missing.after}
        query = urlencode({name: value for name, value in params.items() if value is not None})
        try:
            answer = await self._ctx.upstream.request("GET", f"/files?{query}")
        except UpstreamError as error:
            if error.status not in _UNSUPPORTED_STATUSES:
                raise
            return Page([], has_more=False)
        return Page(answer.get("data") or [], has_more=bool(answer.get("has_more")))

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

    async def _delete_file(self, file_id: str) -> WireResponse | None:
        if await self._read(lambda session: generated_files.retrieve(session, file_id)) is None:
            return await self._delete_referenced("files", unquote(file_id))
        deletion = await self._ctx.write(lambda session, context: generated_files.delete(session, context, file_id))
        await self._detach(file_id)
        return None if deletion is None else _json_response(deletion)

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

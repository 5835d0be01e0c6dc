"""Files that code made, as the service's own `/files` would answer for them (A85)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import quote, urlencode

import orjson

from threadbridge.engine.context import Workplace
from threadbridge.errors import BridgeError, UpstreamError
from threadbridge.ports import Page, PassedRequest, Session, Wire, WireResponse
from threadbridge.service import generated_files
from threadbridge.service.file_listing import Missing, file_query, joined, missing_part, own_part
from threadbridge.wire import to_wire

T = TypeVar("T")

#: Statuses that say the service keeps no files.
_NO_FILES = frozenset({404, 405, 501})


class KeptFiles:
    """Answers requests about files of ours, and leaves every other one to the service behind."""

    def __init__(self, place: Workplace) -> None:
        self._place = place

    async def answer(self, request: PassedRequest) -> WireResponse | None:
        """The answer; None for a request that is not about a file of ours."""
        try:
            return await self._answer(request)
        except BridgeError as error:
            status, envelope = to_wire(error)
            return _json(envelope, status)

    async def _answer(self, request: PassedRequest) -> WireResponse | None:
        match (request.method, request.path.split("/")[1:]):
            case ("GET", ["files"]):
                return await self._page(request)
            case ("GET", ["files", file_id]):
                file = await self._read(lambda session: generated_files.retrieve(session, file_id))
                return None if file is None else _json(file)
            case ("GET", ["files", file_id, "content"]):
                return await self._content(file_id)
            case ("DELETE", ["files", file_id]):
                return await self._deleted(file_id)
            case _:
                return None

    async def _page(self, request: PassedRequest) -> WireResponse | None:
        query = file_query(dict(request.query))
        own = None if query is None else await self._read(lambda session: own_part(session, query))
        if query is None or own is None:
            return None
        missing = missing_part(query, own)
        if missing is None or not self._place.rules.profile.files:
            return _json(joined(query, own, Page([], has_more=False)))
        theirs = await self._theirs(request, missing)
        return _json(joined(query, own, theirs))

    async def _theirs(self, request: PassedRequest, missing: Missing) -> Page:
        """Files of the service; none where it keeps none (S12)."""
        asked = {**dict(request.query), "limit": str(missing.limit), "after": missing.after}
        query = urlencode({name: value for name, value in asked.items() if value is not None})
        try:
            answer = await self._place.upstream.call("GET", f"/files?{query}")
        except UpstreamError as error:
            if error.status not in _NO_FILES:
                raise
            return Page([], has_more=False)
        return Page(answer.get("data") or [], has_more=bool(answer.get("has_more")))

    async def _content(self, file_id: str) -> WireResponse | None:
        def look(session: Session) -> tuple[Wire | None, str | None]:
            return generated_files.retrieve(session, file_id), generated_files.blob_of(session, file_id)

        file, blob = await self._read(look)
        if file is None or blob is None:
            return None
        headers = {
            "content-type": "application/octet-stream",
            "content-length": str(file["bytes"]),
            "content-disposition": f"attachment; filename*=UTF-8''{quote(file['filename'])}",
            "x-request-id": f"req_{secrets.token_hex(16)}",
        }
        return WireResponse(200, headers, self._place.blobs.read(blob))

    async def _deleted(self, file_id: str) -> WireResponse | None:
        if await self._read(lambda session: generated_files.retrieve(session, file_id)) is None:
            return None
        deleted = await self._place.write(lambda session, context: generated_files.delete(session, context, file_id))
        return None if deleted is None else _json(deleted)

    async def _read(self, look: Callable[[Session], T]) -> T:
        return await self._place.store.read(look, tenant=self._place.tenant)


def _json(body: Wire, status: int = 200) -> WireResponse:
    headers = {"content-type": "application/json", "x-request-id": f"req_{secrets.token_hex(16)}"}
    return WireResponse(status, headers, orjson.dumps(body, option=orjson.OPT_INDENT_2))

"""Files that code made, as the service's own `/files` would answer for them (A85)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import quote

import orjson

from threadbridge.emulation import files
from threadbridge.errors import BridgeError
from threadbridge.ports import ListQuery, PassedRequest, Session, Wire, WireResponse
from threadbridge.wire import to_wire
from threadbridge_adapters.responses.workplace import Workplace

T = TypeVar("T")

_PURPOSE = ("purpose", "assistants_output")


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
            case ("GET", ["files"]) if _PURPOSE in request.query:
                return _json(await self._page(request))
            case ("GET", ["files", file_id]):
                file = await self._read(lambda session: files.retrieve(session, file_id))
                return None if file is None else _json(file)
            case ("GET", ["files", file_id, "content"]):
                return await self._content(file_id)
            case ("DELETE", ["files", file_id]):
                return await self._deleted(file_id)
            case _:
                return None

    async def _page(self, request: PassedRequest) -> Wire:
        asked = dict(request.query)
        limit = asked.get("limit", "")
        query = ListQuery(int(limit) if limit.isdecimal() else None, asked.get("order"), asked.get("after"))
        unknown_cursor = self._place.policies.unknown_cursor
        return await self._read(lambda session: files.list_all(session, query, unknown_cursor=unknown_cursor))

    async def _content(self, file_id: str) -> WireResponse | None:
        def look(session: Session) -> tuple[Wire | None, str | None]:
            return files.retrieve(session, file_id), files.blob_of(session, file_id)

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
        if await self._read(lambda session: files.retrieve(session, file_id)) is None:
            return None
        deletion = await self._place.write(lambda session, _: files.delete(session, file_id))
        if deletion is None:
            return None
        if deletion.blob is not None:
            await self._place.blobs.forget(deletion.blob)
        return _json(deletion.answer)

    async def _read(self, look: Callable[[Session], T]) -> T:
        return await self._place.store.read(look, tenant=self._place.tenant)


def _json(body: Wire, status: int = 200) -> WireResponse:
    headers = {"content-type": "application/json", "x-request-id": f"req_{secrets.token_hex(16)}"}
    return WireResponse(status, headers, orjson.dumps(body, option=orjson.OPT_INDENT_2))

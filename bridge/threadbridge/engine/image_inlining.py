"""Sends the contents of generated images that a message shows, because the upstream does not know their ids."""

from __future__ import annotations

import mimetypes
from base64 import b64encode
from collections.abc import Iterable, Mapping

from threadbridge.api_types import CreateResponseBody
from threadbridge.engine.context import EngineContext
from threadbridge.ports import Session
from threadbridge.service import generated_files
from threadbridge.translation.input_items import collect_image_file_ids, inline_images
from threadbridge.translation.produced_files import is_image

#: Largest image in bytes that is sent within a request; the upstream rejects the id of a larger one.
_MAX_IMAGE_BYTES = 20 * 1024 * 1024


class ImageInliner:
    """The images of one turn, each read once."""

    def __init__(self, ctx: EngineContext) -> None:
        self._ctx = ctx
        self._data_urls: dict[str, str] = {}

    async def inline_images(self, body: CreateResponseBody) -> CreateResponseBody:
        """The request with the contents of generated images in place of their ids.

        Raises StoreError if they cannot be read.
        """
        items = body.get("input", [])
        if isinstance(items, str):
            return body
        file_ids = collect_image_file_ids(items)
        if not file_ids:
            return body
        blobs = await self._ctx.store.read(
            lambda session: _find_images(session, file_ids - self._data_urls.keys()), tenant=self._ctx.tenant
        )
        for file_id, (filename, blob) in blobs.items():
            content = b"".join([piece async for piece in self._ctx.blobs.read(blob)])
            media_type = mimetypes.guess_type(filename)[0] or "image/png"
            self._data_urls[file_id] = f"data:{media_type};base64,{b64encode(content).decode()}"
        return {**body, "input": inline_images(items, self._data_urls)} if self._data_urls else body


def _find_images(session: Session, file_ids: Iterable[str]) -> Mapping[str, tuple[str, str]]:
    """The names and blobs of the generated images among these files."""
    images: dict[str, tuple[str, str]] = {}
    for file_id in file_ids:
        file, blob = generated_files.retrieve(session, file_id), generated_files.get_blob_name(session, file_id)
        if file is not None and blob is not None and is_image(file["filename"]) and file["bytes"] <= _MAX_IMAGE_BYTES:
            images[file_id] = (file["filename"], blob)
    return images

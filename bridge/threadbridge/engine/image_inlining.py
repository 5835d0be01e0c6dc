"""Shows the model images that code made and a user sends back: their contents, for their ids are ours."""

from __future__ import annotations

import mimetypes
from base64 import b64encode
from collections.abc import Iterable, Mapping

from threadbridge.engine.context import Workplace
from threadbridge.ports import Session, Wire
from threadbridge.service import generated_files
from threadbridge.translation.image_inlining import shown_files, with_contents
from threadbridge.translation.produced_files import is_image

#: Bytes of an image that is sent along with a request; a larger one the service may refuse in its own words.
_LARGEST = 20 * 1024 * 1024


class OwnImages:
    """The images of one turn, each read once."""

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self._urls: dict[str, str] = {}

    async def shown(self, body: Wire) -> Wire:
        """The request with the contents of our images in place of ids that the service does not know.

        Raises StoreError where they cannot be read.
        """
        named = shown_files(body["input"])
        if not named:
            return body
        blobs = await self._place.store.read(
            lambda session: _images(session, named - self._urls.keys()), tenant=self._place.tenant
        )
        for file_id, (filename, blob) in blobs.items():
            content = b"".join([piece async for piece in self._place.blobs.read(blob)])
            kind = mimetypes.guess_type(filename)[0] or "image/png"
            self._urls[file_id] = f"data:{kind};base64,{b64encode(content).decode()}"
        return {**body, "input": with_contents(body["input"], self._urls)} if self._urls else body


def _images(session: Session, file_ids: Iterable[str]) -> Mapping[str, tuple[str, str]]:
    """The names and the contents of those that are ours."""
    found: dict[str, tuple[str, str]] = {}
    for file_id in file_ids:
        file, blob = generated_files.retrieve(session, file_id), generated_files.blob_of(session, file_id)
        if file is not None and blob is not None and is_image(file["filename"]) and file["bytes"] <= _LARGEST:
            found[file_id] = (file["filename"], blob)
    return found

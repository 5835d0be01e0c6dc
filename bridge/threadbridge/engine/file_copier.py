"""Files that code made are copied out of their container while the response goes on (§12)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from threadbridge.errors import BridgeError
from threadbridge.logs import logger
from threadbridge.ports import Blob, Blobs, Naming, Upstream
from threadbridge.service.generated_files import KeptFile
from threadbridge.settings import Limits
from threadbridge.translation.produced_files import ProducedFile

_log = logger("threadbridge.files")


class Copies:
    """The copies of one turn's files. Each begins as soon as its file is known."""

    def __init__(self, upstream: Upstream, blobs: Blobs, named: Naming, limits: Limits) -> None:
        self._upstream = upstream
        self._blobs = blobs
        self._named = named
        self._limits = limits
        self._places = asyncio.Semaphore(limits.concurrent_copies)
        self._copying: dict[asyncio.Task[Blob | None], ProducedFile] = {}

    def begin(self, files: Sequence[ProducedFile]) -> None:
        """Copy the files that are not being copied yet; `files` are all that are known by now."""
        for file in files[len(self._copying) :]:
            self._copying[asyncio.ensure_future(self._copy(file))] = file

    async def finished(self) -> None:
        """Every copy is there, or its time is up. One that fails is left out, with a warning in the log."""
        if self._copying:
            await asyncio.wait(self._copying, timeout=self._limits.copy_out_seconds)

    def kept(self) -> Sequence[KeptFile]:
        """The files that are there. What is still being copied is given up."""
        found: list[KeptFile] = []
        for task, file in self._copying.items():
            blob = task.result() if task.done() and not task.cancelled() else None
            if blob is not None:
                found.append(KeptFile(file, blob))
            elif task.cancel():
                _log.warning("a file that code made was given up: it took too long", file_id=file.file_id)
        return found

    async def _copy(self, file: ProducedFile) -> Blob | None:
        try:
            async with self._places:
                return await self._kept(file)
        except BridgeError as error:
            _log.warning("a file that code made could not be kept", file_id=file.file_id, error=error.message)
            return None

    async def _kept(self, file: ProducedFile) -> Blob:
        if file.place is None:
            return await self._keep(_whole(file.content or b""))
        container_id, file_id = file.place
        async with self._upstream.download(f"/containers/{container_id}/files/{file_id}/content") as content:
            return await self._keep(content)

    async def _keep(self, content: AsyncIterator[bytes]) -> Blob:
        return await self._blobs.keep(content, most=self._limits.copied_file_bytes, named=self._named)


async def _whole(content: bytes) -> AsyncIterator[bytes]:
    yield content

"""The files of an archive that pages show: copied once, under names that cannot do harm."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Final

from threadbridge_migrate.archive.reader import Archive, Part, is_content_path
from threadbridge_migrate.export.references import is_usable_id

FOLDER: Final = "files"

#: Images that browsers show, by their first bytes. Others, SVG with scripts among them, are not shown.
_IMAGES: Final = ((b"\x89PNG\r\n\x1a\n", ".png"), (b"\xff\xd8\xff", ".jpg"), (b"GIF8", ".gif"))


def choose_page_name(thread_id: str) -> str:
    """The name of the page of a thread: its id, or a hash of one that cannot be a file name."""
    return thread_id if is_usable_id(thread_id) else hashlib.sha256(thread_id.encode("utf-8", "replace")).hexdigest()


class ContentFiles:
    """The images of an archive, copied to `files/` of the output when a page first shows them."""

    def __init__(self, archive: Archive, out: Path) -> None:
        self._archive = archive
        self._out = out
        self._paths = {
            str(record["id"]): str(record["path"])
            for record in archive.read_part(Part.CONTENTS)
            if isinstance(record.get("path"), str) and is_content_path(record["path"])
        }
        self._added: dict[str, str | None] = {}
        #: The names of files by id.
        self.names = {
            str(file["id"]): str(file["filename"]) for file in archive.read_part(Part.FILES) if file.get("filename")
        }

    def add(self, file_id: str) -> str | None:
        """The path of an image below the output; None if the archive has no image of this id."""
        if file_id not in self._added:
            self._added[file_id] = self._copy(file_id)
        return self._added[file_id]

    def _copy(self, file_id: str) -> str | None:
        source = self._archive.path / self._paths.get(file_id, "")
        if file_id not in self._paths or source.is_symlink() or not source.is_file():
            return None
        with source.open("rb") as file:
            start = file.read(16)
        extension = next((ending for signature, ending in _IMAGES if start.startswith(signature)), None)
        if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
            extension = ".webp"
        if extension is None:
            return None
        target = f"{FOLDER}/{choose_page_name(file_id)}{extension}"
        (self._out / FOLDER).mkdir(mode=0o700, exist_ok=True)
        shutil.copyfile(source, self._out / target)
        os.chmod(self._out / target, 0o600)
        return target

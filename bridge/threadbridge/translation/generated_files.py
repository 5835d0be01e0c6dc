"""The files that a turn's code made: each gets a lasting ID at once, under which it will be served (§12, A85)."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from threadbridge.ports import IdGenerator

#: A file inside a container: the IDs of both. They end with the container (§12).
ContainerFileRef: TypeAlias = tuple[str, str]

#: Directories and drives of any operating system.
_DIRECTORIES = re.compile(r"\A(?:.*[/\\]|[A-Za-z]:)+", re.DOTALL)
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")

_IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".webp")


@dataclass(frozen=True, slots=True)
class GeneratedFile:
    """A file to store: its bytes, or else the container file to download them from."""

    file_id: str
    filename: str
    container_file: ContainerFileRef | None = None
    content: bytes | None = None


class GeneratedFiles:
    """Every file of the turn, once. `known_ids` are those of files from earlier turns in the same container."""

    def __init__(self, new_id: IdGenerator, known_ids: Mapping[ContainerFileRef, str] | None = None) -> None:
        self._new_id = new_id
        self._ids: dict[ContainerFileRef, str] = dict(known_ids or {})
        self._unlocated: list[str] = []  # inline images whose container file is not known yet
        self._unattached: list[str] = []  # images that no message has shown yet
        #: The new ones, in the order they became known.
        self.files: list[GeneratedFile] = []

    @property
    def container_file_ids(self) -> Mapping[ContainerFileRef, str]:
        """The lasting ID of every known file of a container."""
        return self._ids

    def get_file_id(self, container_file: ContainerFileRef) -> str | None:
        """The lasting ID of a file in a container; None if it has none yet."""
        return self._ids.get(container_file)

    def register_container_file(self, container_id: str, file_id: str, filename: str) -> str:
        """The lasting ID of a file in a container."""
        container_file = (container_id, file_id)
        known = self._ids.get(container_file)
        if known is None:
            known = self._ids[container_file] = self._new_file_id()
            self.files.append(GeneratedFile(known, get_base_name(filename) or known, container_file=container_file))
        return known

    def register_inline_image(self, url: str) -> str | None:
        """The lasting ID of an image in a call's outputs; None if the URL does not contain its bytes."""
        head, _, data = url.partition(";base64,")
        if not head.startswith("data:image/"):
            return None
        try:
            content = b64decode(data)
        except binascii.Error:
            return None
        extension = head.removeprefix("data:image/")
        file_id = self._new_file_id()
        self.files.append(GeneratedFile(file_id, get_base_name(f"{file_id}.{extension}"), content=content))
        self._unlocated.append(file_id)
        self._unattached.append(file_id)
        return file_id

    def register_cited_image(self, container_id: str, file_id: str, filename: str) -> str | None:
        """The lasting ID of a cited image; None if a message shows it already.

        Citations arrive in the order of the images, so it is the next inline image without a known container file.
        """
        container_file = (container_id, file_id)
        if container_file in self._ids:
            return None
        if self._unlocated and is_image(filename):
            known = self._ids[container_file] = self._unlocated.pop(0)
            if known not in self._unattached:
                return None
            self._unattached.remove(known)
            return known
        new_id = self.register_container_file(container_id, file_id, filename)
        return new_id if is_image(filename) else None

    def has_inline_image_of_size(self, size: int | None) -> bool:
        """Whether a call's outputs contained an image of this size in bytes."""
        return any(file.content is not None and len(file.content) == size for file in self.files)

    def pop_unattached_images(self) -> Sequence[str]:
        """The images made since the last message, for the next one to show (A86)."""
        unattached, self._unattached = self._unattached, []
        return unattached

    def clear_unattached_images(self) -> None:
        """Forget the images that no message has shown."""
        self._unlocated, self._unattached = [], []

    def _new_file_id(self) -> str:
        return f"file-{self._new_id('file').removeprefix('file_')}"  # the only IDs with a hyphen (A9)


def get_base_name(filename: str) -> str:
    """The name without its directories: clients write files to their disks under it.

    Without control characters and marks that reverse the order of the text. Empty if nothing is left.
    """
    name = _DIRECTORIES.sub("", _CONTROLS.sub("", filename)).strip()
    return name if name.strip(".") else ""


def is_image(filename: str) -> bool:
    """Whether a message can show the file (A37)."""
    return filename.lower().endswith(_IMAGES)

"""The files a turn's code made: each gets a lasting id at once, under which it will be served (§12, A85)."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from threadbridge.ports import NewId

#: A file inside a container: the container's id and the file's. Both are gone when the container is (§12).
ContainerPlace: TypeAlias = tuple[str, str]

_IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".webp")


@dataclass(frozen=True, slots=True)
class ProducedFile:
    """A file to be kept: its bytes, or else the place in a container where they have to be fetched."""

    file_id: str
    filename: str
    place: ContainerPlace | None = None
    content: bytes | None = None


class ProducedFiles:
    """Every file of the turn, once. `known` are those of earlier turns, which lie in the same container."""

    def __init__(self, new_id: NewId, known: Mapping[ContainerPlace, str] | None = None) -> None:
        self._new_id = new_id
        self._ids: dict[ContainerPlace, str] = dict(known or {})
        self._unplaced: list[str] = []  # images whose bytes came first; their citation names the place
        self._unshown: list[str] = []  # images no message has shown yet
        #: The new ones, in the order they were met.
        self.files: list[ProducedFile] = []

    @property
    def places(self) -> Mapping[ContainerPlace, str]:
        """Every known file of a container, by its place."""
        return self._ids

    def knows(self, place: ContainerPlace) -> bool:
        """Whether the file has an id already."""
        return place in self._ids

    def of_container(self, container_id: str, file_id: str, filename: str) -> str:
        """The lasting id of a container's file."""
        place = (container_id, file_id)
        known = self._ids.get(place)
        if known is None:
            known = self._ids[place] = self._file_id()
            self.files.append(ProducedFile(known, filename, place=place))
        return known

    def image(self, url: str) -> str | None:
        """The lasting id of an image that came along in a call's outputs; None if the URL does not hold it."""
        content, kind = _content(url)
        if content is None:
            return None
        file_id = self._file_id()
        self.files.append(ProducedFile(file_id, f"{file_id}.{kind}", content=content))
        self._unplaced.append(file_id)
        self._unshown.append(file_id)
        return file_id

    def picture(self, container_id: str, file_id: str, filename: str) -> str | None:
        """The lasting id of a cited image; None when a message shows it already.

        Citations come in the order of the images: the next one that came along without a place is this one.
        """
        place = (container_id, file_id)
        if place in self._ids:
            return None
        if self._unplaced and is_image(filename):
            known = self._ids[place] = self._unplaced.pop(0)
            if known not in self._unshown:
                return None
            self._unshown.remove(known)
            return known
        made = self.of_container(container_id, file_id, filename)
        return made if is_image(filename) else None

    def drew(self, size: int | None) -> bool:
        """Whether an image of as many bytes came along with a call."""
        return any(file.content is not None and len(file.content) == size for file in self.files)

    def unshown_images(self) -> Sequence[str]:
        """The images made since the last message, for the next one to show (A86)."""
        unshown, self._unshown = self._unshown, []
        return unshown

    def forget_unshown(self) -> None:
        """No message will show the images made so far."""
        self._unplaced, self._unshown = [], []

    def _file_id(self) -> str:
        return f"file-{self._new_id('file').removeprefix('file_')}"  # the one kind of id with a hyphen (A9)


def is_image(filename: str) -> bool:
    """Whether a message can show it (A37)."""
    return filename.lower().endswith(_IMAGES)


def _content(url: str) -> tuple[bytes | None, str]:
    head, _, data = url.partition(";base64,")
    if not head.startswith("data:image/"):
        return None, ""
    try:
        return b64decode(data), head.removeprefix("data:image/")
    except binascii.Error:
        return None, ""

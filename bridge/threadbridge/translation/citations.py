"""The annotations of an answer in the form of the legacy service (A84-A86, §6).

Places are counted in code points, as Python counts them and as the service behind does: the legacy service's unit for
characters outside the basic plane was never recorded.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from threadbridge.ports import Wire
from threadbridge.translation.produced_files import ProducedFiles

_MARKER = re.compile(r"【\d+:\d+†[^】]*】")
#: The first number of a marker was 4 in both recordings (A84): the position of the search's answer in the prompt.
_FIRST_NUMBER = 4


@dataclass(frozen=True, slots=True)
class MarkerCitation:
    """A `file_citation`: a marker to insert at `offset` of the model's text."""

    offset: int
    marker: str
    file_id: str


@dataclass(frozen=True, slots=True)
class PathCitation:
    """A `file_path`: the model's text from `start` to `offset` names a file it made."""

    start: int
    offset: int
    file_id: str


@dataclass(frozen=True, slots=True)
class ImageCitation:
    """An image the model made, which its message shows."""

    file_id: str


Citation: TypeAlias = MarkerCitation | PathCitation | ImageCitation


class CitationResolver:
    """Resolves annotations by the results of the turn's searches and the files of its code."""

    def __init__(self, produced_files: ProducedFiles) -> None:
        self.produced_files = produced_files
        self._search_count = 0
        self._marker_numbers: dict[str, tuple[int, int]] = {}  # file id: the two numbers of its marker
        self._aliases: dict[str, str] = {}  # some services cite by an inner id (S8)
        self._next_file_number = 0

    def add_search_results(self, results: Sequence[Wire]) -> None:
        """Add the results of a search, for citation. A file has the number of its first result."""
        number = _FIRST_NUMBER + self._search_count
        self._search_count += 1
        file_ids = [get_result_file_id(result) for result in results]
        self._marker_numbers |= {file_id: (number, file_ids.index(file_id)) for file_id in file_ids}
        self._aliases |= {
            result["file_id"]: file_id
            for result, file_id in zip(results, file_ids, strict=True)
            if result.get("file_id")
        }
        self._next_file_number = len(results)

    def resolve(self, annotation: Wire) -> Citation | None:
        """The citation of an annotation; None for one without a counterpart, of which only the text stays (§6)."""
        match annotation:
            case {"type": "file_citation", "file_id": str(file_id)}:
                return self._resolve_file_citation(annotation, self._aliases.get(file_id, file_id))
            case {"type": "container_file_citation", "container_id": str(container), "file_id": str(file)}:
                return self._resolve_container_citation(annotation, container, file)
            case {"type": "file_path", "file_id": str(file_id)}:
                return _build_path_citation(annotation, file_id)
            case _:
                return None

    def _resolve_file_citation(self, annotation: Wire, file_id: str) -> MarkerCitation:
        numbers = self._marker_numbers.get(file_id)
        if numbers is None:  # results not included: files are numbered as they are cited
            number = _FIRST_NUMBER + max(self._search_count - 1, 0)
            numbers = self._marker_numbers[file_id] = (number, self._next_file_number)
            self._next_file_number += 1
        name = (annotation.get("filename") or file_id).replace("】", ")")
        marker = f"【{numbers[0]}:{numbers[1]}†{name}】"
        return MarkerCitation(annotation.get("index") or 0, marker, file_id)

    def _resolve_container_citation(self, annotation: Wire, container_id: str, file_id: str) -> Citation | None:
        filename = annotation.get("filename") or file_id
        if not annotation.get("end_index"):  # it is shown, not named: start and end are 0 (§6)
            image_id = self.produced_files.register_cited_image(container_id, file_id, filename)
            return ImageCitation(image_id) if image_id is not None else None
        return _build_path_citation(
            annotation, self.produced_files.register_container_file(container_id, file_id, filename)
        )


def _build_path_citation(annotation: Wire, file_id: str) -> PathCitation | None:
    start, end = annotation.get("start_index"), annotation.get("end_index")
    if not (isinstance(start, int) and isinstance(end, int) and 0 <= start < end):
        return None
    return PathCitation(start, end, file_id)


def get_result_file_id(result: Wire) -> str:
    """The file of a search result; the result's own ID may be internal to the service (S8)."""
    outer = (result.get("attributes") or {}).get("file_id")
    return outer if isinstance(outer, str) else str(result.get("file_id") or "")


def strip_markers(text: str) -> str:
    """The text as the model wrote it, without markers, which mean nothing to a model (§6)."""
    return _MARKER.sub("", text) if "†" in text else text

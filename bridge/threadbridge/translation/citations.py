"""The annotations of an answer in the form of the legacy service (A84-A86, §6).

Offsets count code points, as Python and the upstream do. The legacy service's unit for characters outside the basic
plane was never recorded.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import quote

from threadbridge.api_types import FileSearchCallResult, JsonMapping, OutputAnnotation
from threadbridge.translation.generated_files import GeneratedFiles

_MARKER = re.compile(r"【\d+:\d+†[^】]*】")
#: The characters with which models delimit citations in their text: start, end, separator. Services that turn them into
#: annotations remove them; others leave them in the text.
CONTROL_CHARACTERS = re.compile("[\ue200-\ue202]")
#: The most characters of a mark; more are text.
MAX_MARK_CHARACTERS = 300
MARK = re.compile("\ue200[^\ue200\ue201]{0,298}\ue201")
OPEN_MARK = re.compile("\ue200[^\ue200\ue201]{0,298}")
_FILE_MARK = "\ue200filecite"
_FILE_REFERENCE = re.compile(r"turn(\d{1,6})file(\d{1,6})")
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
    """A `file_path`: the model's text from `start` to `offset` is the path of a file that code made."""

    start: int
    offset: int
    file_id: str


@dataclass(frozen=True, slots=True)
class ImageCitation:
    """An image that code made and the message shows."""

    file_id: str


Citation: TypeAlias = MarkerCitation | PathCitation | ImageCitation


class CitationResolver:
    """Resolves annotations by the results of the turn's searches and the files of its code."""

    def __init__(self, generated_files: GeneratedFiles) -> None:
        self.generated_files = generated_files
        self._search_count = 0
        self._marker_numbers: dict[str, tuple[int, int]] = {}  # file id: the two numbers of its marker
        self._aliases: dict[str, str] = {}  # some services cite by an internal ID (S8)
        self._next_file_number = 0
        self._searches: list[Sequence[FileSearchCallResult]] = []

    def add_search_results(self, results: Sequence[FileSearchCallResult]) -> None:
        """Add the results of a search, for citation. A file has the number of its first result."""
        number = _FIRST_NUMBER + self._search_count
        self._search_count += 1
        self._searches.append(results)
        file_ids = [get_result_file_id(result) for result in results]
        self._marker_numbers |= {file_id: (number, file_ids.index(file_id)) for file_id in file_ids}
        for result, file_id in zip(results, file_ids, strict=True):
            internal_id = result.get("file_id")
            if internal_id:
                self._aliases[internal_id] = file_id
        self._next_file_number = len(results)

    def resolve(self, annotation: OutputAnnotation) -> Citation | None:
        """The citation of an annotation; None for one without a counterpart, of which only the text stays (§6)."""
        fields: JsonMapping = annotation  # a server may leave out keys or send them null (S4)
        kind, file_id = fields.get("type"), fields.get("file_id")
        if not isinstance(file_id, str):
            return None
        if kind == "file_citation":
            return self._resolve_file_citation(fields, self._aliases.get(file_id, file_id))
        if kind == "file_path":
            return _build_path_citation(fields, file_id)
        container_id = fields.get("container_id")
        if kind != "container_file_citation" or not isinstance(container_id, str):
            return None
        filename = fields.get("filename") or file_id
        if fields.get("end_index"):
            lasting_id = self.generated_files.register_container_file(container_id, file_id, filename)
            return _build_path_citation(fields, lasting_id)
        # The file is shown, not mentioned: start and end are 0 (§6).
        image_id = self.generated_files.register_cited_image(container_id, file_id, filename)
        return ImageCitation(image_id) if image_id is not None else None

    def resolve_mark(self, mark: str, offset: int) -> Sequence[MarkerCitation]:
        """The citations that a mark in the text stands for; none for one that does not cite a known search result.

        A mark counts searches over the whole conversation: if this turn has one, it is that one.
        """
        citations: list[MarkerCitation] = []
        for search, position in _FILE_REFERENCE.findall(mark) if mark.startswith(_FILE_MARK) else ():
            number = 0 if len(self._searches) == 1 else int(search)
            results = self._searches[number] if number < len(self._searches) else ()
            if int(position) < len(results):
                result = results[int(position)]
                annotation = {"filename": result.get("filename"), "index": offset}
                citations.append(self._resolve_file_citation(annotation, get_result_file_id(result)))
        return citations

    def _resolve_file_citation(self, annotation: JsonMapping, file_id: str) -> MarkerCitation:
        numbers = self._marker_numbers.get(file_id)
        if numbers is None:  # results not included: files are numbered as they are cited
            number = _FIRST_NUMBER + max(self._search_count - 1, 0)
            numbers = self._marker_numbers[file_id] = (number, self._next_file_number)
            self._next_file_number += 1
        name = (annotation.get("filename") or file_id).replace("】", ")")
        marker = f"【{numbers[0]}:{numbers[1]}†{name}】"
        return MarkerCitation(annotation.get("index") or 0, marker, file_id)


def _build_path_citation(annotation: JsonMapping, file_id: str) -> PathCitation | None:
    start, end = annotation.get("start_index"), annotation.get("end_index")
    if not (isinstance(start, int) and isinstance(end, int) and 0 <= start < end):
        return None
    return PathCitation(start, end, file_id)


def get_result_file_id(result: FileSearchCallResult) -> str:
    """The file of a search result; the result's own ID may be internal to the service (S8)."""
    attributes: JsonMapping = result.get("attributes") or {}
    outer = attributes.get("file_id")
    return outer if isinstance(outer, str) else str(result.get("file_id") or "")


#: How a mention of a file in a container begins. Without it a text is not searched.
_MENTION_PREFIX = "sandbox:"
#: What continues the name of a file, so that a shorter name is not mentioned there.
_NAME_CONTINUATION = r"(?![A-Za-z0-9_%-]|\.[A-Za-z0-9]|/)"


def find_mentions(text: str, path: str, other_paths: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Where the text mentions the file of this path as `sandbox:…`: start and end of each mention.

    Models write the path as it is, percent-encoded, and with letters composed or decomposed. A mention of another path
    that begins with this one is none.
    """
    if _MENTION_PREFIX not in text:
        return
    longer: list[re.Pattern[str]] | None = None
    for match in _build_mention_pattern(path).finditer(text):
        if longer is None:
            longer = [
                _build_mention_pattern(other) for other in other_paths if other != path and other.startswith(path)
            ]
        if not any(pattern.match(text, match.start()) for pattern in longer):
            yield match.span()


def _build_mention_pattern(path: str) -> re.Pattern[str]:
    characters = unicodedata.normalize("NFC", path.lstrip("/"))
    written = "".join(_build_character_pattern(character) for character in characters)
    return re.compile(f"{_MENTION_PREFIX}/*{written}{_NAME_CONTINUATION}")


def _build_character_pattern(character: str) -> str:
    decomposed = unicodedata.normalize("NFD", character)
    forms = [re.escape(character), re.escape(decomposed)]
    # Half a surrogate pair has no UTF-8 form, and so none that is percent-encoded.
    encoded = [f"%{byte:02X}" for byte in character.encode(errors="ignore")]
    forms += [f"(?i:{''.join(encoded)})", f"(?i:{quote(decomposed, errors='ignore')})"]
    return f"(?:{'|'.join(dict.fromkeys(forms))})"


def strip_markers(text: str) -> str:
    """The text as the model wrote it, without markers, which mean nothing to a model (§6)."""
    return _MARKER.sub("", text) if "†" in text else text

"""The content parts of a message while it is written: each returns the fragments to send and, at the end, the whole."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple, TypeAlias

from threadbridge.api_types import (
    Annotation,
    AnnotationDelta,
    FileCitationAnnotation,
    FilePathAnnotation,
    ImageFilePart,
    ImageFilePartDelta,
    RefusalPartDelta,
    TextPartDelta,
)
from threadbridge.api_types import RefusalPart as RefusalContent
from threadbridge.api_types import TextPart as TextContent
from threadbridge.translation.citations import (
    CONTROL_CHARACTERS,
    MARK,
    MAX_MARK_CHARACTERS,
    OPEN_MARK,
    Citation,
    MarkerCitation,
    PathCitation,
    find_mentions,
)

PartKind: TypeAlias = Literal["text", "refusal"]


class RefusalPart:
    """A refusal (A40)."""

    kind: PartKind = "refusal"
    pending_citations: Sequence[Citation] = ()
    open_mark = ""

    def __init__(self, index: int) -> None:
        self.index = index
        self._fragments: list[str] = []

    def append(self, fragment: str) -> RefusalPartDelta:
        """The delta of the next fragment."""
        self._fragments.append(fragment)
        return {"index": self.index, "type": "refusal", "refusal": fragment}

    def write(self, fragment: str) -> Sequence[RefusalPartDelta]:
        """The deltas of the next fragment: always one."""
        return [self.append(fragment)]

    @property
    def model_text(self) -> str:
        """The text that the model wrote."""
        return "".join(self._fragments)

    def build_content(self) -> RefusalContent:
        """The part as the message shows it."""
        return {"type": "refusal", "refusal": self.model_text}


class ImagePart:
    """An image that the model made (A86)."""

    def __init__(self, index: int, file_id: str) -> None:
        self.index = index
        self._file_id = file_id

    def build_delta(self) -> ImageFilePartDelta:
        """The one delta of the part."""
        return {"index": self.index, **self.build_content()}

    def build_content(self) -> ImageFilePart:
        """The part as the message shows it."""
        return {"type": "image_file", "image_file": {"file_id": self._file_id}}


class _Edit(NamedTuple):
    """A change of the model's text at an offset in it: what is not shown, or what is shown in addition."""

    offset: int
    removed: str = ""
    inserted: str = ""


class TextPart:
    """Text with citations. The text shown is the model's text with markers inserted (A84) and without control marks."""

    kind: PartKind = "text"

    def __init__(self, index: int, resolve_mark: Callable[[str, int], Sequence[MarkerCitation]]) -> None:
        self.index = index
        self._resolve_mark = resolve_mark
        self.annotations: list[Annotation] = []
        #: Citations that arrived before the text they follow, by offset.
        self.pending_citations: list[MarkerCitation | PathCitation] = []
        self._fragments: list[str] = []  # as shown
        self._measured_count = 0  # the number of fragments that the two lengths include
        self._shown_length = 0
        self._model_length = 0
        #: A control mark whose end has not arrived.
        self.open_mark = ""
        self._edits: list[_Edit] = []
        self._marked_citations: list[MarkerCitation] = []
        self._seen_annotations: set[int] = set()

    def append(self, fragment: str) -> TextPartDelta:
        """The delta of the next fragment, where no citation is pending."""
        first = not self._fragments
        self._fragments.append(fragment)
        if first:  # clients merge lists by concatenation, so only the first delta has the empty list (A94, A98a)
            return {"index": self.index, "type": "text", "text": {"value": fragment, "annotations": []}}
        return {"index": self.index, "type": "text", "text": {"value": fragment}}

    def write(self, fragment: str) -> Sequence[TextPartDelta]:
        """The deltas of the next fragment, with the markers that belong into it and without control marks."""
        if not self.open_mark and CONTROL_CHARACTERS.search(fragment) is None:
            return self._write_text(fragment)
        text, self.open_mark = self.open_mark + fragment, ""
        deltas: list[TextPartDelta] = []
        while (control := CONTROL_CHARACTERS.search(text)) is not None:
            deltas += self._write_text(text[: control.start()])
            text = text[control.start() :]
            mark = MARK.match(text)
            if mark is None and OPEN_MARK.fullmatch(text):
                self.open_mark, text = text, ""
            else:
                removed = mark[0] if mark is not None else text[0]
                deltas += self._remove(removed)
                text = text[len(removed) :]
        deltas += self._write_text(text)
        return deltas if deltas or self._fragments else [self.append("")]  # the part must not be sent without a delta

    def _write_text(self, fragment: str) -> Sequence[TextPartDelta]:
        deltas: list[TextPartDelta] = []
        while self.pending_citations and self.pending_citations[0].offset <= self._measure() + len(fragment):
            citation = self.pending_citations.pop(0)
            split = citation.offset - self._model_length
            if split:
                deltas.append(self.append(fragment[:split]))
            deltas += self._emit_citation(citation)
            fragment = fragment[split:]
        if fragment:
            deltas.append(self.append(fragment))
        return deltas

    def _remove(self, mark: str) -> Sequence[TextPartDelta]:
        """Leave out a mark of the model's text; returns the citations that it stands for, and those pending in it."""
        start = self._measure()
        self._edits.append(_Edit(start, removed=mark))
        self._model_length += len(mark)
        citations = self._resolve_mark(mark, self._model_length)
        self._marked_citations += citations
        deltas = [delta for citation in citations for delta in self._emit_citation(citation)]
        while self.pending_citations and self.pending_citations[0].offset <= self._model_length:
            deltas += self.cite(self.pending_citations.pop(0))
        return deltas

    def register_annotation(self, number: int | None) -> bool:
        """Whether the annotation of this number is new; without a number it is the next one."""
        position = len(self._seen_annotations) if number is None else number
        is_new = position not in self._seen_annotations
        self._seen_annotations.add(position)
        return is_new

    def cite(self, citation: MarkerCitation | PathCitation) -> Sequence[TextPartDelta]:
        """The deltas of a citation; none while its text has not arrived, `write` sends it then.

        None either for what a mark close to it cites already.
        """
        if isinstance(citation, MarkerCitation) and any(
            marked.file_id == citation.file_id and abs(marked.offset - citation.offset) <= MAX_MARK_CHARACTERS
            for marked in self._marked_citations
        ):
            return []
        if citation.offset <= self._measure():
            return self._emit_citation(citation)
        insort(self.pending_citations, citation, key=lambda pending: pending.offset)
        return []

    def finish(self) -> Sequence[TextPartDelta]:
        """The deltas of a mark without an end and of the citations still pending, whose offsets are behind the text."""
        mark, self.open_mark = self.open_mark, ""
        if mark:  # with spaces it is text, and no part of a mark
            removed = mark if " " not in mark else mark[0]
            return [*self._remove(removed), *self.write(mark[len(removed) :]), *self.finish()]
        pending, self.pending_citations = self.pending_citations, []
        return [delta for citation in pending for delta in self._emit_citation(citation)]

    def cite_mentions(self, path: str, file_id: str, other_paths: Iterable[str]) -> Sequence[TextPartDelta]:
        """The deltas that cite a file wherever the model mentioned it in this text without citing it."""
        cited = [(annotation["start_index"], annotation["end_index"]) for annotation in self.annotations]
        return [
            self._emit_file_path(start, end, file_id)
            for start, end in find_mentions(self.value, path, other_paths)
            if all(end <= cited_start or cited_end <= start for cited_start, cited_end in cited)
        ]

    @property
    def model_text(self) -> str:
        """The text that the model wrote."""
        value = self.value
        pieces: list[str] = []
        shown_end = model_end = 0
        for edit in self._edits:
            unchanged = edit.offset - model_end
            pieces += [value[shown_end : shown_end + unchanged], edit.removed]
            shown_end += unchanged + len(edit.inserted)
            model_end = edit.offset + len(edit.removed)
        return "".join([*pieces, value[shown_end:], self.open_mark])

    @property
    def value(self) -> str:
        """The text as shown, with markers."""
        return "".join(self._fragments)

    def build_content(self) -> TextContent:
        """The part as the message shows it."""
        return {"type": "text", "text": {"value": self.value, "annotations": list(self.annotations)}}

    def _measure(self) -> int:
        """The length of the model's text. A text without citations, as most are, is never measured."""
        new = sum(map(len, self._fragments[self._measured_count :]))
        self._measured_count = len(self._fragments)
        self._shown_length += new
        self._model_length += new
        return self._model_length

    def _emit_citation(self, citation: MarkerCitation | PathCitation) -> Sequence[TextPartDelta]:
        self._measure()
        if isinstance(citation, PathCitation):
            start = self._to_shown_offset(citation.start, after=True)
            end = self._to_shown_offset(min(citation.offset, self._model_length), after=False)
            return [self._emit_file_path(start, end, citation.file_id)] if start < end else []
        marker, start = citation.marker, self._shown_length
        self._edits.append(_Edit(self._model_length, inserted=marker))
        annotation: FileCitationAnnotation = {
            "type": "file_citation",
            "text": marker,
            "start_index": start,
            "end_index": start + len(marker),
            "file_citation": {"file_id": citation.file_id},
        }
        # In a delta a citation also has an empty quote (A87).
        quoted: FileCitationAnnotation = {**annotation, "file_citation": {"file_id": citation.file_id, "quote": ""}}
        return [self._emit_annotation(marker, annotation, {"index": len(self.annotations), **quoted})]

    def _emit_file_path(self, start: int, end: int, file_id: str) -> TextPartDelta:
        annotation: FilePathAnnotation = {
            "type": "file_path",
            "text": self.value[start:end],
            "start_index": start,
            "end_index": end,
            "file_path": {"file_id": file_id},
        }
        return self._emit_annotation("", annotation, {"index": len(self.annotations), **annotation})

    def _to_shown_offset(self, model_offset: int, *, after: bool) -> int:
        """The offset in the shown text for one in the model's text: before or after the markers at that offset."""
        offset = model_offset
        for edit in self._edits:
            offset -= min(len(edit.removed), max(model_offset - edit.offset, 0))
            if edit.offset < model_offset or (after and edit.offset == model_offset):
                offset += len(edit.inserted)
        return offset

    def _emit_annotation(self, value: str, annotation: Annotation, in_delta: AnnotationDelta) -> TextPartDelta:
        self.annotations.append(annotation)
        delta = self.append(value)
        self._measured_count += 1  # not part of the model's text
        self._shown_length += len(value)
        delta["text"]["annotations"] = [in_delta]
        return delta

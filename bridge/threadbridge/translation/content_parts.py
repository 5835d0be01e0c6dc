"""The content parts of a message while it is written: each gives the fragments to send and, at the end, the whole."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from typing import Literal, TypeAlias

from threadbridge.ports import Wire
from threadbridge.translation.citations import Citation, MarkerCitation, PathCitation

PartKind: TypeAlias = Literal["text", "refusal"]


class RefusalPart:
    """A refusal (A40)."""

    kind: PartKind = "refusal"
    pending_citations: Sequence[Citation] = ()

    def __init__(self, index: int) -> None:
        self.index = index
        self._fragments: list[str] = []

    def append(self, fragment: str) -> Wire:
        """The next fragment."""
        self._fragments.append(fragment)
        return {"index": self.index, "type": "refusal", "refusal": fragment}

    def write(self, fragment: str) -> Sequence[Wire]:
        """The next fragment."""
        return [self.append(fragment)]

    @property
    def model_text(self) -> str:
        """The text that the model wrote."""
        return "".join(self._fragments)

    def build_content(self) -> Wire:
        """The part as the message shows it."""
        return {"type": "refusal", "refusal": self.model_text}


class ImagePart:
    """An image the model made (A86)."""

    def __init__(self, index: int, file_id: str) -> None:
        self.index = index
        self._file_id = file_id

    def build_delta(self) -> Wire:
        """The one fragment it consists of."""
        return {"index": self.index, **self.build_content()}

    def build_content(self) -> Wire:
        """The part as the message shows it."""
        return {"type": "image_file", "image_file": {"file_id": self._file_id}}


class TextPart:
    """Text with citations. The model's text and the shown text differ by the markers (A84)."""

    kind: PartKind = "text"

    def __init__(self, index: int) -> None:
        self.index = index
        self.annotations: list[Wire] = []
        #: Citations that arrived before the text they follow, by offset.
        self.pending_citations: list[MarkerCitation | PathCitation] = []
        self._fragments: list[str] = []  # as shown
        self._measured_count = 0  # how many of them are counted in the lengths
        self._shown_length = 0  # of what is shown
        self._model_length = 0
        self._markers: list[tuple[int, str]] = []  # by their place in what was said
        self._seen_annotations: set[int] = set()

    def append(self, fragment: str) -> Wire:
        """The next fragment, where no citation is pending."""
        first = not self._fragments
        self._fragments.append(fragment)
        if first:  # clients merge lists by concatenation: the empty one travels once (A94, A98a)
            return {"index": self.index, "type": "text", "text": {"value": fragment, "annotations": []}}
        return {"index": self.index, "type": "text", "text": {"value": fragment}}

    def write(self, fragment: str) -> Sequence[Wire]:
        """The next fragment, with the markers that belong into it."""
        deltas: list[Wire] = []
        while self.pending_citations and self.pending_citations[0].offset <= self._measure() + len(fragment):
            citation = self.pending_citations.pop(0)
            split = citation.offset - self._model_length
            deltas += [*self._append_nonempty(fragment[:split]), *self._emit_citation(citation)]
            fragment = fragment[split:]
        return [*deltas, *self._append_nonempty(fragment)]

    def register_annotation(self, number: int | None) -> bool:
        """Whether the annotation of this number is new; without a number it is the next one."""
        position = len(self._seen_annotations) if number is None else number
        new = position not in self._seen_annotations
        self._seen_annotations.add(position)
        return new

    def cite(self, citation: MarkerCitation | PathCitation) -> Sequence[Wire]:
        """A citation, sent at once if its text has arrived, otherwise with it."""
        if citation.offset <= self._measure():
            return self._emit_citation(citation)
        insort(self.pending_citations, citation, key=lambda waiting: waiting.offset)
        return []

    def finish(self) -> Sequence[Wire]:
        """Send the citations that still wait: their offsets lie behind the end of the text."""
        pending, self.pending_citations = self.pending_citations, []
        return [delta for citation in pending for delta in self._emit_citation(citation)]

    def cite_mention(self, words: str, file_id: str) -> Sequence[Wire]:
        """Cite a file that the model mentioned in this text without citing it."""
        start = self.value.find(words)
        return [] if start < 0 else [self._emit_file_path(start, start + len(words), file_id)]

    @property
    def model_text(self) -> str:
        """The text that the model wrote."""
        pieces, at, passed = [], 0, 0
        value = self.value
        for offset, marker in self._markers:
            pieces.append(value[at : offset + passed])
            passed += len(marker)
            at = offset + passed
        return "".join([*pieces, value[at:]])

    @property
    def value(self) -> str:
        """The text as shown, with markers."""
        return "".join(self._fragments)

    def build_content(self) -> Wire:
        """The part as the message shows it."""
        return {"type": "text", "text": {"value": self.value, "annotations": list(self.annotations)}}

    def _measure(self) -> int:
        """The length of the model's text. Most texts cite nothing and are never measured."""
        new = sum(map(len, self._fragments[self._measured_count :]))
        self._measured_count = len(self._fragments)
        self._shown_length += new
        self._model_length += new
        return self._model_length

    def _append_nonempty(self, fragment: str) -> Sequence[Wire]:
        return [self.append(fragment)] if fragment else []

    def _emit_citation(self, citation: Citation) -> Sequence[Wire]:
        self._measure()
        match citation:
            case MarkerCitation(_, marker, file_id):
                start = self._shown_length
                self._markers.append((self._model_length, marker))
                span = {"text": marker, "start_index": start, "end_index": start + len(marker)}
                annotation = {"type": "file_citation", **span, "file_citation": {"file_id": file_id}}
                # In a delta a citation has an empty quote besides (A87).
                in_delta = {**annotation, "file_citation": {"file_id": file_id, "quote": ""}}
                return [self._emit_annotation(marker, annotation, in_delta)]
            case PathCitation(start, end, file_id):
                span_bounds = (
                    self._to_shown_offset(start, after=True),
                    self._to_shown_offset(min(end, self._model_length), after=False),
                )
                return [self._emit_file_path(*span_bounds, file_id)] if span_bounds[0] < span_bounds[1] else []
            case _:
                return []

    def _emit_file_path(self, start: int, end: int, file_id: str) -> Wire:
        span = {"text": self.value[start:end], "start_index": start, "end_index": end}
        annotation = {"type": "file_path", **span, "file_path": {"file_id": file_id}}
        return self._emit_annotation("", annotation, annotation)

    def _to_shown_offset(self, model_offset: int, *, after: bool) -> int:
        """The offset in the shown text for one in the model's text: before or after the markers at that offset."""
        return model_offset + sum(
            len(marker) for at, marker in self._markers if at < model_offset or (after and at == model_offset)
        )

    def _emit_annotation(self, value: str, annotation: Wire, in_delta: Wire) -> Wire:
        index = len(self.annotations)
        self.annotations.append(annotation)
        delta = self.append(value)
        self._measured_count += 1  # not part of the model's text
        self._shown_length += len(value)
        delta["text"]["annotations"] = [{"index": index, **in_delta}]
        return delta

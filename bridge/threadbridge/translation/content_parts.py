"""The content parts of a message while it is written: each gives the fragments to send and, at the end, the whole."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from typing import Literal, TypeAlias

from threadbridge.ports import Wire
from threadbridge.translation.citations import Citation, Linked, Marked

PartKind: TypeAlias = Literal["text", "refusal"]


class RefusalPart:
    """A refusal (A40)."""

    kind: PartKind = "refusal"
    waiting: Sequence[Citation] = ()

    def __init__(self, index: int) -> None:
        self.index = index
        self._fragments: list[str] = []

    def delta(self, fragment: str) -> Wire:
        """The next words."""
        self._fragments.append(fragment)
        return {"index": self.index, "type": "refusal", "refusal": fragment}

    def write(self, fragment: str) -> Sequence[Wire]:
        """The next words."""
        return [self.delta(fragment)]

    @property
    def said(self) -> str:
        """What the model said."""
        return "".join(self._fragments)

    def content(self) -> Wire:
        """The part as the message shows it."""
        return {"type": "refusal", "refusal": self.said}


class ImagePart:
    """An image the model made (A86)."""

    def __init__(self, index: int, file_id: str) -> None:
        self.index = index
        self._file_id = file_id

    def opening(self) -> Wire:
        """The one fragment it consists of."""
        return {"index": self.index, **self.content()}

    def content(self) -> Wire:
        """The part as the message shows it."""
        return {"type": "image_file", "image_file": {"file_id": self._file_id}}


class TextPart:
    """Text with citations. What the model said and what is shown differ by the markers (A84)."""

    kind: PartKind = "text"

    def __init__(self, index: int) -> None:
        self.index = index
        self.annotations: list[Wire] = []
        #: Citations that came before the words they belong behind, by place.
        self.waiting: list[Marked | Linked] = []
        self._fragments: list[str] = []  # as shown
        self._measured = 0  # how many of them are counted in the lengths
        self._length = 0  # of what is shown
        self._said_length = 0
        self._markers: list[tuple[int, str]] = []  # by their place in what was said
        self._read: set[int] = set()

    def delta(self, fragment: str) -> Wire:
        """The next words, with no citation waiting for them."""
        first = not self._fragments
        self._fragments.append(fragment)
        if first:  # clients merge lists by concatenation: the empty one travels once (A94, A98a)
            return {"index": self.index, "type": "text", "text": {"value": fragment, "annotations": []}}
        return {"index": self.index, "type": "text", "text": {"value": fragment}}

    def write(self, fragment: str) -> Sequence[Wire]:
        """The next words, and the markers that belong among them."""
        deltas: list[Wire] = []
        while self.waiting and self.waiting[0].place <= self._measure() + len(fragment):
            citation = self.waiting.pop(0)
            split = citation.place - self._said_length
            deltas += [*self._words(fragment[:split]), *self._cited(citation)]
            fragment = fragment[split:]
        return [*deltas, *self._words(fragment)]

    def is_new(self, number: int | None) -> bool:
        """Whether the part's annotation of this number is met for the first time; without a number it is the next."""
        at = len(self._read) if number is None else number
        new = at not in self._read
        self._read.add(at)
        return new

    def cite(self, citation: Marked | Linked) -> Sequence[Wire]:
        """A citation, at once where its words are there, and otherwise with them."""
        if citation.place <= self._measure():
            return self._cited(citation)
        insort(self.waiting, citation, key=lambda waiting: waiting.place)
        return []

    def finish(self) -> Sequence[Wire]:
        """No more words will come: what still waits had its place behind the end."""
        waiting, self.waiting = self.waiting, []
        return [delta for citation in waiting for delta in self._cited(citation)]

    def mention(self, words: str, file_id: str) -> Sequence[Wire]:
        """Cite a file the model named in these words without citing it."""
        start = self.value.find(words)
        return [] if start < 0 else [self._path(start, start + len(words), file_id)]

    @property
    def said(self) -> str:
        """What the model said."""
        said, at, passed = [], 0, 0
        value = self.value
        for place, marker in self._markers:
            said.append(value[at : place + passed])
            passed += len(marker)
            at = place + passed
        return "".join([*said, value[at:]])

    @property
    def value(self) -> str:
        """What is shown."""
        return "".join(self._fragments)

    def content(self) -> Wire:
        """The part as the message shows it."""
        return {"type": "text", "text": {"value": self.value, "annotations": list(self.annotations)}}

    def _measure(self) -> int:
        """How long is what was said. Most texts cite nothing and are never measured."""
        new = sum(map(len, self._fragments[self._measured :]))
        self._measured = len(self._fragments)
        self._length += new
        self._said_length += new
        return self._said_length

    def _words(self, fragment: str) -> Sequence[Wire]:
        return [self.delta(fragment)] if fragment else []

    def _cited(self, citation: Citation) -> Sequence[Wire]:
        self._measure()
        match citation:
            case Marked(_, marker, file_id):
                start = self._length
                self._markers.append((self._said_length, marker))
                span = {"text": marker, "start_index": start, "end_index": start + len(marker)}
                annotation = {"type": "file_citation", **span, "file_citation": {"file_id": file_id}}
                # In a delta a citation has an empty quote besides (A87).
                told = {**annotation, "file_citation": {"file_id": file_id, "quote": ""}}
                return [self._annotated(marker, annotation, told)]
            case Linked(start, end, file_id):
                shown = self._place(start, after=True), self._place(min(end, self._said_length), after=False)
                return [self._path(*shown, file_id)] if shown[0] < shown[1] else []
            case _:
                return []

    def _path(self, start: int, end: int, file_id: str) -> Wire:
        span = {"text": self.value[start:end], "start_index": start, "end_index": end}
        annotation = {"type": "file_path", **span, "file_path": {"file_id": file_id}}
        return self._annotated("", annotation, annotation)

    def _place(self, said: int, *, after: bool) -> int:
        """Where a place in what was said is in what is shown: before or after the markers that stand right there."""
        return said + sum(len(marker) for at, marker in self._markers if at < said or (after and at == said))

    def _annotated(self, value: str, annotation: Wire, told: Wire) -> Wire:
        index = len(self.annotations)
        self.annotations.append(annotation)
        delta = self.delta(value)
        self._measured += 1  # nobody said it
        self._length += len(value)
        delta["text"]["annotations"] = [{"index": index, **told}]
        return delta

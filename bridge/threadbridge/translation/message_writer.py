"""One message being written, and the step that creates it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from threadbridge.ports import Entry, Event, NewId, Wire
from threadbridge.translation.citations import Pictured, Sources
from threadbridge.translation.content_parts import ImagePart, PartKind, RefusalPart, TextPart
from threadbridge.translation.wire_objects import (
    closed_step,
    message_delta,
    open_step,
    run_message,
    sse_message,
    step_event,
)

#: The parts of an output message that a thread's message can show: our kind, and the field that holds the words.
_SHOWN_PARTS: dict[str, tuple[PartKind, str]] = {
    "output_text": ("text", "text"),
    "refusal": ("refusal", "refusal"),
}


class MessageWriter:
    """Turns one output message of a response into one message and one message_creation step."""

    item_type = "message"
    #: The step as it was stored last; None until it ended.
    step: Wire | None = None

    def __init__(self, run: Wire, *, new_id: NewId, now: Callable[[], float], sources: Sources) -> None:
        self._run = run
        self._now = now
        self._sources = sources
        self.created_at = int(now())
        self.message_id = new_id("msg")
        self._open_step = open_step(
            run,
            step_id=new_id("step"),
            created_at=self.created_at,
            details={"type": "message_creation", "message_creation": {"message_id": self.message_id}},
        )
        self._spoken: dict[tuple[PartKind, int], TextPart | RefusalPart] = {}  # by their upstream index
        self._parts: list[TextPart | RefusalPart | ImagePart] = []  # without gaps
        self._item: Wire | None = None
        #: The item came with status completed: a token limit that struck later did not cut it. (May be null, S5.)
        self.whole = False

    def opening(self) -> list[Event]:
        """The four events that announce the message (A90), and the images made before it (A86)."""
        message = sse_message(self._message(), "in_progress")
        return [
            Event("thread.run.step.created", self._open_step),
            Event("thread.run.step.in_progress", self._open_step),
            Event("thread.message.created", message),
            Event("thread.message.in_progress", message),
            *(self._image(file_id) for file_id in self._sources.produced.unshown_images()),
        ]

    def add(self, kind: PartKind, content_index: int, fragment: str) -> list[Event]:
        """The next fragment of a content part, which opens with its first one."""
        part = self._spoken.get((kind, content_index)) or self._part(kind, content_index)
        if part.waiting:
            return self._told(part.write(fragment))
        return [message_delta(self.message_id, part.delta(fragment))]

    def cite(self, content_index: int, annotation: Wire, number: int | None) -> list[Event]:
        """The annotation of this number of a content part."""
        part = self._part("text", content_index)
        return self._cite(part, annotation, number) if isinstance(part, TextPart) else []

    def mention(self, words: str, file_id: str) -> list[Event]:
        """A file that the model named in these words without citing it."""
        texts = (part for part in self._parts if isinstance(part, TextPart))
        return [event for part in texts for event in self._told(part.mention(words, file_id))][:1]

    def show(self, file_id: str) -> list[Event]:
        """An image that the model made and did not cite."""
        return [self._image(file_id)]

    def finish(self, item: Wire) -> list[Event]:
        """Take the finished item, and send what the deltas left out.

        What was streamed was seen, so it stays: where the item disagrees, its words are not used and the message
        will be replayed from its own content. Parts are compared in their order, because servers differ in how they
        number them.
        """
        self.whole = item.get("status") == "completed"
        shown = _shown(item)
        events = self._rest(shown) if self.step is None else []
        if self._words() == [(kind, words) for kind, words, _ in shown] and item.get("status") != "incomplete":
            self._item = item
        return events

    def _rest(self, shown: list[tuple[PartKind, str, list[Wire]]]) -> list[Event]:
        streamed = list(self._spoken.values())
        events: list[Event] = []
        for place, (kind, words, cited) in enumerate(shown):
            if place >= len(streamed):
                # Its images first, where nothing was streamed before them (A86). A key no upstream index can have.
                events += self._images(cited)
                part = self._part(kind, -1 - place)
            else:
                part = streamed[place]
            agreed = part.kind == kind and words.startswith(part.said)
            if agreed and isinstance(part, TextPart):
                for number, annotation in enumerate(cited):
                    events += self._cite(part, annotation, number)
            if agreed and (rest := words[len(part.said) :]):
                events += self._told(part.write(rest))
            if isinstance(part, TextPart):
                events += self._told(part.finish())
        return events

    def _images(self, cited: list[Wire]) -> list[Event]:
        shown = (annotation for annotation in cited if not annotation.get("end_index"))
        read = (self._sources.read(annotation) for annotation in shown if "container_id" in annotation)
        return [self._image(citation.file_id) for citation in read if isinstance(citation, Pictured)]

    def says(self, item: Wire) -> bool:
        """Whether the item holds the very words of this message."""
        return self._words() == [(kind, words) for kind, words, _ in _shown(item)]

    def close(
        self, *, step_status: str, usage: Wire, reason: str | None = None, last_error: Wire | None = None
    ) -> list[Event]:
        """The closing events; a `reason` (A39) makes the message incomplete."""
        at = int(self._now())
        events: list[Event] = []
        if not self._parts:  # the stock handler reads the content at the last delta's index (A98b)
            events += self.add("text", 0, "")
        status = "completed" if reason is None else "incomplete"
        message = sse_message(self._message(), status, at=at, reason=reason)
        self.step = closed_step(self._open_step, step_status, at=at, usage=usage, last_error=last_error)
        return [
            *events,
            Event(f"thread.message.{status}", message),
            step_event(self.step, self._run["expires_at"]),
        ]

    def entry(self, *, cut: bool) -> Entry:
        """The message as a line of the timeline, with its item where that can be replayed word for word.

        `cut`: the response did not complete, so that only an item known to be whole may be replayed.
        """
        item = self._item if self.whole or not cut else None
        return Entry(message=self._message(), item=item, run_id=self._run["id"])

    def _part(self, kind: PartKind, content_index: int) -> TextPart | RefusalPart:
        key = (kind, content_index)
        part = self._spoken.get(key)
        if part is None:
            part = self._spoken[key] = (TextPart if kind == "text" else RefusalPart)(len(self._parts))
            self._parts.append(part)
        return part

    def _cite(self, part: TextPart, annotation: Wire, number: int | None) -> list[Event]:
        if not part.is_new(number):
            return []
        citation = self._sources.read(annotation)
        if isinstance(citation, Pictured):
            return [self._image(citation.file_id)]
        return self._told(part.cite(citation)) if citation is not None else []

    def _image(self, file_id: str) -> Event:
        part = ImagePart(len(self._parts), file_id)
        self._parts.append(part)
        return message_delta(self.message_id, part.opening())

    def _told(self, deltas: Iterable[Wire]) -> list[Event]:
        return [message_delta(self.message_id, delta) for delta in deltas]

    def _words(self) -> list[tuple[PartKind, str]]:
        return [(part.kind, part.said) for part in self._spoken.values()]

    def _message(self) -> Wire:
        return run_message(
            self._run,
            message_id=self.message_id,
            created_at=self.created_at,
            content=[part.content() for part in self._parts],
        )


def _shown(item: Wire) -> list[tuple[PartKind, str, list[Wire]]]:
    """The parts with words in them, in order, with their annotations."""
    found: list[tuple[PartKind, str, list[Wire]]] = []
    parts: list[Any] = item.get("content") or []
    for part in parts:
        shown = _SHOWN_PARTS.get(part.get("type"))
        if shown is not None and part.get(shown[1]):
            found.append((shown[0], part[shown[1]], part.get("annotations") or []))
    return found

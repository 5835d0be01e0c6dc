"""One message being written, and the step that creates it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from threadbridge.api_types import (
    JsonMapping,
    LastError,
    MessageContentPartDelta,
    MessageIncompleteReason,
    MessageObject,
    MessageStatus,
    OutputAnnotation,
    OutputMessageItem,
    RunObject,
    RunStepObject,
    StepStatus,
    UsageObject,
)
from threadbridge.ports import Entry, Event, IdGenerator
from threadbridge.translation.citations import CONTROL_CHARACTERS, CitationResolver, ImageCitation
from threadbridge.translation.content_parts import ImagePart, PartKind, RefusalPart, TextPart
from threadbridge.translation.wire_objects import (
    build_closed_step,
    build_message_delta,
    build_open_step,
    build_run_message,
    build_step_event,
    build_streamed_message,
)

#: The parts of an output message that a thread's message can show: the kind here, and the field that holds the text.
_PART_FIELDS: Mapping[object, tuple[PartKind, str]] = {
    "output_text": ("text", "text"),
    "refusal": ("refusal", "refusal"),
}


class MessageWriter:
    """Turns one output message of a response into one message and one message_creation step."""

    item_type = "message"
    #: The step as stored last; None until it has ended.
    step: RunStepObject | None = None

    def __init__(
        self, run: RunObject, *, new_id: IdGenerator, now: Callable[[], float], citations: CitationResolver
    ) -> None:
        self._run = run
        self._now = now
        self._citations = citations
        self.created_at = int(now())
        self.message_id = new_id("msg")
        self._open_step = build_open_step(
            run,
            step_id=new_id("step"),
            created_at=self.created_at,
            details={"type": "message_creation", "message_creation": {"message_id": self.message_id}},
        )
        self._text_parts: dict[tuple[PartKind, int], TextPart | RefusalPart] = {}  # by their upstream index
        self._parts: list[TextPart | RefusalPart | ImagePart] = []  # without gaps
        self._item: OutputMessageItem | None = None
        #: The item came with status completed: a token limit reached later did not cut it. (May be null, S5.)
        self.is_complete = False

    def open(self) -> list[Event]:
        """The four events that announce the message (A90), and the images made before it (A86)."""
        message = build_streamed_message(self._build_message(), "in_progress")
        return [
            Event("thread.run.step.created", self._open_step),
            Event("thread.run.step.in_progress", self._open_step),
            Event("thread.message.created", message),
            Event("thread.message.in_progress", message),
            *(self._add_image(file_id) for file_id in self._citations.generated_files.pop_unattached_images()),
        ]

    def add(self, kind: PartKind, content_index: int, fragment: str) -> list[Event]:
        """The next fragment of a content part, which opens with its first one."""
        part = self._text_parts.get((kind, content_index)) or self._get_or_create_part(kind, content_index)
        if part.pending_citations or part.open_mark or (not fragment.isascii() and CONTROL_CHARACTERS.search(fragment)):
            return self._build_delta_events(part.write(fragment))
        return [build_message_delta(self.message_id, part.append(fragment))]

    def cite(self, content_index: int, annotation: OutputAnnotation, number: int | None) -> list[Event]:
        """The annotation of this number of a content part."""
        part = self._get_or_create_part("text", content_index)
        return self._add_citation(part, annotation, number) if isinstance(part, TextPart) else []

    def cite_mentions(self, path: str, file_id: str, other_paths: Iterable[str]) -> list[Event]:
        """Cite a file wherever the model mentioned it without citing it; `other_paths` are those of the other files."""
        texts = (part for part in self._parts if isinstance(part, TextPart))
        return [
            event
            for part in texts
            for event in self._build_delta_events(part.cite_mentions(path, file_id, other_paths))
        ]

    def add_image(self, file_id: str) -> list[Event]:
        """An image that the model made and did not cite."""
        return [self._add_image(file_id)]

    def finish(self, item: OutputMessageItem) -> list[Event]:
        """Take the finished item, and send what the deltas left out.

        What was streamed stays: where the item differs, its text is not used and the message will be replayed from
        its own content. Parts are compared in order, because servers differ in how they number them.
        """
        self.is_complete = item.get("status") == "completed"
        streamed = list(self._text_parts.values())
        events: list[Event] = []
        for position, (kind, words, notes) in enumerate(_extract_parts(item) if self.step is None else []):
            if position >= len(streamed):
                # Its images first, where nothing was streamed before them (A86). A key no upstream index can have.
                events += self._add_images(notes)
                part = self._get_or_create_part(kind, -1 - position)
            else:
                part = streamed[position]
            matches = part.kind == kind and words.startswith(part.model_text)
            if matches and isinstance(part, TextPart):
                for number, annotation in enumerate(notes):
                    events += self._add_citation(part, annotation, number)
            if matches and (rest := words[len(part.model_text) :]):
                events += self._build_delta_events(part.write(rest))
            if isinstance(part, TextPart):
                events += self._build_delta_events(part.finish())
        if self.has_same_text(item) and item.get("status") != "incomplete":
            self._item = item
        return events

    def has_same_text(self, item: OutputMessageItem) -> bool:
        """Whether the item has exactly the text of this message."""
        written = [(part.kind, part.model_text) for part in self._text_parts.values()]
        return written == [(kind, words) for kind, words, _ in _extract_parts(item)]

    def close(
        self,
        *,
        step_status: StepStatus,
        usage: UsageObject,
        reason: MessageIncompleteReason | None = None,
        last_error: LastError | None = None,
    ) -> list[Event]:
        """The closing events; a `reason` (A39) makes the message incomplete."""
        at = int(self._now())
        events: list[Event] = []
        for part in self._parts:
            if isinstance(part, TextPart) and part.open_mark:
                events += self._build_delta_events(part.finish())
        if not self._parts:  # the stock handler reads the content at the last delta's index (A98b)
            events += self.add("text", 0, "")
        status: MessageStatus = "completed" if reason is None else "incomplete"
        message = build_streamed_message(self._build_message(), status, at=at, reason=reason)
        self.step = build_closed_step(self._open_step, step_status, at=at, usage=usage, last_error=last_error)
        return [
            *events,
            Event(f"thread.message.{status}", message),
            build_step_event(self.step, self._run["expires_at"]),
        ]

    def build_entry(self, *, incomplete: bool) -> Entry:
        """The message as a timeline entry, with its item where that can be replayed verbatim.

        Of an `incomplete` response only an item known to be whole may be replayed.
        """
        item = self._item if self.is_complete or not incomplete else None
        return Entry(message=self._build_message(), item=item, run_id=self._run["id"])

    def _get_or_create_part(self, kind: PartKind, content_index: int) -> TextPart | RefusalPart:
        key = (kind, content_index)
        part = self._text_parts.get(key)
        if part is None:
            index = len(self._parts)
            part = TextPart(index, self._citations.resolve_mark) if kind == "text" else RefusalPart(index)
            self._text_parts[key] = part
            self._parts.append(part)
        return part

    def _add_citation(self, part: TextPart, annotation: OutputAnnotation, number: int | None) -> list[Event]:
        if not part.register_annotation(number):
            return []
        citation = self._citations.resolve(annotation)
        if isinstance(citation, ImageCitation):
            return [self._add_image(citation.file_id)]
        return self._build_delta_events(part.cite(citation)) if citation is not None else []

    def _add_images(self, annotations: Iterable[OutputAnnotation]) -> list[Event]:
        """The images among the annotations. One that is shown, not mentioned, has no end in the text (§6)."""
        events: list[Event] = []
        for annotation in annotations:
            if "container_id" in annotation and not annotation.get("end_index"):
                citation = self._citations.resolve(annotation)
                if isinstance(citation, ImageCitation):
                    events.append(self._add_image(citation.file_id))
        return events

    def _add_image(self, file_id: str) -> Event:
        part = ImagePart(len(self._parts), file_id)
        self._parts.append(part)
        return build_message_delta(self.message_id, part.build_delta())

    def _build_delta_events(self, deltas: Iterable[MessageContentPartDelta]) -> list[Event]:
        return [build_message_delta(self.message_id, delta) for delta in deltas]

    def _build_message(self) -> MessageObject:
        return build_run_message(
            self._run,
            message_id=self.message_id,
            created_at=self.created_at,
            content=[part.build_content() for part in self._parts],
        )


def _extract_parts(item: OutputMessageItem) -> list[tuple[PartKind, str, list[OutputAnnotation]]]:
    """The parts that have text, in order, with their annotations."""
    extracted: list[tuple[PartKind, str, list[OutputAnnotation]]] = []
    for part in item.get("content") or []:
        fields: JsonMapping = part
        kind, name = _PART_FIELDS.get(fields.get("type"), (None, ""))
        text: str | None = fields.get(name)
        if kind is not None and text:
            extracted.append((kind, text, fields.get("annotations") or []))
    return extracted

"""One message being written, and the step that creates it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from threadbridge.ports import Entry, Event, NewId, Wire
from threadbridge.responses.forms import (
    closed_step,
    message_delta,
    open_step,
    run_message,
    sse_message,
    step_event,
)

PartKind: TypeAlias = Literal["text", "refusal"]

#: The parts of an output message that a thread's message can show: our kind, and the field that holds the words.
_SHOWN_PARTS: dict[str, tuple[PartKind, str]] = {
    "output_text": ("text", "text"),
    "refusal": ("refusal", "refusal"),
}


class _Part:
    """A content part: its place in our message, which has no gaps, and the fragments so far."""

    __slots__ = ("fragments", "index", "kind")

    def __init__(self, kind: PartKind, index: int) -> None:
        self.kind: PartKind = kind
        self.index = index
        self.fragments: list[str] = []

    def delta(self, fragment: str) -> Wire:
        first = not self.fragments
        self.fragments.append(fragment)
        if self.kind == "refusal":
            return {"index": self.index, "type": "refusal", "refusal": fragment}
        if first:  # clients merge lists by concatenation: the empty one travels once (A94, A98a)
            return {"index": self.index, "type": "text", "text": {"value": fragment, "annotations": []}}
        return {"index": self.index, "type": "text", "text": {"value": fragment}}

    @property
    def words(self) -> str:
        return "".join(self.fragments)

    def content(self) -> Wire:
        if self.kind == "refusal":
            return {"type": "refusal", "refusal": self.words}
        return {"type": "text", "text": {"value": self.words, "annotations": []}}


class MessageWriter:
    """Turns one output message of a response into one message and one message_creation step."""

    item_type = "message"
    #: The step as it was stored last; None until it ended.
    step: Wire | None = None

    def __init__(self, run: Wire, *, new_id: NewId, now: Callable[[], float]) -> None:
        self._run = run
        self._now = now
        self.created_at = int(now())
        self.message_id = new_id("msg")
        self._open_step = open_step(
            run,
            step_id=new_id("step"),
            created_at=self.created_at,
            details={"type": "message_creation", "message_creation": {"message_id": self.message_id}},
        )
        self._parts: dict[tuple[PartKind, int], _Part] = {}
        self._item: Wire | None = None
        #: The item came with status completed: a token limit that struck later did not cut it. (May be null, S5.)
        self.whole = False

    def opening(self) -> list[Event]:
        """The four events that announce the message (A90)."""
        message = sse_message(self._message(), "in_progress")
        return [
            Event("thread.run.step.created", self._open_step),
            Event("thread.run.step.in_progress", self._open_step),
            Event("thread.message.created", message),
            Event("thread.message.in_progress", message),
        ]

    def add(self, kind: PartKind, content_index: int, fragment: str) -> Event:
        """The next fragment of a content part, which opens with its first one."""
        key = (kind, content_index)
        part = self._parts.get(key)
        if part is None:
            part = self._parts[key] = _Part(kind, len(self._parts))
        return message_delta(self.message_id, part.delta(fragment))

    def finish(self, item: Wire) -> list[Event]:
        """Take the finished item, and send what the deltas left out.

        What was streamed was seen, so it stays: where the item disagrees, its words are not used and the message
        will be replayed from its own content. Parts are compared in their order, because servers differ in how they
        number them.
        """
        self.whole = item.get("status") == "completed"
        shown = _shown(item)
        events = self._rest(shown) if self.step is None else []
        if self._words() == shown and item.get("status") != "incomplete":
            self._item = item
        return events

    def _rest(self, shown: list[tuple[PartKind, str]]) -> list[Event]:
        streamed = list(self._parts.values())
        events: list[Event] = []
        for place, (kind, words) in enumerate(shown):
            if place >= len(streamed):
                events.append(self.add(kind, -1 - place, words))  # a key no upstream index can have
                continue
            part = streamed[place]
            agreed = part.kind == kind and words.startswith(part.words)
            if agreed and (rest := words[len(part.words) :]):
                events.append(message_delta(self.message_id, part.delta(rest)))
        return events

    def says(self, item: Wire) -> bool:
        """Whether the item holds the very words of this message."""
        return self._words() == _shown(item)

    def close(
        self, *, step_status: str, usage: Wire, reason: str | None = None, last_error: Wire | None = None
    ) -> list[Event]:
        """The closing events; a `reason` (A39) makes the message incomplete."""
        at = int(self._now())
        events: list[Event] = []
        if not self._parts:  # the stock handler reads the content at the last delta's index (A98b)
            events.append(self.add("text", 0, ""))
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

    def _words(self) -> list[tuple[PartKind, str]]:
        return [(part.kind, part.words) for part in self._parts.values()]

    def _message(self) -> Wire:
        return run_message(
            self._run,
            message_id=self.message_id,
            created_at=self.created_at,
            content=[part.content() for part in self._parts.values()],
        )


def _shown(item: Wire) -> list[tuple[PartKind, str]]:
    """The parts with words in them, in order."""
    found: list[tuple[PartKind, str]] = []
    parts: list[Any] = item.get("content") or []
    for part in parts:
        shown = _SHOWN_PARTS.get(part.get("type"))
        if shown is not None and part.get(shown[1]):
            found.append((shown[0], part[shown[1]]))
    return found

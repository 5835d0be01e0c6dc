"""The items of one response as they arrive: which writer an event belongs to, and what is left in the timeline.

Servers number and name their items more or less well (S4): some never "add" an item, leave numbers out, or give one
item another id in every event. An item is therefore looked up by everything that may identify it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, TypeVar

from threadbridge.ports import Entry, Wire
from threadbridge.translation.function_calls import CallWriter
from threadbridge.translation.hosted_tool_steps import CodeInterpreterWriter, FileSearchWriter
from threadbridge.translation.message_writer import MessageWriter

HostedWriter: TypeAlias = FileSearchWriter | CodeInterpreterWriter
Writer: TypeAlias = MessageWriter | CallWriter | HostedWriter
W = TypeVar("W", MessageWriter, CallWriter, CodeInterpreterWriter)


class Slot:
    """One item of the response: its place, and either the writer that shows it or the item itself."""

    __slots__ = ("done", "item", "item_type", "place", "writer")

    def __init__(self, place: int, item_type: str) -> None:
        self.place = place
        self.item_type = item_type
        self.writer: Writer | None = None
        self.item: Wire | None = None
        #: The finished item has arrived.
        self.done = False


class Output:
    """Every item seen so far."""

    def __init__(self) -> None:
        self._slots: list[Slot] = []
        self._by_index: dict[Any, Slot] = {}
        self._by_id: dict[Any, Slot] = {}
        self._by_call: dict[str, Slot] = {}

    def opened(self, writer: Writer, *, index: int | None, item_id: str | None) -> Slot:
        """Remember an item that is being shown."""
        slot = self._remember(writer.item_type, index, item_id)
        slot.writer = writer
        if isinstance(writer, CallWriter):
            self._by_call[writer.call_id] = slot
        return slot

    def keep(self, item: Wire, *, index: int | None) -> None:
        """Remember a finished item that is not shown."""
        slot = self._remember(item.get("type", ""), index, item.get("id"))
        slot.item, slot.done = item, True

    def _remember(self, item_type: str, index: int | None, item_id: str | None) -> Slot:
        slot = Slot(len(self._slots) if index is None else index, item_type)
        self._slots.append(slot)
        if index is not None:
            self._by_index[index] = slot
        if item_id is not None:
            self._by_id[item_id] = slot
        return slot

    def writer(self, kind: type[W], *, index: int | None, item_id: str | None) -> W | None:
        """The writer a delta belongs to, while its item is not finished."""
        for slot in (self._by_index.get(index), self._by_id.get(item_id)):
            if slot is not None and not slot.done and isinstance(slot.writer, kind):
                return slot.writer
        return None

    def slot(self, item: Wire, *, index: int | None) -> Slot | None:
        """The slot a just finished item belongs to, if anything of it was seen before."""
        at = self._by_index.get(index)
        return self._named(item) or (at if at is not None and not at.done and _same_type(at, item) else None)

    def final_slot(self, item: Wire, *, index: int) -> Slot | None:
        """The slot of an item of the finished response; from here on, `index` is its place."""
        at = self._by_index.get(index)
        slot = self._named(item) or (at if at is not None and _same_type(at, item) else None) or self._saying(item)
        if slot is not None:
            slot.place = index
        return slot

    def _named(self, item: Wire) -> Slot | None:
        for slot in (self._by_call.get(item.get("call_id", "")), self._by_id.get(item.get("id"))):
            if slot is not None and _same_type(slot, item):
                return slot
        return None

    def _saying(self, item: Wire) -> Slot | None:
        """The message that holds the same words: the last resort against showing one twice."""
        if item.get("type") != MessageWriter.item_type:
            return None
        return next(
            (slot for slot in self._slots if isinstance(slot.writer, MessageWriter) and slot.writer.says(item)), None
        )

    def entries(self, run_id: str, *, cut: bool) -> Sequence[Entry]:
        """What the response leaves in the timeline, in the order of its output.

        Of a response that was cut short only messages remain: nobody will answer its calls, and reasoning without
        the item it led to is refused when replayed (§9).
        """
        entries: list[Entry] = []
        for slot in sorted(self._slots, key=lambda slot: slot.place):
            if isinstance(slot.writer, MessageWriter):
                entries.append(slot.writer.entry(cut=cut))
            elif cut:
                continue
            elif slot.writer is not None:
                entries.append(slot.writer.entry())
            elif slot.item is not None:
                entries.append(Entry(item=slot.item, run_id=run_id))
        return entries


def _same_type(slot: Slot, item: Wire) -> bool:
    return slot.item_type == item.get("type")

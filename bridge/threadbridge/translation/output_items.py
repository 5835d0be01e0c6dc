"""The items of one response as they arrive: which writer an event belongs to, and what is left in the timeline.

Servers number and name their items more or less well (S4): some never "add" an item, leave numbers out, or give one
item another id in every event. An item is therefore looked up by everything that may identify it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, TypeVar

from threadbridge.ports import Entry, Wire
from threadbridge.translation.function_calls import FunctionCallWriter
from threadbridge.translation.hosted_tools.step_writer import HostedToolWriter
from threadbridge.translation.message_writer import MessageWriter

ItemWriter: TypeAlias = MessageWriter | FunctionCallWriter | HostedToolWriter
W = TypeVar("W", MessageWriter, FunctionCallWriter, HostedToolWriter)


class OutputSlot:
    """One item of the response: its index, and either the writer that shows it or the item itself."""

    __slots__ = ("is_finished", "item", "item_type", "output_index", "writer")

    def __init__(self, output_index: int, item_type: str) -> None:
        self.output_index = output_index
        self.item_type = item_type
        self.writer: ItemWriter | None = None
        self.item: Wire | None = None
        #: The finished item has arrived.
        self.is_finished = False


class OutputItems:
    """Every item seen so far."""

    def __init__(self) -> None:
        self._slots: list[OutputSlot] = []
        self._by_index: dict[Any, OutputSlot] = {}
        self._by_id: dict[Any, OutputSlot] = {}
        self._by_call_id: dict[str, OutputSlot] = {}

    def add_writer(self, writer: ItemWriter, *, index: int | None, item_id: str | None) -> OutputSlot:
        """Add an item that is being shown."""
        slot = self._add_slot(writer.item_type, index, item_id)
        slot.writer = writer
        if isinstance(writer, FunctionCallWriter):
            self._by_call_id[writer.call_id] = slot
        return slot

    def add_item(self, item: Wire, *, index: int | None) -> None:
        """Add a finished item that is not shown."""
        slot = self._add_slot(item.get("type", ""), index, item.get("id"))
        slot.item, slot.is_finished = item, True

    def _add_slot(self, item_type: str, index: int | None, item_id: str | None) -> OutputSlot:
        slot = OutputSlot(len(self._slots) if index is None else index, item_type)
        self._slots.append(slot)
        if index is not None:
            self._by_index[index] = slot
        if item_id is not None:
            self._by_id[item_id] = slot
        return slot

    def find_writer(self, kind: type[W], *, index: int | None, item_id: str | None) -> W | None:
        """The writer a delta belongs to, while its item is not finished."""
        for slot in (self._by_index.get(index), self._by_id.get(item_id)):
            if slot is not None and not slot.is_finished and isinstance(slot.writer, kind):
                return slot.writer
        return None

    def find_slot(self, item: Wire, *, index: int | None) -> OutputSlot | None:
        """The slot a just finished item belongs to, if anything of it was seen before."""
        at_index = self._by_index.get(index)
        return self._find_by_id(item) or (
            at_index if at_index is not None and not at_index.is_finished and _has_same_type(at_index, item) else None
        )

    def find_final_slot(self, item: Wire, *, index: int) -> OutputSlot | None:
        """The slot of an item of the finished response, moved to `index`."""
        at_index = self._by_index.get(index)
        slot = (
            self._find_by_id(item)
            or (at_index if at_index is not None and _has_same_type(at_index, item) else None)
            or self._find_by_text(item)
        )
        if slot is not None:
            slot.output_index = index
        return slot

    def _find_by_id(self, item: Wire) -> OutputSlot | None:
        for slot in (self._by_call_id.get(item.get("call_id", "")), self._by_id.get(item.get("id"))):
            if slot is not None and _has_same_type(slot, item):
                return slot
        return None

    def _find_by_text(self, item: Wire) -> OutputSlot | None:
        """The message with the same text: the last resort against showing one twice."""
        if item.get("type") != MessageWriter.item_type:
            return None
        return next(
            (
                slot
                for slot in self._slots
                if isinstance(slot.writer, MessageWriter) and slot.writer.has_same_text(item)
            ),
            None,
        )

    def build_entries(self, run_id: str, *, incomplete: bool) -> Sequence[Entry]:
        """What the response leaves in the timeline, in the order of its output.

        Of an incomplete response only messages remain: its calls stay without outputs, and the service rejects
        reasoning without the item it led to (§9).
        """
        entries: list[Entry] = []
        for slot in sorted(self._slots, key=lambda slot: slot.output_index):
            if isinstance(slot.writer, MessageWriter):
                entries.append(slot.writer.build_entry(incomplete=incomplete))
            elif incomplete:
                continue
            elif slot.writer is not None:
                entries.append(slot.writer.build_entry())
            elif slot.item is not None:
                entries.append(Entry(item=slot.item, run_id=run_id))
        return entries


def _has_same_type(slot: OutputSlot, item: Wire) -> bool:
    return bool(slot.item_type == item.get("type"))

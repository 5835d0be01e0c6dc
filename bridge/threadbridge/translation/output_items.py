"""The items of one response as they arrive: which writer an event belongs to, and what is left in the timeline.

Servers number and name their items more or less well (S4): some never "add" an item, leave numbers out, or give one
item another id in every event. An item is therefore looked up by everything that may identify it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, TypeVar, cast

from threadbridge.api_types import JsonMapping, OutputItem, OutputMessageItem
from threadbridge.ports import Entry
from threadbridge.translation.function_calls import FunctionCallWriter
from threadbridge.translation.hosted_tools.hosted_tool import HostedToolWriter
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
        self.item: OutputItem | None = None
        #: Whether the finished item has arrived.
        self.is_finished = False


class OutputItems:
    """Every item seen so far."""

    def __init__(self) -> None:
        self._slots: list[OutputSlot] = []
        self._by_index: dict[int | None, OutputSlot] = {}
        self._by_id: dict[str | None, OutputSlot] = {}
        self._by_call_id: dict[Any, OutputSlot] = {}

    def add_writer(self, writer: ItemWriter, *, index: int | None, item_id: str | None) -> OutputSlot:
        """Add an item that is being shown."""
        slot = self._add_slot(writer.item_type, index, item_id)
        slot.writer = writer
        if isinstance(writer, FunctionCallWriter):
            self._by_call_id[writer.call_id] = slot
        return slot

    def add_item(self, item: OutputItem, *, index: int | None) -> None:
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

    def find_slot(self, item: OutputItem, *, index: int | None) -> OutputSlot | None:
        """The slot a just finished item belongs to, if anything of it was seen before."""
        at_index = self._by_index.get(index)
        if at_index is not None and (at_index.is_finished or at_index.item_type != item.get("type")):
            at_index = None
        return self._find_by_id(item) or at_index

    def find_final_slot(self, item: OutputItem, *, index: int) -> OutputSlot | None:
        """The slot of an item of the finished response, moved to `index`.

        A message without a known ID or index is found by its text, as the last resort against showing it twice.
        """
        at_index = self._by_index.get(index)
        slot = self._find_by_id(item)
        if slot is None and at_index is not None and at_index.item_type == item.get("type"):
            slot = at_index
        if slot is None and item.get("type") == MessageWriter.item_type:
            message = cast("OutputMessageItem", item)  # by its type, which may be missing: `item["type"]` may raise
            writers = ((slot, slot.writer) for slot in self._slots)
            slot = next(
                (
                    slot
                    for slot, writer in writers
                    if isinstance(writer, MessageWriter) and writer.has_same_text(message)
                ),
                None,
            )
        if slot is not None:
            slot.output_index = index
        return slot

    def _find_by_id(self, item: OutputItem) -> OutputSlot | None:
        fields: JsonMapping = item
        for slot in (self._by_call_id.get(fields.get("call_id", "")), self._by_id.get(fields.get("id"))):
            if slot is not None and slot.item_type == fields.get("type"):
                return slot
        return None

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

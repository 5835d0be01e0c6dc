"""What a turn has open while its response arrives: a message, calls of hosted tools, one step of function calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from threadbridge.api_types import (
    JsonMapping,
    LastError,
    OutputAnnotation,
    OutputItem,
    ResponseEvent,
    RunObject,
    RunStepObject,
    UsageObject,
)
from threadbridge.ports import Entry, Event, IdGenerator
from threadbridge.translation.citations import CitationResolver
from threadbridge.translation.content_parts import PartKind
from threadbridge.translation.function_calls import FunctionCallWriter, ToolCallsWriter
from threadbridge.translation.generated_files import ContainerFileRef, GeneratedFiles, is_image
from threadbridge.translation.hosted_tools.hosted_tool import HostedToolWriter
from threadbridge.translation.hosted_tools.registry import find_by_fragment_event, find_by_item_type
from threadbridge.translation.message_writer import MessageWriter
from threadbridge.translation.output_items import OutputItems, OutputSlot
from threadbridge.translation.wire_objects import zero_usage

#: An index that no event has: a finished message takes no further fragments.
_NO_INDEX: Any = object()


class TurnBuilder:
    """Opens, fills and closes messages and steps in the order of A74 and A90-A92, whatever order the items come in."""

    def __init__(
        self,
        run: RunObject,
        *,
        new_id: IdGenerator,
        now: Callable[[], float],
        known_files: Mapping[ContainerFileRef, str] | None = None,
    ) -> None:
        self._run = run
        self._new_id = new_id
        self._now = now
        #: The files that code made.
        self.generated_files = GeneratedFiles(new_id, known_files)
        self._citations = CitationResolver(self.generated_files)
        self._items = OutputItems()
        self._writers: list[MessageWriter | HostedToolWriter] = []
        self._message_index: Any = _NO_INDEX
        #: The one message that is not closed yet.
        self.message: MessageWriter | None = None
        #: The hosted tools' calls that are not closed yet, finished or not.
        self.hosted_calls: list[HostedToolWriter] = []
        #: The step of the turn's function calls, if there are any; open until the turn ends.
        self.function_calls: ToolCallsWriter | None = None

    @property
    def steps(self) -> Sequence[RunStepObject]:
        """The steps as stored; the one that waits for outputs is the newest (A74)."""
        writers = [*self._writers, self.function_calls]
        return [writer.step for writer in writers if writer is not None and writer.step is not None]

    def build_entries(self, *, incomplete: bool) -> Sequence[Entry]:
        """The timeline entries of the response (see `OutputItems.build_entries`)."""
        return self._items.build_entries(self._run["id"], incomplete=incomplete)

    # Fragments of items ---------------------------------------------------------------------------------------

    def add_fragment(self, kind: PartKind, event: ResponseEvent) -> list[Event]:
        """The next fragment of a message."""
        delta, content_index = event.get("delta"), event.get("content_index") or 0
        if not delta:
            return []
        if self.message is not None and event.get("output_index") == self._message_index:
            return self.message.add(kind, content_index, delta)
        message, opening = self._find_or_open_message(event)
        return [*opening, *message.add(kind, content_index, delta)]

    def add_annotation(self, event: ResponseEvent) -> list[Event]:
        """A citation in the text so far."""
        message, opening = self._find_or_open_message(event)
        number, content_index = event.get("annotation_index"), event.get("content_index") or 0
        # An event without an annotation still opens the message; the empty object is resolved to nothing.
        annotation = event.get("annotation") or cast("OutputAnnotation", {})
        return [*opening, *message.cite(content_index, annotation, number)]

    def add_arguments(self, event: ResponseEvent) -> list[Event]:
        """The next characters of a call's arguments. For a call not shown yet, the finished item has them all (S4)."""
        delta = event.get("delta")
        call = self._items.find_writer(
            FunctionCallWriter, index=event.get("output_index"), item_id=event.get("item_id")
        )
        return [call.add(delta)] if call is not None and delta else []

    def add_hosted_fragment(self, event: ResponseEvent) -> list[Event]:
        """The next characters of a hosted tool's input; nothing for an event that streams none."""
        tool = find_by_fragment_event(event.get("type"))
        if tool is None:
            return []
        delta = event.get("delta")
        index, item_id = event.get("output_index"), event.get("item_id")
        call = self._items.find_writer(tool.writer, index=index, item_id=item_id)
        return call.add(delta) if call is not None and delta else []

    def _find_or_open_message(self, event: ResponseEvent) -> tuple[MessageWriter, list[Event]]:
        """The message of a fragment whose index is not the open message's: misnumbered, or never "added" (S4)."""
        index, item_id = event.get("output_index"), event.get("item_id")
        known = self._items.find_writer(MessageWriter, index=index, item_id=item_id)
        if known is not None and known is self.message:
            return known, []
        message, events = self._open_message(index)
        self._items.add_writer(message, index=index, item_id=item_id)
        return message, events

    def _open_message(self, index: int | None) -> tuple[MessageWriter, list[Event]]:
        events = self._close_finished()
        message = MessageWriter(self._run, new_id=self._new_id, now=self._now, citations=self._citations)
        self._writers.append(message)
        self.message, self._message_index = message, index
        return message, [*events, *message.open()]

    # Whole items ----------------------------------------------------------------------------------------------

    def start_item(self, item: OutputItem, *, index: int | None) -> list[Event]:
        """Start an item. An item that is not shown gives no events."""
        return self._start_item(item, index)[1]

    def finish_item(self, item: OutputItem, *, index: int | None) -> list[Event]:
        """Finish an item, which may never have started (S4)."""
        return self._finish_item(item, index, self._items.find_slot(item, index=index))

    def reconcile_output(self, output: Sequence[OutputItem]) -> list[Event]:
        """Show what the stream left out of the final output (S4)."""
        events: list[Event] = []
        for index, item in enumerate(output):
            slot = self._items.find_final_slot(item, index=index)
            if slot is None or not slot.is_finished:
                events += self._finish_item(item, index, slot)
        return events

    def _start_item(self, item: OutputItem, index: int | None) -> tuple[OutputSlot | None, list[Event]]:
        """The slot of an item that is shown, and its opening events.

        A function call starts once it has both ID and name, because each is shown exactly once (A98a).
        """
        item_id = item.get("id")
        if item.get("type") == "message":
            message, events = self._open_message(index)
            return self._items.add_writer(message, index=index, item_id=item_id), events
        fields: JsonMapping = item
        if fields.get("type") == FunctionCallWriter.item_type:
            call_id, name = fields.get("call_id"), fields.get("name")
            if not (call_id and name):
                return None, []
            events = self._close_finished()
            if self.function_calls is None:
                self.function_calls = ToolCallsWriter(self._run, new_id=self._new_id, now=self._now)
                events += self.function_calls.open()
            call = self.function_calls.add_call(call_id, name)
            return self._items.add_writer(call, index=index, item_id=item_id), [*events, call.open()]
        tool = find_by_item_type(fields.get("type"))
        if tool is None:
            return None, []
        events = self._close_finished()
        hosted_call = tool.writer(self._run, new_id=self._new_id, now=self._now, citations=self._citations)
        self._writers.append(hosted_call)
        self.hosted_calls.append(hosted_call)
        return self._items.add_writer(hosted_call, index=index, item_id=item_id), [*events, *hosted_call.open()]

    def _finish_item(self, item: OutputItem, index: int | None, slot: OutputSlot | None) -> list[Event]:
        events: list[Event] = []
        if slot is None:
            slot, events = self._start_item(item, index)
        if slot is None or slot.writer is None:
            # A function call without an ID cannot be answered, and an item without a type cannot be sent back.
            if item.get("type", FunctionCallWriter.item_type) != FunctionCallWriter.item_type:
                self._items.add_item(item, index=index)
            return []
        slot.is_finished = True
        if slot.writer is self.message:
            self._message_index = _NO_INDEX
        # The slot was found by the type of the item, so the writer is the one for this item; no union says so.
        return [*events, *slot.writer.finish(cast("Any", item))]

    # Files that code made -------------------------------------------------------------------------------------

    def add_container_files(self, container_id: str, files: Sequence[JsonMapping]) -> list[Event]:
        """Register the files in the container that code made, and show them in the open message if there is one."""
        events: list[Event] = []
        paths = [str(file.get("path") or file["id"]) for file in files]
        for file, path in zip(files, paths, strict=True):
            container_file = (container_id, file["id"])
            if file.get("source") == "user":
                continue
            known = self.generated_files.get_file_id(container_file)
            if known is not None:
                if self.message is not None:  # made by an earlier turn, or cited: not every mention is
                    events += self.message.cite_mentions(path, known, paths)
                continue
            name = path.rpartition("/")[2]
            # A drawing that was shown and not saved is named after its ID: the outputs of the call contained its bytes.
            is_drawing = name.startswith(file["id"])
            image_id = self.generated_files.register_cited_image(*container_file, name) if is_drawing else None
            if is_drawing and image_id is None and self.generated_files.get_file_id(container_file) is not None:
                continue
            file_id = image_id or self.generated_files.register_container_file(*container_file, name)
            if self.message is None:
                continue
            mention_events = self.message.cite_mentions(path, file_id, paths)
            # A drawing that was also saved is shown once.
            is_unshown_image = is_image(name) and not self.generated_files.has_inline_image_of_size(file.get("bytes"))
            events += mention_events or (self.message.add_image(file_id) if is_unshown_image else [])
        return events

    # Closing --------------------------------------------------------------------------------------------------

    def close(self, *, usage: UsageObject) -> list[Event]:
        """Complete everything that is open except function calls; the last step has the usage (§16 G2)."""
        hosted, self.hosted_calls = self.hosted_calls, []
        last = hosted[-1] if hosted and self.message is None else None
        events: list[Event] = []
        for call in hosted:
            events += call.close(step_status="completed", usage=usage if call is last else zero_usage())
        return events + self._close_message(usage=usage)

    @property
    def can_start_over(self) -> bool:
        """Whether only steps of hosted tools were sent: text and function calls cannot be retracted."""
        return self.function_calls is None and not any(isinstance(writer, MessageWriter) for writer in self._writers)

    def start_over(self, *, error: LastError) -> list[Event]:
        """Drop the response: its steps are closed and stay, everything else is discarded."""
        hosted, self.hosted_calls = self.hosted_calls, []
        self._items = OutputItems()
        self.generated_files.clear_unattached_images()
        self._citations = CitationResolver(self.generated_files)
        return [
            event for call in hosted for event in call.close(step_status="failed", usage=zero_usage(), last_error=error)
        ]

    def _close_finished(self) -> list[Event]:
        """Close what is finished before something new opens. It is not the turn's last step, and so has no usage."""
        finished = [call for call in self.hosted_calls if call.is_finished]
        self.hosted_calls = [call for call in self.hosted_calls if not call.is_finished]
        closing = [event for call in finished for event in call.close(step_status="completed", usage=zero_usage())]
        return [*closing, *self._close_message(usage=zero_usage())]

    def _close_message(self, *, usage: UsageObject) -> list[Event]:
        message, self.message = self.message, None
        self._message_index = _NO_INDEX
        return message.close(step_status="completed", usage=usage) if message is not None else []

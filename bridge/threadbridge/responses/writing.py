"""What a turn has open while its response arrives: at most one message and one step of function calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from threadbridge.ports import Entry, Event, NewId, Wire
from threadbridge.responses.message import MessageWriter, PartKind
from threadbridge.responses.output import Output, Slot
from threadbridge.responses.tool_calls import CallWriter, ToolCallsWriter
from threadbridge.responses.usage import zero_usage

#: No event bears this index: a finished message takes no further fragments.
_NO_INDEX: Any = object()


class TurnWriter:
    """Opens, fills and closes messages and steps in the order of A74 and A90-A92, whatever order the items come in."""

    def __init__(self, run: Wire, *, new_id: NewId, now: Callable[[], float]) -> None:
        self._run = run
        self._new_id = new_id
        self._now = now
        self._output = Output()
        self._messages: list[MessageWriter] = []
        self._message_index: Any = _NO_INDEX
        #: The one message that is not closed yet.
        self.message: MessageWriter | None = None
        #: The step of the turn's calls, if there are any; open until the turn ends.
        self.calls: ToolCallsWriter | None = None

    @property
    def steps(self) -> Sequence[Wire]:
        """The steps as they are stored, messages first (A74), so that the step that waits for outputs is the newest."""
        writers = [*self._messages, self.calls]
        return [writer.step for writer in writers if writer is not None and writer.step is not None]

    def entries(self, *, cut: bool) -> Sequence[Entry]:
        """What the response leaves in the timeline (see `Output.entries`)."""
        return self._output.entries(self._run["id"], cut=cut)

    # Items as they arrive -------------------------------------------------------------------------------------

    def start(self, item: Wire, *, index: int | None) -> list[Event]:
        """An item begins. What is not shown gives no events."""
        return self._start(item, index)[1]

    def fragment(self, kind: PartKind, event: Wire) -> list[Event]:
        """The next words of a message."""
        delta, content_index = event.get("delta"), event.get("content_index") or 0
        if not delta:
            return []
        if self.message is not None and event.get("output_index") == self._message_index:
            return [self.message.add(kind, content_index, delta)]
        message, opening = self._message_of(event)
        return [*opening, message.add(kind, content_index, delta)]

    def arguments(self, event: Wire) -> list[Event]:
        """The next characters of a call's arguments. Of a call not shown yet its finished item brings all (S4)."""
        delta = event.get("delta")
        call = self._output.writer(CallWriter, index=event.get("output_index"), item_id=event.get("item_id"))
        return [call.add(delta)] if call is not None and delta else []

    def finish(self, item: Wire, *, index: int | None) -> list[Event]:
        """An item is complete; it may be one that never began (S4)."""
        return self._finish(item, index, self._output.slot(item, index=index))

    def settle(self, output: Sequence[Wire]) -> list[Event]:
        """The response is over and this is its output: show what the stream left out (S4)."""
        events: list[Event] = []
        for index, item in enumerate(output):
            slot = self._output.final_slot(item, index=index)
            if slot is None or not slot.done:
                events += self._finish(item, index, slot)
        return events

    def close_message(self, *, usage: Wire) -> list[Event]:
        """Complete the open message, if there is one."""
        message, self.message = self.message, None
        self._message_index = _NO_INDEX
        return message.close(step_status="completed", usage=usage) if message is not None else []

    # How ------------------------------------------------------------------------------------------------------

    def _finish(self, item: Wire, index: int | None, slot: Slot | None) -> list[Event]:
        events: list[Event] = []
        if slot is None:
            slot, events = self._start(item, index)
        if slot is None or slot.writer is None:
            if item.get("type", CallWriter.item_type) != CallWriter.item_type:  # a call without id cannot be answered
                self._output.keep(item, index=index)
            return []
        slot.done = True
        if slot.writer is self.message:
            self._message_index = _NO_INDEX
        return [*events, *slot.writer.finish(item)]

    def _start(self, item: Wire, index: int | None) -> tuple[Slot | None, list[Event]]:
        if item.get("type") == MessageWriter.item_type:
            return self._start_message(index, item.get("id"))
        if item.get("type") == CallWriter.item_type and item.get("call_id") and item.get("name"):
            return self._start_call(index, item)
        # Ids and names are shown exactly once (A98a), so a call waits until it has both.
        return None, []

    def _start_message(self, index: int | None, item_id: str | None) -> tuple[Slot, list[Event]]:
        message, events = self._new_message(index)
        return self._output.opened(message, index=index, item_id=item_id), events

    def _new_message(self, index: int | None) -> tuple[MessageWriter, list[Event]]:
        # Only the last step of a turn bears its usage (§16 G2), and what is closed here is not the last.
        events = self.close_message(usage=zero_usage())
        message = MessageWriter(self._run, new_id=self._new_id, now=self._now)
        self._messages.append(message)
        self.message, self._message_index = message, index
        return message, [*events, *message.opening()]

    def _start_call(self, index: int | None, item: Wire) -> tuple[Slot, list[Event]]:
        events = self.close_message(usage=zero_usage())
        if self.calls is None:
            self.calls = ToolCallsWriter(self._run, new_id=self._new_id, now=self._now)
            events += self.calls.opening()
        call = self.calls.call(item["call_id"], item["name"])
        slot = self._output.opened(call, index=index, item_id=item.get("id"))
        return slot, [*events, call.opening()]

    def _message_of(self, event: Wire) -> tuple[MessageWriter, list[Event]]:
        """Where a fragment belongs whose index is not the open message's: numbered badly, or never "added" (S4)."""
        index, item_id = event.get("output_index"), event.get("item_id")
        known = self._output.writer(MessageWriter, index=index, item_id=item_id)
        if known is not None and known is self.message:
            return known, []
        message, events = self._new_message(index)
        self._output.opened(message, index=index, item_id=item_id)
        return message, events

"""What a turn has open while its response arrives: a message, calls of hosted tools, one step of function calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from threadbridge.ports import Entry, Event, NewId, Wire
from threadbridge.translation.citations import Sources
from threadbridge.translation.content_parts import PartKind
from threadbridge.translation.function_calls import CallWriter, ToolCallsWriter
from threadbridge.translation.hosted_tool_steps import CodeInterpreterWriter, FileSearchWriter
from threadbridge.translation.message_writer import MessageWriter
from threadbridge.translation.output_items import HostedWriter, Output, Slot
from threadbridge.translation.produced_files import ContainerPlace, ProducedFiles, is_image
from threadbridge.translation.usage import zero_usage

#: No event bears this index: a finished message takes no further fragments.
_NO_INDEX: Any = object()

_HOSTED: Mapping[str, type[HostedWriter]] = {
    FileSearchWriter.item_type: FileSearchWriter,
    CodeInterpreterWriter.item_type: CodeInterpreterWriter,
}


class TurnWriter:
    """Opens, fills and closes messages and steps in the order of A74 and A90-A92, whatever order the items come in."""

    def __init__(
        self,
        run: Wire,
        *,
        new_id: NewId,
        now: Callable[[], float],
        known_files: Mapping[ContainerPlace, str] | None = None,
    ) -> None:
        self._run = run
        self._new_id = new_id
        self._now = now
        #: The files that code made.
        self.produced = ProducedFiles(new_id, known_files)
        self._sources = Sources(self.produced)
        self._output = Output()
        self._shown: list[MessageWriter | HostedWriter] = []
        self._message_index: Any = _NO_INDEX
        #: The one message that is not closed yet.
        self.message: MessageWriter | None = None
        #: The hosted tools' calls that are not closed yet: those that are over, and those still at work.
        self.hosted: list[HostedWriter] = []
        #: The step of the turn's function calls, if there are any; open until the turn ends.
        self.calls: ToolCallsWriter | None = None

    @property
    def steps(self) -> Sequence[Wire]:
        """The steps as they are stored; the one that waits for outputs is the newest (A74)."""
        writers = [*self._shown, self.calls]
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
            return self.message.add(kind, content_index, delta)
        message, opening = self._message_of(event)
        return [*opening, *message.add(kind, content_index, delta)]

    def annotation(self, event: Wire) -> list[Event]:
        """What the words just said point at."""
        message, opening = self._message_of(event)
        number, content_index = event.get("annotation_index"), event.get("content_index") or 0
        return [*opening, *message.cite(content_index, event.get("annotation") or {}, number)]

    def code(self, event: Wire) -> list[Event]:
        """The next characters of a code interpreter's input."""
        delta = event.get("delta")
        index, item_id = event.get("output_index"), event.get("item_id")
        call = self._output.writer(CodeInterpreterWriter, index=index, item_id=item_id)
        return call.add(delta) if call is not None and delta else []

    def discover(self, container_id: str, files: Sequence[Wire]) -> list[Event]:
        """What lies in the container: files that code made are kept, and told of where a message can tell of them."""
        events: list[Event] = []
        for file in files:
            place = (container_id, file["id"])
            if file.get("source") == "user" or self.produced.knows(place):
                continue
            path: str = file.get("path") or file["id"]
            events += self._discovered(place, path, file.get("bytes"))
        return events

    def _discovered(self, place: ContainerPlace, path: str, size: int | None) -> list[Event]:
        name = path.rpartition("/")[2]
        # A drawing that was shown and not saved has its id for a name: its bytes came along with the call.
        drawn = name.startswith(place[1])
        picture = self.produced.picture(*place, name) if drawn else None
        if drawn and picture is None and self.produced.knows(place):
            return []
        file_id = picture or self.produced.of_container(*place, name)
        if self.message is None:
            return []
        mentioned = self.message.mention(f"sandbox:{path}", file_id)
        # A drawing that was also saved is shown once.
        shown = is_image(name) and not self.produced.drew(size)
        return mentioned or (self.message.show(file_id) if shown else [])

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

    def close(self, *, usage: Wire) -> list[Event]:
        """Complete everything that is open but the function calls; the last step bears the usage (§16 G2)."""
        hosted, self.hosted = self.hosted, []
        last = hosted[-1] if hosted and self.message is None else None
        events: list[Event] = []
        for call in hosted:
            events += call.close(step_status="completed", usage=usage if call is last else zero_usage())
        return events + self._close_message(usage=usage)

    @property
    def can_start_over(self) -> bool:
        """Whether no more was told than what hosted tools did: words and function calls cannot be taken back."""
        return self.calls is None and not any(isinstance(writer, MessageWriter) for writer in self._shown)

    def start_over(self, *, error: Wire) -> list[Event]:
        """The response is lost: its steps are closed and stay, nothing else of it does."""
        hosted, self.hosted = self.hosted, []
        self._output = Output()
        self.produced.forget_unshown()
        self._sources = Sources(self.produced)
        return [
            event for call in hosted for event in call.close(step_status="failed", usage=zero_usage(), last_error=error)
        ]

    def _close_message(self, *, usage: Wire) -> list[Event]:
        message, self.message = self.message, None
        self._message_index = _NO_INDEX
        return message.close(step_status="completed", usage=usage) if message is not None else []

    def _make_way(self) -> list[Event]:
        """Something new is to be shown: close what is over. It is not the turn's last step, and so has no usage."""
        over = [call for call in self.hosted if call.is_finished]
        self.hosted = [call for call in self.hosted if not call.is_finished]
        closing = [event for call in over for event in call.close(step_status="completed", usage=zero_usage())]
        return [*closing, *self._close_message(usage=zero_usage())]

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
        if item.get("type") in _HOSTED:
            return self._start_hosted(index, item)
        if item.get("type") == CallWriter.item_type and item.get("call_id") and item.get("name"):
            return self._start_call(index, item)
        # Ids and names are shown exactly once (A98a), so a call waits until it has both.
        return None, []

    def _start_message(self, index: int | None, item_id: str | None) -> tuple[Slot, list[Event]]:
        message, events = self._new_message(index)
        return self._output.opened(message, index=index, item_id=item_id), events

    def _new_message(self, index: int | None) -> tuple[MessageWriter, list[Event]]:
        events = self._make_way()
        message = MessageWriter(self._run, new_id=self._new_id, now=self._now, sources=self._sources)
        self._shown.append(message)
        self.message, self._message_index = message, index
        return message, [*events, *message.opening()]

    def _start_hosted(self, index: int | None, item: Wire) -> tuple[Slot, list[Event]]:
        events = self._make_way()
        call = _HOSTED[item["type"]](self._run, new_id=self._new_id, now=self._now, sources=self._sources)
        self._shown.append(call)
        self.hosted.append(call)
        return self._output.opened(call, index=index, item_id=item.get("id")), [*events, *call.opening()]

    def _start_call(self, index: int | None, item: Wire) -> tuple[Slot, list[Event]]:
        events = self._make_way()
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

"""Server-sent events, both ways: frames out of events (A88), and events out of whatever bytes arrive."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple, Protocol, runtime_checkable

import orjson

from threadbridge.errors import UpstreamError
from threadbridge.ports import Event
from threadbridge.wire.error_responses import to_bridge_error, to_wire

#: Bytes of one event a decoder holds at most before it gives up on the stream.
MAX_EVENT_BYTES = 32 * 1024 * 1024

#: The frame every stream ends with, also after `requires_action` and after an error (A88).
DONE_FRAME = b"event: done\ndata: [DONE]\n\n"

#: A comment: clients skip it, and whoever stands between sees that the stream lives (A99). No empty line follows: once
#: frames have ids, the openai SDK takes one for the end of a frame, finds no data in it and breaks off.
KEEP_ALIVE_FRAME = b": keep-alive\n"

#: What the ids of the frames that close a stream have after the id of the last event.
_CLOSING_SUFFIXES = (".error", ".done")

_BOM = b"\xef\xbb\xbf"
#: What the standard calls an event without a name.
_UNNAMED = "message"


def encode_frame(event: Event) -> bytes:
    """The frame of one event: its id where it has one, its name, and its data as compact JSON.

    The id comes first: clients that read line by line expect the data right after the name.
    """
    if event.id is not None:
        return encode_frame_with_id(event.id, event)
    return b"event: %b\ndata: %b\n\n" % (event.name.encode(), orjson.dumps(event.data))


def encode_frame_with_id(event_id: str, event: Event) -> bytes:
    """The frame of one event under an id of the caller's."""
    return f"id: {event_id}\nevent: {event.name}\ndata: ".encode() + orjson.dumps(event.data) + b"\n\n"


def decode_frame(frame: bytes) -> Event:
    """The event of a frame that `encode` made."""
    event_id, rest = get_frame_id(frame), frame
    if event_id is not None:
        rest = frame[frame.index(b"\n") + 1 :]
    name, _, data = rest.partition(b"\n")
    return Event(name[7:].decode(), orjson.loads(data[6:]), event_id)


def get_frame_id(frame: bytes) -> str | None:
    """The id of a frame that `encode` made."""
    return frame[4 : frame.index(b"\n")].decode() if frame.startswith(b"id: ") else None


def parse_last_event_id(last_event_id: str | None) -> str | None:
    """What `Last-Event-ID` says in terms of events: the frames that close a stream stand right behind its last one."""
    for suffix in _CLOSING_SUFFIXES:
        last_event_id = last_event_id.removesuffix(suffix) if last_event_id else None
    return last_event_id


@runtime_checkable
class FrameSource(Protocol):
    """Events that are frames already, made by `encode`. What a stream of a backend may offer beside the events."""

    async def next_frame(self) -> bytes:
        """The next event's frame. Raises StopAsyncIteration after the last."""
        ...


class FrameStream(AsyncIterator[bytes]):
    """The frames of a streamed run. Ends with `done` whatever happens, and closes `events` when it is over or closed.

    A failure after the stream began, when no status can tell it any more, is an `error` event (A97). Its data is the
    whole envelope: on `{"error": …}` the stock SDK raises, a bare error object it passes over.

    Where events have ids, `error` and `done` have that of the last event and a mark. `after` is the one before the
    first. A class and not a generator, because closing a generator that was never begun would leave the events open.
    """

    def __init__(self, events: AsyncIterator[Event], *, request_id: str, after: str | None = None) -> None:
        self._events = events
        self._request_id = request_id
        self._after = after
        self._next_frame = events.next_frame if isinstance(events, FrameSource) else self._encode_next
        self._last_frame = b""  # the last frame of an event
        self._closing_frames: list[bytes] | None = None  # what is left to send once the events are over

    async def __anext__(self) -> bytes:
        if self._closing_frames is None:
            try:
                self._last_frame = await self._next_frame()
            except StopAsyncIteration:
                self._closing_frames = [self._build_done_frame()]
            except Exception as error:
                bridge_error = to_bridge_error(error, request_id=self._request_id)
                self._closing_frames = [
                    encode_frame(Event("error", to_wire(bridge_error)[1], self._build_closing_id(".error"))),
                    self._build_done_frame(),
                ]
            else:
                return self._last_frame
            await self._close()
        if not self._closing_frames:
            raise StopAsyncIteration
        return self._closing_frames.pop(0)

    async def _encode_next(self) -> bytes:
        return encode_frame(await anext(self._events))

    def _build_done_frame(self) -> bytes:
        event_id = self._build_closing_id(".done")
        return DONE_FRAME if event_id is None else b"id: %b\n%b" % (event_id.encode(), DONE_FRAME)

    def _build_closing_id(self, suffix: str) -> str | None:
        last_id = get_frame_id(self._last_frame) if self._last_frame else self._after
        return last_id and last_id + suffix

    async def aclose(self) -> None:
        """Detach from the run, which goes on (A100)."""
        if self._closing_frames != []:
            self._closing_frames = []
            await self._close()

    async def _close(self) -> None:
        close = getattr(self._events, "aclose", None)  # generators and most iterators have one; the port asks for none
        if close is not None:
            await close()


class ServerSentEvent(NamedTuple):
    """One event as it was received; `message` is the name of an event without one."""

    event: str
    data: bytes
    id: str | None = None


class SSEDecoder:
    """Feed it chunks cut anywhere; it gives back the events that are complete (CR, LF or CRLF; comments skipped).

    An event that was not closed by an empty line is never given back. Raises UpstreamError for one of more than
    `max_event_bytes`.
    """

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max = max_event_bytes
        self._started = False
        self._after_cr = False  # the last chunk ended between CR and, perhaps, LF
        self._pieces: list[bytes] = []  # of the line that is not complete
        self._piece_bytes = 0
        self._name = _UNNAMED
        self._id: str | None = None
        self._data: list[bytes] = []
        self._data_bytes = 0

    def receive_data(self, chunk: bytes) -> list[ServerSentEvent]:
        """The events this chunk completes, in order."""
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        if b"\n" in chunk or b"\r" in chunk:
            return self._parse_lines(self._split_lines(chunk))
        if chunk:
            self._add_piece(chunk)
        return []

    def _split_lines(self, chunk: bytes) -> list[bytes]:
        lines = b"".join((*self._pieces, chunk)).splitlines()
        self._pieces.clear()
        self._piece_bytes = 0
        self._after_cr = chunk.endswith(b"\r")
        if not chunk.endswith((b"\r", b"\n")):
            self._add_piece(lines.pop())
        if not self._started:
            self._started = True
            lines[0] = lines[0].removeprefix(_BOM)
        return lines

    def _parse_lines(self, lines: list[bytes]) -> list[ServerSentEvent]:
        complete: list[ServerSentEvent] = []
        for line in lines:
            if not line:
                if self._data:
                    complete.append(self._build_event())
                self._name = _UNNAMED
                self._id = None
            elif line.startswith(b"data:"):
                self._add_data(line[6:] if line[5:6] == b" " else line[5:])
            elif line.startswith(b"event:"):
                self._name = line[6:].removeprefix(b" ").decode("utf-8", "replace") or _UNNAMED
            elif line.startswith(b"id:"):
                self._id = line[3:].removeprefix(b" ").decode("utf-8", "replace") or None
            elif line == b"data":
                self._add_data(b"")
        return complete

    def _build_event(self) -> ServerSentEvent:
        data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        self._data.clear()
        self._data_bytes = 0
        return ServerSentEvent(self._name, data, self._id)

    def _add_data(self, data: bytes) -> None:
        self._data.append(data)
        self._data_bytes += len(data) + 1
        self._check_size()

    def _add_piece(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._piece_bytes += len(piece)
        self._check_size()

    def _check_size(self) -> None:
        if self._piece_bytes + self._data_bytes > self._max:
            raise UpstreamError(f"A streamed event is longer than {self._max} bytes; the stream was given up.")

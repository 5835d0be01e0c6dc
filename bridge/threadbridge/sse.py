"""Encode events as server-sent event frames (A88), and decode the events of any byte stream."""

from __future__ import annotations

from typing import NamedTuple

import orjson

from threadbridge.api_types import JsonMapping
from threadbridge.errors import UpstreamError

#: The largest event in bytes that a decoder buffers; a larger one fails the stream.
MAX_EVENT_BYTES = 32 * 1024 * 1024

_BOM = b"\xef\xbb\xbf"
#: The name that the standard gives to an event without one.
_UNNAMED = "message"


#: Characters that some clients take for the end of a line (Python's `splitlines`, JavaScript's source text), in UTF-8.
_LINE_SEPARATORS = {b"\xe2\x80\xa8": b"\\u2028", b"\xe2\x80\xa9": b"\\u2029", b"\xc2\x85": b"\\u0085"}


def escape_line_separators(encoded: bytes) -> bytes:
    """JSON text with U+2028, U+2029 and NEL escaped. They occur within strings only."""
    if encoded.isascii():  # several times as fast as to look for each of them
        return encoded
    if b"\xe2\x80\xa8" in encoded or b"\xe2\x80\xa9" in encoded or b"\xc2\x85" in encoded:
        for separator, escape in _LINE_SEPARATORS.items():
            encoded = encoded.replace(separator, escape)
    return encoded


class Event(NamedTuple):
    """One server-sent event of a run: its name (`thread.run.created`, …; rule A89) and its parsed data.

    `id` is the cursor that `follow_run` takes to continue after this event; None where the backend cannot follow runs.
    """

    name: str
    data: JsonMapping
    id: str | None = None


def encode_frame(event: Event) -> bytes:
    """The frame of one event: its id where it has one, its name, and its data as compact JSON.

    The id comes first: clients that read line by line expect the data right after the name.
    """
    if event.id is not None:
        return encode_frame_with_id(event.id, event)
    return b"event: %b\ndata: %b\n\n" % (event.name.encode(), escape_line_separators(orjson.dumps(event.data)))


def encode_frame_with_id(event_id: str, event: Event) -> bytes:
    """The frame of one event under the given id."""
    return (
        f"id: {event_id}\nevent: {event.name}\ndata: ".encode()
        + escape_line_separators(orjson.dumps(event.data))
        + b"\n\n"
    )


def decode_frame(frame: bytes) -> Event:
    """The event of a frame that `encode_frame` wrote."""
    event_id, rest = get_frame_id(frame), frame
    if event_id is not None:
        rest = frame[frame.index(b"\n") + 1 :]
    name, _, data = rest.partition(b"\n")
    return Event(name[7:].decode(), orjson.loads(data[6:]), event_id)


def get_frame_id(frame: bytes) -> str | None:
    """The id of a frame made by `encode_frame`; None without one."""
    return frame[4 : frame.index(b"\n")].decode() if frame.startswith(b"id: ") else None


class ServerSentEvent(NamedTuple):
    """One event as it was received; `message` is the name of an event without one."""

    event: str
    data: bytes
    id: str | None = None


class SSEDecoder:
    """Decodes a byte stream, in chunks of any size, into events (lines end in CR, LF or CRLF; comments are skipped).

    An event counts when an empty line ends it. Raises UpstreamError for an event of more than `max_event_bytes`.
    """

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max = max_event_bytes
        self._started = False
        self._after_cr = False  # the last chunk ended in CR: an LF at the start of the next one belongs to it
        self._pieces: list[bytes] = []  # the parts of an incomplete line
        self._piece_bytes = 0
        self._name = _UNNAMED
        self._id: str | None = None
        self._data: list[bytes] = []
        self._data_bytes = 0

    def receive_data(self, chunk: bytes) -> list[ServerSentEvent]:
        """The events that this chunk completes, in order."""
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
        data = self._data
        for line in lines:
            if not line:
                if data:
                    content = data[0] if len(data) == 1 else b"\n".join(data)
                    complete.append(ServerSentEvent(self._name, content, self._id))
                    data.clear()
                    self._data_bytes = 0
                self._name = _UNNAMED
                self._id = None
            elif line.startswith(b"data:") or line == b"data":
                data.append(line[6:] if line[5:6] == b" " else line[5:])
                self._data_bytes += len(line)
                if self._data_bytes > self._max:
                    self._check_size()
            elif line.startswith(b"event:"):
                self._name = line[6:].removeprefix(b" ").decode("utf-8", "replace") or _UNNAMED
            elif line.startswith(b"id:"):
                self._id = line[3:].removeprefix(b" ").decode("utf-8", "replace") or None
        return complete

    def _add_piece(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._piece_bytes += len(piece)
        self._check_size()

    def _check_size(self) -> None:
        if self._piece_bytes + self._data_bytes > self._max:
            raise UpstreamError(f"A streamed event is longer than {self._max} bytes; the stream was given up.")

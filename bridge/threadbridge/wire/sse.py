"""Server-sent events, both ways: frames out of events (A88), and events out of whatever bytes arrive."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple

import orjson

from threadbridge.errors import BridgeError, UpstreamError
from threadbridge.ports import Event
from threadbridge.wire.errors import reported, to_wire

#: Bytes of one event a decoder holds at most before it gives up on the stream.
MAX_EVENT_BYTES = 32 * 1024 * 1024

#: The frame every stream ends with, also after `requires_action` and after an error (A88).
DONE = b"event: done\ndata: [DONE]\n\n"

_BOM = b"\xef\xbb\xbf"


def encode(event: Event) -> bytes:
    """The frame of one event: its name, and its data as compact JSON."""
    return b"event: %b\ndata: %b\n\n" % (event.name.encode(), orjson.dumps(event.data))


def error_frame(error: BridgeError) -> bytes:
    """The frame of a failure after the stream began, when no status can tell it any more (A97).

    The data is the whole envelope: on `{"error": …}` the stock SDK raises, a bare error object it passes over.
    """
    return encode(Event("error", to_wire(error)[1]))


class Frames(AsyncIterator[bytes]):
    """The frames of a streamed run. Ends with `done` whatever happens, and closes `events` when it is over or closed.

    A class and not a generator, because closing a generator that was never begun would leave the events open.
    """

    def __init__(self, events: AsyncIterator[Event], *, request_id: str) -> None:
        self._events = events
        self._request_id = request_id
        self._last: list[bytes] | None = None  # what is left to send once the events are over

    async def __anext__(self) -> bytes:
        if self._last is None:
            try:
                return encode(await anext(self._events))
            except StopAsyncIteration:
                self._last = [DONE]
            except Exception as error:
                self._last = [error_frame(reported(error, request_id=self._request_id)), DONE]
            await self._close()
        if not self._last:
            raise StopAsyncIteration
        return self._last.pop(0)

    async def aclose(self) -> None:
        """Detach from the run, which goes on (A100)."""
        if self._last != []:
            self._last = []
            await self._close()

    async def _close(self) -> None:
        close = getattr(self._events, "aclose", None)  # generators and most iterators have one; the port asks for none
        if close is not None:
            await close()


class SSE(NamedTuple):
    """One event as it was received; `message` is the name of an event without one."""

    event: str
    data: bytes


class SSEDecoder:
    """Feed it chunks cut anywhere; it gives back the events that are complete (CR, LF or CRLF; comments skipped).

    An event that was not closed by an empty line is never given back. Raises UpstreamError for one of more than
    `max_event_bytes`.
    """

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max = max_event_bytes
        self._begun = False
        self._after_cr = False  # the last chunk ended between CR and, perhaps, LF
        self._pieces: list[bytes] = []  # of the line that is not complete
        self._name = "message"
        self._data: list[bytes] = []
        self._held = 0  # bytes in _pieces and _data

    def feed(self, chunk: bytes) -> list[SSE]:
        """The events this chunk completes, in order."""
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        if not chunk:
            return []
        if b"\n" not in chunk and b"\r" not in chunk:
            self._hold(chunk, self._pieces)
            return []
        return self._feed_lines(self._lines(chunk))

    def _lines(self, chunk: bytes) -> list[bytes]:
        lines = b"".join((*self._pieces, chunk)).splitlines() if self._pieces else chunk.splitlines()
        self._held -= sum(map(len, self._pieces))
        self._pieces.clear()
        self._after_cr = chunk.endswith(b"\r")
        if not (self._after_cr or chunk.endswith(b"\n")):
            self._hold(lines.pop(), self._pieces)
        if not self._begun and lines:
            self._begun = True
            lines[0] = lines[0].removeprefix(_BOM)
        return lines

    def _feed_lines(self, lines: list[bytes]) -> list[SSE]:
        complete: list[SSE] = []
        for line in lines:
            if not line:
                if self._data:
                    complete.append(SSE(self._name, b"\n".join(self._data)))
                    self._data.clear()
                    self._held = sum(map(len, self._pieces))
                self._name = "message"
            elif line.startswith(b"data:"):
                self._hold(line[6:] if line[5:6] == b" " else line[5:], self._data)
            elif line.startswith(b"event:"):
                self._name = line[6:].removeprefix(b" ").decode("utf-8", "replace") or "message"
            elif line == b"data":
                self._data.append(b"")
        return complete

    def _hold(self, piece: bytes, where: list[bytes]) -> None:
        self._held += len(piece)
        if self._held > self._max:
            raise UpstreamError(f"A streamed event is longer than {self._max} bytes; the stream was given up.")
        where.append(piece)

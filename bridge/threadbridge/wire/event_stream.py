"""The frames of a streamed run in an HTTP response (A88, A97)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol, runtime_checkable

from threadbridge.ports import Event
from threadbridge.sse import encode_frame, get_frame_id
from threadbridge.wire.response_builder import to_bridge_error, to_wire

#: The last frame of every stream, also after `requires_action` and after an error (A88).
DONE_FRAME = b"event: done\ndata: [DONE]\n\n"

#: A comment: clients skip it, and proxies see that the stream is alive (A99). No empty line follows: when frames have
#: ids, the openai SDK takes an empty line for the end of a frame, finds no data in it and fails.
KEEP_ALIVE_FRAME = b": keep-alive\n"

#: Suffix in the ids of the frames that close a stream, after the id of the last event.
_CLOSING_SUFFIXES = (".error", ".done")


def parse_last_event_id(last_event_id: str | None) -> str | None:
    """The event id in a `Last-Event-ID` header; the id of a closing frame stands for that of the last event."""
    for suffix in _CLOSING_SUFFIXES:
        last_event_id = last_event_id.removesuffix(suffix) if last_event_id else None
    return last_event_id


@runtime_checkable
class FrameSource(Protocol):
    """A stream of encoded frames, which a backend's stream can offer besides its events."""

    async def next_frames(self) -> Sequence[bytes]:
        """The frames of the next events, at least one. Raises StopAsyncIteration after the last."""
        ...


class FrameStream(AsyncIterator[bytes]):
    """The frames of a streamed run in chunks: those that are ready are joined.

    Always ends with `done`, and closes `events` at its end or when it is closed.

    A failure after the stream began, too late for an HTTP status, is an `error` event (A97). Its data is the whole
    envelope: the SDK raises on `{"error": …}` and ignores a bare error object.

    If events have ids, those of `error` and `done` are that of the last event plus a suffix. `after` is the id before
    the first event. A class, because closing a generator that never started would leave the events open.
    """

    def __init__(self, events: AsyncIterator[Event], *, request_id: str, after: str | None = None) -> None:
        self._events = events
        self._request_id = request_id
        self._after = after
        self._next_frames = events.next_frames if isinstance(events, FrameSource) else self._encode_next
        self._last_frame = b""  # the last frame of an event
        self._closing_frames: list[bytes] | None = None  # frames still to send after the last event

    async def __anext__(self) -> bytes:
        if self._closing_frames is None:
            try:
                frames = await self._next_frames()
            except StopAsyncIteration:
                self._closing_frames = [self._build_done_frame()]
            except Exception as error:
                bridge_error = to_bridge_error(error, request_id=self._request_id)
                self._closing_frames = [
                    encode_frame(Event("error", to_wire(bridge_error)[1], self._build_closing_id(".error"))),
                    self._build_done_frame(),
                ]
            else:
                self._last_frame = frames[-1]
                return frames[0] if len(frames) == 1 else b"".join(frames)
            await self._close()
        if not self._closing_frames:
            raise StopAsyncIteration
        return self._closing_frames.pop(0)

    async def _encode_next(self) -> Sequence[bytes]:
        return (encode_frame(await anext(self._events)),)

    def _build_done_frame(self) -> bytes:
        event_id = self._build_closing_id(".done")
        return DONE_FRAME if event_id is None else b"id: %b\n%b" % (event_id.encode(), DONE_FRAME)

    def _build_closing_id(self, suffix: str) -> str | None:
        last_id = get_frame_id(self._last_frame) if self._last_frame else self._after
        return last_id and last_id + suffix

    async def aclose(self) -> None:
        """Detach from the run, which continues (A100)."""
        if self._closing_frames != []:
            self._closing_frames = []
            await self._close()

    async def _close(self) -> None:
        close = getattr(self._events, "aclose", None)  # generators and most iterators have one; the port asks for none
        if close is not None:
            await close()

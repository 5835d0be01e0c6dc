"""A read-ahead buffer for the frames of one stream: the reader gets all available frames as one chunk.

Events of a run arrive in bursts, and each delivery (a socket write, a thread switch) costs more than the event.
Reading ahead combines a burst into one delivery without delaying any event. It also decouples the reader from the
stream: closing early closes the stream's iterator, which detaches from the run and does not stop it (C3).
"""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator
from typing import Final

#: Bytes buffered for a slow reader before the source is paused; one frame may exceed it by its own size.
MAX_BUFFERED_BYTES: Final = 256 * 1024


class _StreamBuffer(ABC):
    """Fills itself from `source` on the running loop. Subclasses define how the reader waits."""

    def __init__(self, source: AsyncIterator[bytes]) -> None:
        self._loop = asyncio.get_running_loop()
        self._frames: deque[bytes] = deque()
        # Two counters with one writer each, so that filling and reading need no lock across two threads.
        self._filled_bytes = 0
        self._consumed_bytes = 0
        self._has_room = asyncio.Event()
        self._waits_for_room = False
        self._has_started = False
        self._is_detached = False
        self._ended = False
        self._error: Exception | None = None
        self._fill_task = self._loop.create_task(self._fill(source))

    @abstractmethod
    def _wake(self) -> None:
        """Wake the reader: a chunk or the end is available."""

    async def _fill(self, source: AsyncIterator[bytes]) -> None:
        self._has_started = True
        try:
            if not self._is_detached:
                async for frame in source:
                    self._frames.append(frame)
                    self._filled_bytes += len(frame)
                    self._wake()
                    if self._filled_bytes - self._consumed_bytes > MAX_BUFFERED_BYTES:
                        self._has_room.clear()
                        # Set before the check: a reader on another thread takes frames first, then reads this flag.
                        self._waits_for_room = True
                        while self._filled_bytes - self._consumed_bytes > MAX_BUFFERED_BYTES:
                            await self._has_room.wait()
                            self._has_room.clear()
                        self._waits_for_room = False
        except Exception as error:  # `_take_ready` raises it after the frames that preceded it
            self._error = error
        finally:
            await close_stream(source)
            self._ended = True
            self._wake()

    def _detach(self) -> None:
        # A task cancelled before its first step never runs, and would not close its source.
        if self._has_started and not self._is_detached:
            self._fill_task.cancel()
        self._is_detached = True

    def _take_ready(self) -> bytes | None:
        """All available frames as one chunk, `b""` if none are ready, None at the end. Raises the source's error."""
        ended = self._ended  # read first: frames that arrive after this belong to the next call
        frames = [self._frames.popleft() for _ in range(len(self._frames))]
        if frames:
            chunk = frames[0] if len(frames) == 1 else b"".join(frames)
            self._consumed_bytes += len(chunk)
            if self._waits_for_room:
                self._loop.call_soon_threadsafe(self._has_room.set)
            return chunk
        if not ended:
            return b""
        if self._error is not None:
            raise self._error
        return None


class LoopStreamBuffer(_StreamBuffer):
    """For a reader on the same event loop."""

    def __init__(self, source: AsyncIterator[bytes]) -> None:
        self._reader_waiter: asyncio.Future[None] | None = None
        self._keep_alive_timer: asyncio.TimerHandle | None = None
        super().__init__(source)

    def start_keep_alive(self, seconds: float, frame: bytes) -> None:
        """Insert this frame between others so that no pause is longer than `seconds`.

        A timer fires twice in that time, so that frames themselves cause no timer work.
        """
        filled_before = self._filled_bytes

        def send_keep_alive() -> None:
            if self._filled_bytes == filled_before and not self._frames and not self._ended:
                self._frames.append(frame)
                self._filled_bytes += len(frame)
                self._wake()
            self.start_keep_alive(seconds, frame)

        self._keep_alive_timer = self._loop.call_later(seconds / 2, send_keep_alive)

    def _wake(self) -> None:
        if self._reader_waiter is not None and not self._reader_waiter.done():
            self._reader_waiter.set_result(None)

    async def read_chunk(self, *, timeout: float | None = None) -> bytes | None:
        """All available frames, waiting for at least one; None at the end. Raises TimeoutError."""
        while (chunk := self._take_ready()) == b"":
            self._reader_waiter = waiter = self._loop.create_future()
            if timeout is None:
                await waiter
                continue
            # A plain timer, because `asyncio.timeout` costs more than handling the event.
            timer = self._loop.call_later(timeout, _expire, waiter)
            try:
                await waiter
            finally:
                timer.cancel()
        return chunk

    def detach(self) -> None:
        """Close the stream without waiting for it; `read_chunk` returns None once it is closed."""
        self._detach()

    async def aclose(self) -> None:
        """Close the stream."""
        if self._keep_alive_timer is not None:
            self._keep_alive_timer.cancel()
        self.detach()
        await asyncio.wait((self._fill_task,))


class ThreadStreamBuffer(_StreamBuffer):
    """For a reader on another thread."""

    def __init__(self, source: AsyncIterator[bytes]) -> None:
        self._ready = threading.Event()
        super().__init__(source)

    def _wake(self) -> None:
        self._ready.set()

    def read_chunk(self, *, timeout: float | None = None) -> bytes | None:
        """All available frames, blocking until there is at least one; None at the end. Raises TimeoutError."""
        while True:
            self._ready.clear()
            chunk = self._take_ready()
            if chunk != b"":
                return chunk
            if not self._ready.wait(timeout):
                raise TimeoutError

    def close(self) -> None:
        """Close the stream without waiting for it. May be called from any thread and repeatedly."""
        if not self._ended and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._detach)


def _expire(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())


async def close_stream(source: AsyncIterator[object]) -> None:
    """Close a stream if it has `aclose()`."""
    aclose = getattr(source, "aclose", None)
    if aclose is not None:
        await aclose()

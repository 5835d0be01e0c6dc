"""Frames of one stream, read ahead of whoever takes them: everything that is ready is handed over as one chunk.

A run's events come in bursts, and each hand-over (a socket write, a change of thread) costs more than the event.
Reading ahead makes the burst one hand-over and never holds an event back for company. It also cuts the reader loose
from the stream: leaving early closes the stream's iterator, which detaches from the run and does not stop it (C3).
"""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator
from typing import Final

#: Bytes that may wait for a slow reader before the stream is held up; one frame may exceed it by its own size.
MAX_BUFFERED_BYTES: Final = 256 * 1024


class _StreamBuffer(ABC):
    """Fills itself from `source` on the running loop. Who reads, and how they wait, is the subclass's affair."""

    def __init__(self, source: AsyncIterator[bytes]) -> None:
        self._loop = asyncio.get_running_loop()
        self._frames: deque[bytes] = deque()
        # Two counters with one writer each, so that filling and taking may be on two threads without a lock.
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
        """There is something to take."""

    async def _fill(self, source: AsyncIterator[bytes]) -> None:
        self._has_started = True
        try:
            if not self._is_detached:
                await self._read(source)
        except Exception as error:  # handed to the reader by `_take`, after the frames that came before it
            self._error = error
        finally:
            await close_stream(source)
            self._ended = True
            self._wake()

    async def _read(self, source: AsyncIterator[bytes]) -> None:
        async for frame in source:
            self._frames.append(frame)
            self._filled_bytes += len(frame)
            self._wake()
            if self._filled_bytes - self._consumed_bytes > MAX_BUFFERED_BYTES:
                await self._wait_for_room()

    def _detach(self) -> None:
        # A task cancelled before its first step never runs, and would not close its source.
        if self._has_started and not self._is_detached:
            self._fill_task.cancel()
        self._is_detached = True

    async def _wait_for_room(self) -> None:
        self._has_room.clear()
        # Announced before looking: a reader on another thread takes first and looks for the announcement second.
        self._waits_for_room = True
        while self._filled_bytes - self._consumed_bytes > MAX_BUFFERED_BYTES:
            await self._has_room.wait()
            self._has_room.clear()
        self._waits_for_room = False

    def _take_ready(self) -> bytes | None:
        """All that is ready; nothing yet is `b""`, the end is None. Raises what broke the stream."""
        ended = self._ended  # looked at first: frames that come later than this look are for the next one
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
        """Have this frame come between two others, so that there is none for longer than `seconds` at no time.

        A timer that goes by itself, twice in that time: nothing of it is on the way of a frame.
        """
        self._keep_alive_timer = self._loop.call_later(
            seconds / 2, self._send_keep_alive, seconds, frame, self._filled_bytes
        )

    def _send_keep_alive(self, seconds: float, frame: bytes, filled_before: int) -> None:
        if self._filled_bytes == filled_before and not self._frames and not self._ended:
            self._frames.append(frame)
            self._filled_bytes += len(frame)
            self._wake()
        self.start_keep_alive(seconds, frame)

    def _wake(self) -> None:
        if self._reader_waiter is not None and not self._reader_waiter.done():
            self._reader_waiter.set_result(None)

    async def read_chunk(self, *, timeout: float | None = None) -> bytes | None:
        """What is ready, waiting for at least one frame; None at the end. Raises TimeoutError."""
        while (chunk := self._take_ready()) == b"":
            await self._wait(timeout)
        return chunk

    async def _wait(self, timeout: float | None) -> None:
        self._reader_waiter = self._loop.create_future()
        if timeout is None:
            await self._reader_waiter
            return
        # A bare timer: `asyncio.timeout` costs more than the event that is waited for.
        timer = self._loop.call_later(timeout, _expire, self._reader_waiter)
        try:
            await self._reader_waiter
        finally:
            timer.cancel()

    def detach(self) -> None:
        """Close the stream without waiting for it; `chunk` answers None once it is closed."""
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
        """What is ready, blocking until there is at least one frame; None at the end. Raises TimeoutError."""
        while True:
            self._ready.clear()
            chunk = self._take_ready()
            if chunk != b"":
                return chunk
            if not self._ready.wait(timeout):
                raise TimeoutError

    def close(self) -> None:
        """Close the stream, without waiting for it. May be called from any thread, and twice."""
        if not self._ended and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._detach)


def _expire(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())


async def close_stream(source: AsyncIterator[bytes]) -> None:
    """Close a stream, if it is of the kind that can be closed."""
    aclose = getattr(source, "aclose", None)
    if aclose is not None:
        await aclose()

"""Reading a stream ahead of its reader, in the same event loop and from a worker thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from threadbridge_adapters.stream_buffer import MAX_BUFFERED_BYTES, LoopStreamBuffer, ThreadStreamBuffer


class Source:
    """Frames, some of which are produced only after another iteration of the event loop (an empty one); counts them."""

    def __init__(self, frames: Sequence[bytes], error: Exception | None = None) -> None:
        self._frames = frames
        self._error = error
        self.produced = 0
        self.closed = False

    async def read(self) -> AsyncIterator[bytes]:
        try:
            for frame in self._frames:
                if not frame:
                    await asyncio.sleep(0.01)
                    continue
                self.produced += 1
                yield frame
            if self._error is not None:
                raise self._error
        finally:
            self.closed = True


class Unread(AsyncIterator[bytes]):
    """A stream that must not be read, only closed."""

    def __init__(self) -> None:
        self.closed = False

    async def __anext__(self) -> bytes:
        raise AssertionError("read after its reader had left")

    async def aclose(self) -> None:
        self.closed = True


async def test_ready_frames_are_one_chunk_and_later_frames_follow() -> None:
    ahead = LoopStreamBuffer(Source([b"a", b"b", b"", b"c"]).read())

    read_chunks = [await ahead.read_chunk(), await ahead.read_chunk(), await ahead.read_chunk()]

    assert read_chunks == [b"ab", b"c", None]


async def test_a_slow_reader_delays_the_stream_and_loses_no_frame() -> None:
    frame = b"x" * 1024
    source = Source([frame] * 1000)
    ahead = LoopStreamBuffer(source.read())
    await asyncio.sleep(0.01)
    produced_unread = source.produced

    received = b""
    while (chunk := await ahead.read_chunk()) is not None:
        received += chunk

    assert produced_unread == MAX_BUFFERED_BYTES // 1024 + 1
    assert received == frame * 1000


async def test_a_broken_stream_raises_after_its_earlier_frames() -> None:
    ahead = LoopStreamBuffer(Source([b"a"], ValueError("broken")).read())

    assert await ahead.read_chunk() == b"a"
    with pytest.raises(ValueError, match="broken"):
        await ahead.read_chunk()


async def test_closing_before_the_first_frame_closes_the_stream() -> None:
    source = Unread()
    ahead = LoopStreamBuffer(source)

    await ahead.aclose()

    assert source.closed


async def test_closing_in_the_middle_closes_the_stream_and_stops_reading() -> None:
    source = Source([b"a", b"", b"b"])
    ahead = LoopStreamBuffer(source.read())
    await ahead.read_chunk()

    ahead.detach()

    assert await ahead.read_chunk() is None
    assert source.closed


async def test_a_timeout_raises_and_the_stream_can_still_be_read() -> None:
    ahead = LoopStreamBuffer(Source([b"", b"a"]).read())

    with pytest.raises(TimeoutError):
        await ahead.read_chunk(timeout=0.001)

    assert await ahead.read_chunk() == b"a"


async def test_another_thread_reads_every_frame_of_a_long_stream() -> None:
    frame = b"x" * 1024
    ahead = ThreadStreamBuffer(Source([frame] * 1000).read())

    def read() -> bytes:
        received = b""
        while (chunk := ahead.read_chunk(timeout=5)) is not None:
            received += chunk
        return received

    assert await asyncio.to_thread(read) == frame * 1000


async def test_another_thread_can_close_the_stream_twice() -> None:
    source = Source([b"a", b"", b"b"])
    ahead = ThreadStreamBuffer(source.read())
    await asyncio.to_thread(ahead.read_chunk)

    ahead.close()
    ahead.close()
    await asyncio.sleep(0.02)

    assert source.closed
    assert await asyncio.to_thread(ahead.read_chunk) is None


async def read_chunks(ahead: LoopStreamBuffer) -> list[bytes]:
    chunks_read: list[bytes] = []
    while (chunk := await ahead.read_chunk()) is not None:
        chunks_read.append(chunk)
    return chunks_read


async def test_a_silent_stream_gets_comments_between_its_frames() -> None:
    ahead = LoopStreamBuffer(Source([b"a", *[b""] * 10, b"b"]).read())

    ahead.start_keep_alive(0.02, b":")
    chunks_read = b"".join(await read_chunks(ahead))
    await ahead.aclose()

    assert chunks_read.count(b":") >= 3
    assert chunks_read.replace(b":", b"") == b"ab"


async def test_no_comment_is_added_to_an_active_stream_or_for_a_slow_reader() -> None:
    ahead = LoopStreamBuffer(Source([b"a", *[b""] * 10]).read())

    ahead.start_keep_alive(0.02, b":")
    await asyncio.sleep(0.08)  # without a reader, the buffered frames are enough
    first = await ahead.read_chunk()
    await ahead.aclose()

    assert first == b"a"

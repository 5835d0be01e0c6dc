"""A small sample image for a chart, the same for the same name."""

from __future__ import annotations

import hashlib
import struct
import zlib

_SIDE = 16


def make_chart_png(name: str) -> bytes:
    """A valid PNG in one colour that depends on the name."""
    colour = hashlib.md5(name.encode(), usedforsecurity=False).digest()[:3]
    rows = (b"\0" + colour * _SIDE) * _SIDE
    header = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _encode_chunk(b"IHDR", header)
        + _encode_chunk(b"IDAT", zlib.compress(rows))
        + _encode_chunk(b"IEND", b"")
    )


def _encode_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

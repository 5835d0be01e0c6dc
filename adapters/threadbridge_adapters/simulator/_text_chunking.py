"""A text in overlapping chunks, as vector stores keep it (A82: 800 tokens, 400 of them shared with the neighbour)."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from threadbridge.ports import Wire
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator import _validators as checks
from threadbridge_adapters.simulator._tokens import word_starts

#: Tokens of one file that the service takes.
LARGEST_FILE: Final = 5_000_000


@dataclass(frozen=True, slots=True)
class Chunking:
    """A static chunking strategy."""

    size: int = 800
    overlap: int = 400

    def shown(self) -> Wire:
        return {
            "type": "static",
            "static": {"max_chunk_size_tokens": self.size, "chunk_overlap_tokens": self.overlap},
        }


class TooManyTokensError(Exception):
    """The text has more tokens than one file may have."""


def chunks(text: str, chunking: Chunking) -> Iterator[str]:
    """The chunks from the beginning. Raises TooManyTokensError."""
    starts = array("Q")
    for start in word_starts(text):
        starts.append(start)
        if len(starts) > LARGEST_FILE:
            raise TooManyTokensError
    step = chunking.size - chunking.overlap
    for first in range(0, max(len(starts) - chunking.overlap, 1), step):
        last = first + chunking.size
        yield text[starts[first] if starts else 0 : starts[last] if last < len(starts) else len(text)]


_STATIC = {
    "max_chunk_size_tokens": checks.integer(least=100, most=4096),
    "chunk_overlap_tokens": checks.integer(least=0),
}


def check_chunking(path: str, value: Any) -> None:
    """A `chunking_strategy`."""
    kind = checks.mapping(path, value).get("type")
    if kind is None:
        raise errors.missing(f"{path}.type")
    if kind == "auto":
        checks.members(path, value, {"type": checks.string()})
        return
    checks.one_of("auto", "static")(f"{path}.type", kind)
    static = checks.shape(_STATIC, required=tuple(_STATIC))
    checks.members(path, value, {"type": checks.string(), "static": static}, required=("static",))
    size, overlap = value["static"]["max_chunk_size_tokens"], value["static"]["chunk_overlap_tokens"]
    if overlap > size // 2:
        text = "chunk_overlap_tokens must be less than or equal to half of max_chunk_size_tokens"
        raise errors.ServiceError(text, param=f"{path}.static.chunk_overlap_tokens", code="invalid_value")


def chunking_of(value: Wire | None) -> Chunking:
    """A checked `chunking_strategy` as a value; `auto` and nothing are the default."""
    if value is None or value["type"] == "auto":
        return Chunking()
    return Chunking(value["static"]["max_chunk_size_tokens"], value["static"]["chunk_overlap_tokens"])

"""Splits a text into overlapping chunks as vector stores do (A82: 800 tokens with an overlap of 400)."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from threadbridge.ports import Wire
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator import _validators as validators
from threadbridge_adapters.simulator._tokens import iterate_word_starts

#: Maximum tokens of one file at the service.
MAX_FILE_TOKENS: Final = 5_000_000


@dataclass(frozen=True, slots=True)
class ChunkingStrategy:
    """A static chunking strategy."""

    max_tokens: int = 800
    overlap_tokens: int = 400

    def to_wire(self) -> Wire:
        return {
            "type": "static",
            "static": {"max_chunk_size_tokens": self.max_tokens, "chunk_overlap_tokens": self.overlap_tokens},
        }


class TooManyTokensError(Exception):
    """The text exceeds the token limit of one file."""


def split_into_chunks(text: str, strategy: ChunkingStrategy) -> Iterator[str]:
    """The chunks in order. Raises TooManyTokensError."""
    starts = array("Q")
    for start in iterate_word_starts(text):
        starts.append(start)
        if len(starts) > MAX_FILE_TOKENS:
            raise TooManyTokensError
    step = strategy.max_tokens - strategy.overlap_tokens
    for first in range(0, max(len(starts) - strategy.overlap_tokens, 1), step):
        last = first + strategy.max_tokens
        yield text[starts[first] if starts else 0 : starts[last] if last < len(starts) else len(text)]


_STATIC_FIELDS = {
    "max_chunk_size_tokens": validators.integer(minimum=100, maximum=4096),
    "chunk_overlap_tokens": validators.integer(minimum=0),
}


def check_chunking(path: str, value: Any) -> None:
    """A `chunking_strategy`."""
    kind = validators.require_object(path, value).get("type")
    if kind is None:
        raise errors.missing_parameter(f"{path}.type")
    if kind == "auto":
        validators.check_members(path, value, {"type": validators.string()})
        return
    validators.one_of("auto", "static")(f"{path}.type", kind)
    static = validators.object_with(_STATIC_FIELDS, required=tuple(_STATIC_FIELDS))
    validators.check_members(path, value, {"type": validators.string(), "static": static}, required=("static",))
    size, overlap = value["static"]["max_chunk_size_tokens"], value["static"]["chunk_overlap_tokens"]
    if overlap > size // 2:
        text = "chunk_overlap_tokens must be less than or equal to half of max_chunk_size_tokens"
        raise errors.ServiceError(text, param=f"{path}.static.chunk_overlap_tokens", code="invalid_value")


def parse_chunking_strategy(value: Wire | None) -> ChunkingStrategy:
    """The value of a validated `chunking_strategy`; the default for `auto` and None."""
    if value is None or value["type"] == "auto":
        return ChunkingStrategy()
    return ChunkingStrategy(value["static"]["max_chunk_size_tokens"], value["static"]["chunk_overlap_tokens"])

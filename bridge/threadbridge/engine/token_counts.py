"""Counting tokens before a transaction, off the event loop where that takes long."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence

from threadbridge.context_window.tokens import add_token_counts, list_texts
from threadbridge.ports import Entry, TokenCounter, Wire

#: Texts that together are longer are counted on a worker thread. This many take about 2 ms.
MAX_INLINE_CHARACTERS = 32_000


class TokenCounting:
    """Counts the texts of requests and answers with one token counter. The first use loads its tokenizer."""

    def __init__(self, count: TokenCounter) -> None:
        self._count = count
        self._is_loaded = False

    @property
    def is_loaded(self) -> bool:
        """Whether the tokenizer is in memory."""
        return self._is_loaded

    async def load(self) -> None:
        """Load the tokenizer, which takes most of a second of CPU, on a worker thread."""
        if not self._is_loaded:
            await asyncio.to_thread(self._count, "")
            self._is_loaded = True

    async def count_body(self, body: Mapping[str, object]) -> Mapping[str, int]:
        """The tokens of each text that a request adds to a thread. The body may still be invalid."""
        texts = list(_find_texts(body))
        if self._may_count_inline(texts):
            return {text: self._count(text) for text in texts}
        counts = await asyncio.to_thread(lambda: {text: self._count(text) for text in texts})
        self._is_loaded = True
        return counts

    async def count_entries(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """The entries with their token counts, ready to be stored."""
        texts = [text for entry in entries for text in list_texts(entry)]
        if self._may_count_inline(texts):
            return add_token_counts(entries, self._count)
        counted = await asyncio.to_thread(add_token_counts, entries, self._count)
        self._is_loaded = True
        return counted

    def _may_count_inline(self, texts: Sequence[str]) -> bool:
        return not texts or (self._is_loaded and sum(map(len, texts)) <= MAX_INLINE_CHARACTERS)


def _find_texts(body: Mapping[str, object]) -> Iterator[str]:
    """The texts of a message, of the messages in a body, or of tool outputs."""
    yield from _find_content_texts(body)
    for container in _list_objects([body, body.get("thread")]):
        for name in ("messages", "additional_messages", "tool_outputs"):
            for value in _list_objects(container.get(name)):
                yield from _find_content_texts(value)


def _find_content_texts(value: Mapping[str, object]) -> Iterator[str]:
    match value:
        case {"content": str(text)} | {"output": str(text)}:
            yield text
        case {"content": [*parts]}:
            yield from (part["text"] for part in _list_objects(parts) if isinstance(part.get("text"), str))
        case _:
            pass


def _list_objects(values: object) -> Sequence[Wire]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else ()

"""Counting tokens before a transaction, off the event loop where that takes long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from threadbridge.api_types import JsonObject, is_json_list, is_json_object
from threadbridge.context_window.tokens import add_token_counts, list_texts
from threadbridge.ports import Entry, TokenCounter

T = TypeVar("T")

#: Texts that together are longer are counted and written on worker threads. To count this many takes about 2 ms.
MAX_INLINE_CHARACTERS = 32_000
#: Texts are stored uncounted until they are this long together, each counted as at least this long.
_UNCOUNTED_CHARACTERS_PER_TEXT = 500


class CountedTexts(NamedTuple, Generic[T]):
    """What was counted; `is_large`: the texts are too long for the event loop to wait until they are written."""

    counted: T
    is_large: bool


class TokenCounting:
    """Counts the texts of requests and answers with one token counter. The first long text loads its tokenizer."""

    def __init__(self, count: TokenCounter, is_loaded: Callable[[], bool]) -> None:
        self._count = count
        self._is_loaded = is_loaded
        self._uncounted = 0

    async def load(self) -> None:
        """Load the tokenizer, which takes most of a second of CPU, on a worker thread."""
        if not self._is_loaded():
            await asyncio.to_thread(self._count, "")

    async def count_body(self, body: Mapping[str, object]) -> CountedTexts[Mapping[str, int]]:
        """The tokens of each text that a request adds to a thread; none of a text that stays uncounted.

        The body may still be invalid.
        """
        texts = list(_find_texts(body))
        is_large = _is_large(texts)
        if self._may_leave_uncounted(texts):
            return CountedTexts({}, is_large)
        if self._is_loaded() and not is_large:
            return CountedTexts({text: self._count(text) for text in texts}, is_large)
        return CountedTexts(await asyncio.to_thread(lambda: {text: self._count(text) for text in texts}), is_large)

    async def count_entries(self, entries: Sequence[Entry]) -> CountedTexts[Sequence[Entry]]:
        """The entries as they are stored: with their token counts, or uncounted."""
        texts = [text for entry in entries for text in list_texts(entry)]
        is_large = _is_large(texts)
        if self._may_leave_uncounted(texts):
            return CountedTexts(entries, is_large)
        if self._is_loaded() and not is_large:
            return CountedTexts(add_token_counts(entries, self._count), is_large)
        return CountedTexts(await asyncio.to_thread(add_token_counts, entries, self._count), is_large)

    def _may_leave_uncounted(self, texts: Sequence[str]) -> bool:
        """Whether the texts can wait for the tokenizer, which a program with a few short threads never needs."""
        if self._is_loaded():
            return False
        self._uncounted += sum(map(len, texts)) + _UNCOUNTED_CHARACTERS_PER_TEXT * len(texts)
        return self._uncounted <= MAX_INLINE_CHARACTERS


def _is_large(texts: Sequence[str]) -> bool:
    return sum(map(len, texts)) > MAX_INLINE_CHARACTERS


def _find_texts(body: Mapping[str, object]) -> Iterator[str]:
    """The texts of a message, of the messages in a body, or of tool outputs."""
    yield from _find_content_texts(body)
    for container in _list_objects([body, body.get("thread")]):
        for name in ("messages", "additional_messages", "tool_outputs"):
            for value in _list_objects(container.get(name)):
                yield from _find_content_texts(value)


def _find_content_texts(value: Mapping[str, object]) -> Iterator[str]:
    content = value.get("content", value.get("output"))
    if isinstance(content, str):
        yield content
    else:
        for part in _list_objects(content):
            if isinstance(text := part.get("text"), str):
                yield text


def _list_objects(values: object) -> Sequence[JsonObject]:
    return [value for value in values if is_json_object(value)] if is_json_list(values) else ()

"""Counting tokens before a transaction, off the event loop where that takes long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from threadbridge.api_types import is_json_list, is_json_object
from threadbridge.context_window.tokens import add_token_counts, list_texts
from threadbridge.ports import Entry, TokenCounter

T = TypeVar("T")

#: Texts that together are longer are counted and written on worker threads. To count this many takes about 2 ms.
MAX_INLINE_CHARACTERS = 32_000
#: Texts are stored uncounted until they are this long together, each counted as at least this long.
_UNCOUNTED_CHARACTERS_PER_TEXT = 500
#: Fields of a body with objects that have a text.
_TEXT_LISTS = ("messages", "additional_messages", "tool_outputs")


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
        """The tokens of each text that a request adds to a thread, if they have to be counted before the transaction.

        Short texts are left to the transaction, or stay uncounted. The body may still be invalid.
        """
        texts = _find_texts(body)
        is_large = _is_large(texts)
        if not is_large and (self._is_loaded() or self._may_leave_uncounted(texts)):
            return CountedTexts({}, is_large)
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


def _find_texts(body: Mapping[str, object]) -> list[str]:
    """The texts of a message, of the messages in a body, or of tool outputs."""
    texts: list[str] = []
    _add_content_texts(texts, body)
    thread = body.get("thread")
    for container in (body, thread) if is_json_object(thread) else (body,):
        for name in _TEXT_LISTS:
            if is_json_list(values := container.get(name)):
                for value in values:
                    if is_json_object(value):
                        _add_content_texts(texts, value)
    return texts


def _add_content_texts(texts: list[str], value: Mapping[str, object]) -> None:
    content = value.get("content", value.get("output"))
    if isinstance(content, str):
        texts.append(content)
    elif is_json_list(content):
        texts += [text for part in content if is_json_object(part) and isinstance(text := part.get("text"), str)]

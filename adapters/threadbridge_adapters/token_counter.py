"""Offline token counts with the installed tokenizer."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from threadbridge.context_window.tokens import estimate_tokens
from threadbridge.ports import TokenCounter
from threadbridge.runtime.fork_locks import ForkLock

_ENCODING = "o200k_base"


def create_token_counter() -> TokenCounter:
    """Exact counts for models since gpt-4o with the extra `tokens`; without a tokenizer, four bytes per token.

    tiktoken is used only if its table is in a cache (`TIKTOKEN_CACHE_DIR`), because it would download it otherwise.
    """
    cache = Path(os.environ.get("TIKTOKEN_CACHE_DIR") or os.devnull)
    has_tiktoken = find_spec("tiktoken") is not None and cache.is_dir() and any(cache.iterdir())
    return LazyTokenCounter() if has_tiktoken or find_spec("quicktok") is not None else estimate_tokens


@runtime_checkable
class LoadsTokenizer(Protocol):
    """A token counter whose first count loads a tokenizer."""

    def is_loaded(self) -> bool:
        """Whether counts no longer have to load the tokenizer."""
        ...


class LazyTokenCounter:
    """Loads the tokenizer for the first count, because loading takes almost a second of CPU time."""

    def __init__(self) -> None:
        self._counter: TokenCounter | None = None
        self._loading = ForkLock()  # a child could not go on with a half-imported library

    def is_loaded(self) -> bool:
        """Whether counts no longer have to load the tokenizer."""
        return self._counter is not None

    def __call__(self, text: str) -> int:
        counter = self._counter
        if counter is None:
            with self._loading:
                counter = self._counter = self._counter or _load_tokenizer()
        return counter(text)


def _load_tokenizer() -> TokenCounter:
    name = "quicktok" if find_spec("quicktok") is not None else "tiktoken"
    library: Any = import_module(name)  # neither package has type hints
    encoding = library.get_encoding(_ENCODING)

    def count_exactly(text: str) -> int:
        return int(encoding.count(text)) if name == "quicktok" else len(encoding.encode_ordinary(text))

    def count(text: str) -> int:
        try:
            return count_exactly(text)
        except (UnicodeEncodeError, TypeError):  # half a surrogate pair, which tokenizers reject
            return estimate_tokens(text)

    return count

"""Token counts of timeline entries. Every entry is counted once, when it is stored or first read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import orjson

from threadbridge.ports import Entry, EntryRole, TokenCount, TokenCounter, Wire

#: Tokens around a message or an item in the model's own format.
_OVERHEAD_TOKENS = 4
#: Tokens of an image by its detail, as the vision guide charges a square of 1024 pixels.
_IMAGE_TOKENS: Mapping[str, int] = {"low": 85}
_LARGE_IMAGE_TOKENS = 765
#: Encrypted content is base64 of unreadable text: about four letters a token, a third of it padding.
_ENCRYPTED_BYTES_PER_TOKEN = 5

#: Size of the cache of counts for instructions and functions, which every turn of every run starts with.
_COUNT_CACHE_SIZE = 64

_ITEM_ROLES: Mapping[str, EntryRole] = {
    "message": EntryRole.ASSISTANT,
    "function_call": EntryRole.FUNCTION_CALL,
    "function_call_output": EntryRole.FUNCTION_CALL,
    "compaction": EntryRole.COMPACTION,
}


def estimate_tokens(text: str) -> int:
    """The estimate if no tokenizer is installed: four bytes a token, which overestimates rather than underestimates."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // 4)


def add_token_counts(entries: Iterable[Entry], count: TokenCounter) -> Sequence[Entry]:
    """The entries with their token counts, ready to be stored."""
    return [Entry(entry.message, entry.item, entry.run_id, count_entry_tokens(entry, count)) for entry in entries]


def list_texts(entry: Entry) -> Sequence[str]:
    """The texts that counting the entry takes time for."""
    texts: list[str] = []

    def note(text: str) -> int:
        texts.append(text)
        return 0

    count_entry_tokens(entry, note)
    return texts


def count_entry_tokens(entry: Entry, count: TokenCounter) -> TokenCount:
    """The role of an entry, and about how many tokens the model counts for it."""
    if entry.message is not None:
        role = EntryRole.USER if entry.message.get("role") == "user" else EntryRole.ASSISTANT
        tokens = _OVERHEAD_TOKENS
        for part in entry.message.get("content") or ():
            tokens += _count_part(part, count)
        return TokenCount(role, tokens)
    item = entry.item or {}
    return TokenCount(
        _ITEM_ROLES.get(item.get("type", ""), EntryRole.WITHIN_RUN), _OVERHEAD_TOKENS + _count_item(item, count)
    )


def _count_part(part: object, count: TokenCounter) -> int:
    match part:
        case {"type": "text", "text": {"value": str(text)}}:
            return count(text)
        case {"type": "refusal", "refusal": str(text)}:
            return count(text)
        case {"type": "image_url", "image_url": {"detail": str(detail)}}:
            return _IMAGE_TOKENS.get(detail, _LARGE_IMAGE_TOKENS)
        case {"type": "image_file", "image_file": {"detail": str(detail)}}:
            return _IMAGE_TOKENS.get(detail, _LARGE_IMAGE_TOKENS)
        case {"type": "image_url" | "image_file"}:
            return _LARGE_IMAGE_TOKENS
        case _:
            return 0  # not sent


def _count_item(item: Wire, count: TokenCounter) -> int:
    match item:
        case {"type": "function_call"}:
            return count(f"{item.get('name') or ''}{item.get('arguments') or ''}")
        case {"type": "function_call_output", "output": str(output)}:
            return count(output)
        case {"encrypted_content": str(sealed)}:
            return len(sealed) // _ENCRYPTED_BYTES_PER_TOKEN
        case _:
            return count(orjson.dumps(item).decode())


def count_instructions_and_tools(run: Wire, count: TokenCounter) -> int:
    """The tokens of the run's instructions and functions, which start every request."""
    functions = [tool["function"] for tool in run["tools"] if tool["type"] == "function"]
    tokens = _count_cached(count, run["instructions"]) if run["instructions"] else 0
    return tokens + (_count_cached(count, orjson.dumps(functions).decode()) if functions else 0)


@lru_cache(maxsize=_COUNT_CACHE_SIZE)
def _count_cached(count: TokenCounter, text: str) -> int:
    return count(text)

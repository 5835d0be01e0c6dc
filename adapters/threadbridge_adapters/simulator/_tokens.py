"""Token counts: an estimate that depends only on the text and is the same with and without streaming."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from threadbridge.api_types import JsonObject

_WORD_PIECES = re.compile(r"\s*\S+|\s+$")
_ARGUMENT_PIECES = re.compile(r"[A-Za-z0-9_.-]+|[^A-Za-z0-9_.-]+")
_BYTES_PER_TOKEN = 4
_TOKENS_PER_ITEM = 4
_TOKENS_PER_REQUEST = 3


def split_words(text: str) -> list[str]:
    """The text deltas of a stream; each counts as one token."""
    return _WORD_PIECES.findall(text)


def iterate_word_starts(text: str) -> Iterator[int]:
    """The start index of each delta."""
    return (found.start() for found in _WORD_PIECES.finditer(text))


def split_arguments(arguments: str) -> list[str]:
    """The deltas of function arguments in a stream; each counts as one token."""
    return _ARGUMENT_PIECES.findall(arguments)


def count_input_tokens(items: Iterable[JsonObject], instructions: str | None, tools: Iterable[JsonObject]) -> int:
    """The input tokens of a request: its whole context, its instructions and its tools."""
    total = _TOKENS_PER_REQUEST + (estimate_tokens(instructions) if instructions else 0)
    for item in items:
        total += _TOKENS_PER_ITEM
        match item.get("type"):
            case "function_call":
                total += estimate_tokens(item["name"]) + estimate_tokens(item["arguments"])
            case "function_call_output":
                total += _count_content_tokens(item["output"])
            case "file_search_call":
                total += sum(estimate_tokens(result["text"]) for result in item.get("results") or ())
            case "code_interpreter_call":
                logs = [output["logs"] for output in item.get("outputs") or () if output["type"] == "logs"]
                total += sum(estimate_tokens(text) for text in (item.get("code") or "", *logs))
            case "reasoning":
                total += sum(estimate_tokens(part["text"]) for part in item.get("summary") or ())
            case "compaction":
                total += estimate_tokens(item["encrypted_content"])
            case _:
                total += _count_content_tokens(item["content"])
    for tool in tools:
        total += _TOKENS_PER_ITEM + estimate_tokens(orjson.dumps(tool).decode())
    return total


def _count_content_tokens(content: Any) -> int:
    if isinstance(content, str):
        return estimate_tokens(content)
    return sum(estimate_tokens(part.get("text") or part.get("refusal") or "") for part in content)


def estimate_tokens(text: str) -> int:
    """The token count of a text without splitting it."""
    return -(-len(text.encode()) // _BYTES_PER_TOKEN)

"""Token counts: an estimate that depends on nothing but the text, and is the same streamed or not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from threadbridge.ports import Wire

_WORDS = re.compile(r"\s*\S+|\s+$")
_ARGUMENTS = re.compile(r"[A-Za-z0-9_.-]+|[^A-Za-z0-9_.-]+")
_BYTES_PER_TOKEN = 4
_PER_ITEM = 4
_PER_REQUEST = 3


def words(text: str) -> list[str]:
    """A text in the pieces it is streamed in; each counts as one token."""
    return _WORDS.findall(text)


def word_starts(text: str) -> Iterator[int]:
    """Where each of these pieces begins."""
    return (found.start() for found in _WORDS.finditer(text))


def argument_pieces(arguments: str) -> list[str]:
    """Function arguments in the pieces they are streamed in; each counts as one token."""
    return _ARGUMENTS.findall(arguments)


def input_tokens(items: Iterable[Wire], instructions: str | None, tools: Iterable[Wire]) -> int:
    """What a request is charged for: its whole context, its instructions and its tools."""
    total = _PER_REQUEST + (estimate(instructions) if instructions else 0)
    for item in items:
        total += _PER_ITEM + _item(item)
    for tool in tools:
        total += _PER_ITEM + estimate(orjson.dumps(tool).decode())
    return total


def _item(item: Wire) -> int:
    match item.get("type"):
        case "function_call":
            return estimate(item["name"]) + estimate(item["arguments"])
        case "function_call_output":
            return _content(item["output"])
        case "file_search_call":
            return sum(estimate(result["text"]) for result in item.get("results") or ())
        case "code_interpreter_call":
            logs = [output["logs"] for output in item.get("outputs") or () if output["type"] == "logs"]
            return sum(estimate(text) for text in (item.get("code") or "", *logs))
        case "reasoning":
            return sum(estimate(part["text"]) for part in item.get("summary") or ())
        case "compaction":
            return estimate(item["encrypted_content"])
        case _:
            return _content(item["content"])


def _content(content: Any) -> int:
    if isinstance(content, str):
        return estimate(content)
    return sum(estimate(part.get("text") or part.get("refusal") or "") for part in content)


def estimate(text: str) -> int:
    """What a text costs whose pieces do not matter."""
    return -(-len(text.encode()) // _BYTES_PER_TOKEN)

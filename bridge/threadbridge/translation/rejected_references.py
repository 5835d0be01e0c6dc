"""References in a request that the service cannot use: images, files and vector stores that are gone or never were.

The history of a thread refers to things that live elsewhere. When one of them is gone, every later request with this
history would be rejected, so the reference is replaced by a note that the model can read (§6).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias, cast

from threadbridge.api_types import CreateResponseBody, JsonMapping, JsonObject, is_json_list, is_json_object

ReferenceKind: TypeAlias = Literal["image", "file", "vector_store", "reasoning"]

#: The value that stands for all reasoning items of a request, which have no ids (§2).
REASONING = "reasoning"
#: Characters of a reference that a note or a warning quotes: a URL may be an image of many megabytes.
_MAX_QUOTED_CHARACTERS = 100
#: The shortest reference that is recognised in the text of an error.
_MIN_NAMED_CHARACTERS = 6

_ITEM_PATH = re.compile(r"input\[(\d+)\](?:\.(?:content|output)\[(\d+)\])?")
#: The things that an error without a name is about, and the words that say that they cannot be used.
_KIND_WORDS: tuple[tuple[ReferenceKind, re.Pattern[str]], ...] = (
    ("image", re.compile(r"\bimages?\b|image_url|input_image", re.IGNORECASE)),
    ("vector_store", re.compile(r"\bvector[ _]stores?\b", re.IGNORECASE)),
    ("reasoning", re.compile(r"\breasoning\b|encrypted[ _]content", re.IGNORECASE)),
    ("file", re.compile(r"\bfiles?\b|file_id|input_file", re.IGNORECASE)),
)
_UNUSABLE_WORDS = re.compile(
    r"not found|no such|not exist|expired|deleted|download|fetch|retriev|could not|cannot|can't|unable|failed"
    r"|invalid|not a valid|unsupported|not supported|verif|decrypt|without its required|provided without",
    re.IGNORECASE,
)


_TEMPORARY_WORDS = re.compile(r"time[sd]?[ -]?out|tempora|\b(429|5\d\d)\b|try again|rate limit", re.IGNORECASE)


class Reference(NamedTuple):
    """Something outside of the request, by its id or its URL."""

    kind: ReferenceKind
    value: str


def list_references(body: JsonMapping) -> Sequence[Reference]:
    """The references of a request, each once."""
    return list(dict.fromkeys(reference for _, _, reference in _iterate_references(body)))


def find_rejected_references(message: str, param: str | None, body: JsonMapping) -> Sequence[Reference]:
    """The references that an error is about.

    It names them, or the place of the part that has one; an error that names neither is about all of a kind.
    """
    located = list(_iterate_references(body))
    named = [
        reference
        for _, _, reference in located
        if len(reference.value) >= _MIN_NAMED_CHARACTERS and reference.value in message and reference.kind != REASONING
    ]
    if named:
        return list(dict.fromkeys(named))
    path = _ITEM_PATH.search(param or "") or _ITEM_PATH.search(message)
    if path is not None:
        item, part = int(path[1]), None if path[2] is None else int(path[2])
        at_path = [reference for at_item, at_part, reference in located if at_item == item and part in (None, at_part)]
        if at_path:
            return list(dict.fromkeys(at_path))
    if not _UNUSABLE_WORDS.search(message):
        return []
    for kind, words in _KIND_WORDS:
        found = [reference for _, _, reference in located if reference.kind == kind]
        if found and words.search(f"{message} {param or ''}"):
            return list(dict.fromkeys(found))
    return []


def is_temporary(message: str) -> bool:
    """Whether an error about a reference may not be there the next time."""
    return _TEMPORARY_WORDS.search(message) is not None


def replace_references(
    body: CreateResponseBody, rejected: Collection[Reference]
) -> tuple[CreateResponseBody, Sequence[str]]:
    """The request without the rejected references, and a warning for each that it had."""
    found = [reference for reference in list_references(body) if reference in rejected]
    if not found:
        return body, []
    fields = cast("JsonMapping", body)
    leaves_out_reasoning = any(reference.kind == "reasoning" for reference in found)
    items: list[JsonMapping] = []
    for item in fields["input"]:
        if item.get("type") == "reasoning" and leaves_out_reasoning:
            continue
        name = "output" if item.get("type") == "function_call_output" else "content"
        parts = item.get(name)
        if is_json_list(parts) and any(_get_part_reference(part) in rejected for part in parts):
            items.append({**item, name: [_replace_part(part, rejected) for part in parts]})
        else:
            items.append(item)
    replaced: JsonObject = {**fields, "input": items}
    if "tools" in replaced:
        _replace_tools(replaced, rejected)
    return cast("CreateResponseBody", replaced), [_format_warning(reference) for reference in found]


def _iterate_references(body: JsonMapping) -> Iterator[tuple[int | None, int | None, Reference]]:
    """Each reference with the position of its item and its part."""
    for position, item in enumerate(body.get("input", ())):
        if item.get("type") == "reasoning":
            yield position, None, Reference("reasoning", REASONING)
        for name in ("content", "output"):
            parts = item.get(name)
            for at_part, part in enumerate(parts if is_json_list(parts) else ()):
                reference = _get_part_reference(part)
                if reference is not None:
                    yield position, at_part, reference
    for tool in body.get("tools", ()):
        for vector_store_id in tool.get("vector_store_ids", ()):
            yield None, None, Reference("vector_store", vector_store_id)
        container = tool.get("container")
        for file_id in container.get("file_ids", ()) if is_json_object(container) else ():
            yield None, None, Reference("file", file_id)


_PART_FIELDS: Mapping[str, tuple[ReferenceKind, str, str]] = {
    "input_image": ("image", "file_id", "image_url"),
    "input_file": ("file", "file_id", "file_url"),
}


def _get_part_reference(part: JsonMapping) -> Reference | None:
    fields = _PART_FIELDS.get(part.get("type", ""))
    if fields is None:
        return None
    kind, first, second = fields
    value = part.get(first) or part.get(second)
    return Reference(kind, value) if isinstance(value, str) else None


def _replace_part(part: JsonMapping, rejected: Collection[Reference]) -> JsonMapping:
    reference = _get_part_reference(part)
    if reference is None or reference not in rejected:
        return part
    return {"type": "input_text", "text": f"[{_describe(reference)} is not available]"}


def _replace_tools(body: JsonObject, rejected: Collection[Reference]) -> None:
    """Leave out rejected vector stores and files, and a search that has no store left."""
    tools: list[JsonMapping] = []
    for tool in body["tools"]:
        container = tool.get("container")
        if "vector_store_ids" in tool:
            remaining = [each for each in tool["vector_store_ids"] if Reference("vector_store", each) not in rejected]
            if remaining:
                tools.append({**tool, "vector_store_ids": remaining})
        elif is_json_object(container) and "file_ids" in container:
            remaining = [each for each in container["file_ids"] if Reference("file", each) not in rejected]
            tools.append({**tool, "container": {**container, "file_ids": remaining}})
        else:
            tools.append(tool)
    body["tools"] = tools
    choice = body.get("tool_choice")
    if not tools:
        del body["tools"]
        body.pop("tool_choice", None)
    elif is_json_object(choice) and not any(tool["type"] == choice.get("type") for tool in tools):
        body["tool_choice"] = "auto"


def _describe(reference: Reference) -> str:
    noun = {"image": "The image", "file": "The file", "vector_store": "The vector store", "reasoning": "The reasoning"}
    value = reference.value
    if reference.kind == "reasoning" or value.startswith("data:"):
        return noun[reference.kind]
    short = value if len(value) <= _MAX_QUOTED_CHARACTERS else f"{value[:_MAX_QUOTED_CHARACTERS]}..."
    return f"{noun[reference.kind]} {short}"


def _format_warning(reference: Reference) -> str:
    if reference.kind == "reasoning":
        return "The service rejected the reasoning of earlier turns; it was left out."
    return f"{_describe(reference)} cannot be used by the service; a note tells the model that it is not available."

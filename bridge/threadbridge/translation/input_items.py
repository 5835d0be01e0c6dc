"""A thread's timeline as the input of a response (§6, §9). Requests are stateless: no item has an ID."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import cast

from threadbridge.api_types import (
    InputContentPart,
    InputItem,
    InputMessageItem,
    JsonMapping,
    JsonObject,
    MessageObject,
    OutputContentPart,
    OutputMessageItem,
    RunObject,
    is_json_list,
)
from threadbridge.ports import Entry
from threadbridge.translation.citations import strip_markers
from threadbridge.translation.continuation import Continuation
from threadbridge.translation.function_calls import EMPTY_ARGUMENTS
from threadbridge.translation.hosted_tools.registry import find_by_item_type

#: Fields that only returned items have; with `store: false` their IDs resolve to nothing (§9).
_OUTPUT_ONLY_FIELDS = frozenset({"id", "status", "created_by"})


def strip_to_model_input(entry: Entry) -> Entry:
    """The entry reduced to what becomes model input.

    A turn holds its history in memory until it ends. The unused fields of a thousand messages would cost more in
    garbage collection alone than the rest of the turn.
    """
    if entry.message is None:
        return entry
    return Entry(item=entry.item or _convert_message(entry.message), run_id=entry.run_id)


def build_input_items(
    run: RunObject,
    timeline: Sequence[Entry],
    *,
    container_id: str | None = None,
    continuation: Continuation | None = None,
    include_compactions: bool = False,
) -> list[InputItem]:
    """The input of the next response: the whole thread, or what the service does not have yet.

    Earlier runs contribute messages and the function calls that have outputs; this run also its reasoning and its
    hosted calls. The upstream rejects a call without output, an output without call, reasoning without the item it
    led to, and code that ran in another container than `container_id`. Compactions are included only where the
    service continues from them.
    """
    answered_calls = _find_answered_calls(timeline, continuation)
    items: list[InputItem] = []
    reasoning: list[InputItem] = []  # not sent before the item it led to
    for entry in timeline:
        kind = None if entry.item is None else entry.item["type"]
        tool = None if kind is None else find_by_item_type(kind)
        if tool is not None and entry.item is not None and not tool.is_replayable(entry.item, container_id):
            reasoning = []
            continue
        if kind == "compaction" and not include_compactions:
            continue
        item = _build_input_item(entry, run["id"], answered_calls)
        if item is None:
            reasoning = [] if kind in _FUNCTION_ITEM_TYPES else reasoning
            continue
        if item["type"] == "reasoning":
            reasoning.append(item)
            continue
        if reasoning and item["type"] != "function_call_output" and not _is_from_user(item):
            items += reasoning
        reasoning = []
        items.append(item)
    continues_upstream = continuation is not None and continuation.point is not None
    if not items and not continues_upstream:  # an empty input is rejected
        items.append({"type": "message", "role": "user", "content": [{"type": "input_text", "text": ""}]})
    return items


_FUNCTION_ITEM_TYPES = frozenset({"function_call", "function_call_output"})


def _find_answered_calls(
    timeline: Sequence[Entry], continuation: Continuation | None
) -> AbstractSet[tuple[str | None, str]]:
    """The calls that have outputs, the open calls of a continuation included.

    Call IDs are paired with their run, since some servers reuse them.
    """
    calls = set(continuation.open_calls if continuation is not None else ())
    answered_calls: set[tuple[str | None, str]] = set()
    for entry in timeline:
        item = entry.item
        if item is None or entry.message is not None:
            continue
        if item["type"] == "function_call":
            calls.add((entry.run_id, item["call_id"]))
        elif item["type"] == "function_call_output":
            answered_calls.add((entry.run_id, item["call_id"]))
    return calls & answered_calls


def _build_input_item(
    entry: Entry, run_id: str, answered_calls: AbstractSet[tuple[str | None, str]]
) -> InputItem | None:
    """The entry as the run sends it; None for an entry that it does not send."""
    item: InputItem | None = entry.item
    if item is None:
        return _convert_message(entry.message) if entry.message is not None else None
    if item["type"] == "function_call" or item["type"] == "function_call_output":
        if (entry.run_id, item["call_id"]) not in answered_calls:
            return None
        call = _strip_output_only_fields(item)
        if item["type"] == "function_call" and not item["arguments"].strip():
            call["arguments"] = EMPTY_ARGUMENTS  # strict services reject the empty text of imported calls
        return cast("InputItem", call)
    if item["type"] == "message":
        return item if item["role"] != "assistant" else _build_replayed_message(item)
    if item["type"] == "compaction":
        # Stands for everything before it, whichever run wrote it (§11).
        return cast("InputItem", _strip_output_only_fields(item))
    if entry.run_id != run_id:
        return None
    if item["type"] == "reasoning":
        # Sent back encrypted or not at all: a service that stored nothing does not know its ID (§9).
        encrypted = item.get("encrypted_content")
        if not encrypted:
            return None
        return {"type": "reasoning", "summary": item.get("summary") or [], "encrypted_content": encrypted}
    return item  # a hosted tool's item of this run: the service knows it by its ID


def _is_from_user(item: JsonMapping) -> bool:
    return bool(item.get("role") == "user")


def _strip_output_only_fields(item: JsonMapping) -> JsonObject:
    return {name: value for name, value in item.items() if name not in _OUTPUT_ONLY_FIELDS and value is not None}


def _build_replayed_message(item: OutputMessageItem) -> InputItem:
    """An assistant's message word for word, including `phase` (§6); annotations and logprobs are not sent back."""
    content: list[OutputContentPart] = []
    for part in item.get("content") or ():
        if part["type"] == "output_text":
            content.append({"type": "output_text", "text": part["text"]})
        elif part["type"] == "refusal":
            content.append({"type": "refusal", "refusal": part["refusal"]})
    content = content or [{"type": "output_text", "text": ""}]
    return cast("OutputMessageItem", {**_strip_output_only_fields(item), "content": content})


# -- Messages. An empty list of parts is rejected (§6) -------------------------------------------------------------


def _convert_message(message: MessageObject) -> InputItem:
    """A message as input. An assistant's can only contain text: an image is replaced by its name (§6, G11)."""
    if message["role"] == "assistant":
        output: list[OutputContentPart] = []
        for part in message["content"]:
            if part["type"] == "text":
                output.append({"type": "output_text", "text": strip_markers(part["text"]["value"])})
            elif part["type"] == "refusal":
                output.append({"type": "refusal", "refusal": part["refusal"]})
            elif part["type"] == "image_url":
                output.append({"type": "output_text", "text": f"[image {part['image_url']['url']}]"})
            elif part["type"] == "image_file":
                output.append({"type": "output_text", "text": f"[image {part['image_file']['file_id']}]"})
        return {"type": "message", "role": "assistant", "content": output or [{"type": "output_text", "text": ""}]}
    content: list[InputContentPart] = []
    for part in message["content"]:
        if part["type"] == "text":
            content.append({"type": "input_text", "text": part["text"]["value"]})
        elif part["type"] == "refusal":
            content.append({"type": "input_text", "text": part["refusal"]})
        elif part["type"] == "image_url":
            image = part["image_url"]
            content.append({"type": "input_image", "image_url": image["url"], "detail": image.get("detail") or "auto"})
        elif part["type"] == "image_file":
            file = part["image_file"]
            content.append({"type": "input_image", "file_id": file["file_id"], "detail": file.get("detail") or "auto"})
    return {"type": "message", "role": "user", "content": content or [{"type": "input_text", "text": ""}]}


# -- JSON mode: a service requires the word in a message of the input ----------------------------------------------


def mentions_json(items: Sequence[InputItem]) -> bool:
    """Whether a message to the model contains the word JSON, without which `json_object` is rejected (§5)."""
    return any(
        part["type"] == "input_text" and "json" in part["text"].lower()
        for item in items
        if item["type"] == "message" and item["role"] != "assistant"
        for part in item["content"]
    )


def build_json_notice() -> InputMessageItem:
    """The shortest message with the word; no thread shows it."""
    return {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Answer in JSON."}]}


# -- Images that code made: the service does not know them by the IDs they have here (A37) -------------------------


def collect_image_file_ids(items: Sequence[InputItem]) -> frozenset[str]:
    """The IDs of the files that user messages show."""
    ids: set[str] = set()
    for item in items:
        if item["type"] != "message" or item["role"] != "user" or not is_json_list(item["content"]):
            continue
        for part in item["content"]:
            file_id = part.get("file_id") if part["type"] == "input_image" else None
            if file_id:
                ids.add(file_id)
    return frozenset(ids)


def inline_images(items: Sequence[InputItem], urls: Mapping[str, str]) -> list[InputItem]:
    """The items with the data URLs of these files instead of their IDs."""
    inlined: list[InputItem] = []
    for item in items:
        if item["type"] != "message" or item["role"] != "user" or not collect_image_file_ids([item]) & urls.keys():
            inlined.append(item)
            continue
        content: list[InputContentPart] = []
        for part in item["content"]:
            url = urls.get(part.get("file_id") or "") if part["type"] == "input_image" else None
            if url is None or part["type"] != "input_image":
                content.append(part)
            else:
                content.append({"type": "input_image", "image_url": url, "detail": part.get("detail", "auto")})
        inlined.append({**item, "content": content})
    return inlined

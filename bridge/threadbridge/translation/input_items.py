"""A thread's timeline as the input of a response (§6, §9). Requests are stateless: no item bears an id."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from threadbridge.ports import Entry, Wire
from threadbridge.translation.citations import strip_markers
from threadbridge.translation.continuation import Continuation
from threadbridge.translation.hosted_tools.registry import find_by_item_type

#: Fields that only returned items have; with `store: false` their IDs resolve to nothing (§9).
_OUTPUT_ONLY_FIELDS = frozenset({"id", "status", "created_by"})

#: The text field of each output part; annotations and logprobs are not sent back.
_OUTPUT_TEXT_FIELDS: Mapping[str, str] = {"output_text": "text", "refusal": "refusal"}


def strip_to_model_input(entry: Entry) -> Entry:
    """The entry reduced to what becomes model input.

    A turn holds its history until it ends. The unused fields of a thousand messages would cost more in garbage
    collection alone than the rest of the turn.
    """
    if entry.message is None:
        return entry
    return Entry(item=entry.item or _convert_message(entry.message), run_id=entry.run_id)


def build_input_items(
    run: Wire,
    timeline: Sequence[Entry],
    *,
    container_id: str | None = None,
    continuation: Continuation | None = None,
    include_compactions: bool = False,
) -> list[Wire]:
    """The input of the next response: the whole thread, or what the service does not have yet.

    Earlier runs contribute messages and the function calls that have outputs; this run also its reasoning and its
    hosted calls. The upstream rejects a call without output, an output without call, reasoning without the item it
    led to, and code that ran in another container than `container_id`. Compactions are included only where the
    service continues from them.
    """
    answered_calls = _find_answered_calls(
        timeline, continuation.open_calls if continuation is not None else frozenset()
    )
    items: list[Wire] = []
    reasoning: list[Wire] = []  # waits for the item it led to
    for entry in timeline:
        if not _is_replayable(entry.item, container_id):
            reasoning = []
            continue
        if not include_compactions and _is_compaction(entry.item):
            continue
        item = _build_input_item(entry, run["id"], answered_calls)
        if item is None:
            reasoning = [] if _is_function_item(entry.item) else reasoning
            continue
        if item["type"] == "reasoning":
            reasoning.append(item)
            continue
        if reasoning and item["type"] != "function_call_output" and not _is_from_user(item):
            items += reasoning
        reasoning = []
        items.append(item)
    continues_upstream = continuation is not None and continuation.point is not None
    return items if items or continues_upstream else [_build_message_item("user", [])]


def _find_answered_calls(
    timeline: Sequence[Entry], open_calls: AbstractSet[tuple[str | None, str]]
) -> AbstractSet[tuple[str | None, str]]:
    """The calls that have outputs, the open calls of a continuation included.

    Call IDs are paired with their run, since some servers reuse them.
    """
    calls = set(open_calls)
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


def _build_input_item(entry: Entry, run_id: str, answered_calls: AbstractSet[tuple[str | None, str]]) -> Wire | None:
    item: Wire | None = entry.item
    if item is None:
        return _convert_message(entry.message) if entry.message is not None else None
    kind = item["type"]
    if _is_function_item(item):
        return _strip_output_only_fields(item) if (entry.run_id, item["call_id"]) in answered_calls else None
    if kind == "message":
        return item if _is_from_user(item) else _build_replayed_message(item)
    if _is_compaction(item):
        return _strip_output_only_fields(item)  # stands for everything before it, of whatever run (§11)
    if entry.run_id != run_id:
        return None
    if kind == "reasoning":
        return _build_replayed_reasoning(item)
    return item  # a hosted tool's item of this run: the service knows it by its id


def _is_replayable(item: Wire | None, container_id: str | None) -> bool:
    tool = None if item is None else find_by_item_type(item["type"])
    return item is None or tool is None or tool.is_replayable(item, container_id)


_FUNCTION_ITEM_TYPES = frozenset({"function_call", "function_call_output"})


def _is_function_item(item: Wire | None) -> bool:
    return item is not None and item["type"] in _FUNCTION_ITEM_TYPES


def _is_compaction(item: Wire | None) -> bool:
    return item is not None and item["type"] == "compaction"


def _is_from_user(item: Wire) -> bool:
    return bool(item.get("role") == "user")


# -- Raw items -----------------------------------------------------------------------------------------------------


def _strip_output_only_fields(item: Wire) -> Wire:
    return {name: value for name, value in item.items() if name not in _OUTPUT_ONLY_FIELDS and value is not None}


def _build_replayed_message(item: Wire) -> Wire:
    """An assistant's message word for word, `phase` and all (§6)."""
    content = [
        {"type": kind, _OUTPUT_TEXT_FIELDS[kind]: part[_OUTPUT_TEXT_FIELDS[kind]]}
        for part in item.get("content") or ()
        if (kind := part["type"]) in _OUTPUT_TEXT_FIELDS
    ]
    return {**_strip_output_only_fields(item), "content": content or [_build_text_part("assistant", "")]}


def _build_replayed_reasoning(item: Wire) -> Wire | None:
    """Reasoning is sent back encrypted or not at all: a service that stored nothing does not know its ID (§9)."""
    encrypted = item.get("encrypted_content")
    if not encrypted:
        return None
    return {"type": "reasoning", "summary": item.get("summary") or [], "encrypted_content": encrypted}


# -- Messages ------------------------------------------------------------------------------------------------------


def _convert_message(message: Wire) -> Wire:
    role = message["role"]
    return _build_message_item(
        role,
        [_PART_CONVERTERS[part["type"]](role, part) for part in message["content"] if part["type"] in _PART_CONVERTERS],
    )


def _build_message_item(role: str, content: list[Wire]) -> Wire:
    # An empty list of parts is refused (§6).
    return {"type": "message", "role": role, "content": content or [_build_text_part(role, "")]}


def _build_text_part(role: str, text: str) -> Wire:
    return {"type": "output_text" if role == "assistant" else "input_text", "text": text}


def _convert_text(role: str, part: Wire) -> Wire:
    text = part["text"]["value"]
    return _build_text_part(role, strip_markers(text) if role == "assistant" else text)


def _convert_refusal(role: str, part: Wire) -> Wire:
    if role == "assistant":
        return {"type": "refusal", "refusal": part["refusal"]}
    return _build_text_part(role, part["refusal"])


def _convert_image_url(role: str, part: Wire) -> Wire:
    image = part["image_url"]
    if role == "assistant":  # an assistant's message can only contain text (§6, G11)
        return _build_text_part(role, f"[image {image['url']}]")
    return {"type": "input_image", "image_url": image["url"], "detail": image.get("detail") or "auto"}


def _convert_image_file(role: str, part: Wire) -> Wire:
    image = part["image_file"]
    if role == "assistant":
        return _build_text_part(role, f"[image {image['file_id']}]")
    return {"type": "input_image", "file_id": image["file_id"], "detail": image.get("detail") or "auto"}


_PART_CONVERTERS: Mapping[str, Callable[[str, Wire], Wire]] = {
    "text": _convert_text,
    "refusal": _convert_refusal,
    "image_url": _convert_image_url,
    "image_file": _convert_image_file,
}


# -- Images that code made: the service does not know them by our IDs (A37) ----------------------------------------


def collect_image_file_ids(items: Sequence[Wire]) -> frozenset[str]:
    """The IDs of the files that user messages show."""
    return frozenset(
        part["file_id"]
        for item in items
        if item.get("role") == "user" and isinstance(item["content"], list)
        for part in item["content"]
        if part["type"] == "input_image" and part.get("file_id")
    )


def inline_images(items: Sequence[Wire], urls: Mapping[str, str]) -> list[Wire]:
    """The items with the data URLs of these files instead of their IDs."""
    return [_inline_item(item, urls) if collect_image_file_ids([item]) & urls.keys() else item for item in items]


def _inline_item(item: Wire, urls: Mapping[str, str]) -> Wire:
    return {**item, "content": [_inline_part(part, urls) for part in item["content"]]}


def _inline_part(part: Wire, urls: Mapping[str, str]) -> Wire:
    url = urls.get(part.get("file_id") or "")
    return part if url is None else {"type": "input_image", "image_url": url, "detail": part["detail"]}

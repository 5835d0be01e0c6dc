"""A thread's timeline as the input of a response (§6, §9). Requests are stateless: no item bears an id."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from threadbridge.context_window.upstream_continuation import Continuation
from threadbridge.ports import Entry, Wire
from threadbridge.translation.citations import without_markers

#: What the service adds to an item it returns; with `store: false` ids lead nowhere (§9).
_RETURNED_ONLY = frozenset({"id", "status", "created_by"})

#: The words of an output part; annotations and logprobs are not sent back.
_OUTPUT_WORDS: Mapping[str, str] = {"output_text": "text", "refusal": "refusal"}


def as_told(entry: Entry) -> Entry:
    """The entry without what no model is told of it.

    A turn keeps its history until it is over. Of a thousand messages the objects that say nothing to the model would
    cost more, in the searches for garbage alone, than all the rest of the turn.
    """
    if entry.message is None:
        return entry
    return Entry(item=entry.item or _of_message(entry.message), run_id=entry.run_id)


def input_items(
    run: Wire,
    timeline: Sequence[Entry],
    *,
    container: str | None = None,
    continuation: Continuation | None = None,
    compacted: bool = False,
) -> list[Wire]:
    """Everything the model is told of the thread, or what it is told beyond what the service has kept.

    Of earlier runs the messages, and the function calls whose outputs are there; of this run also its reasoning. A
    call without output, an output without call, and reasoning without what it led to would be refused upstream, and so
    would code that ran in another container than `container`, where code runs from now on. Compactions are told only
    where the service goes on with them: `compacted`.
    """
    answered = _answered(timeline, continuation.open_calls if continuation is not None else frozenset())
    items: list[Wire] = []
    reasoning: list[Wire] = []  # waits for the item it led to
    for entry in timeline:
        if _ran_elsewhere(entry.item, container):
            reasoning = []
            continue
        if not compacted and _is_compaction(entry.item):
            continue
        item = _input_item(entry, run["id"], answered)
        if item is None:
            reasoning = [] if _is_paired(entry.item) else reasoning
            continue
        if item["type"] == "reasoning":
            reasoning.append(item)
            continue
        if reasoning and item["type"] != "function_call_output" and not _from_user(item):
            items += reasoning
        reasoning = []
        items.append(item)
    goes_on = continuation is not None and continuation.anchor is not None
    return items if items or goes_on else [_message("user", [])]


def _answered(
    timeline: Sequence[Entry], open_calls: AbstractSet[tuple[str | None, str]]
) -> AbstractSet[tuple[str | None, str]]:
    """The calls that can be replayed with their outputs, and the open ones whose outputs the service waits for.

    Call ids are told apart by run: some servers reuse them.
    """
    calls = set(open_calls)
    both: set[tuple[str | None, str]] = set()
    for entry in timeline:
        item = entry.item
        if item is None or entry.message is not None:
            continue
        if item["type"] == "function_call":
            calls.add((entry.run_id, item["call_id"]))
        elif item["type"] == "function_call_output":
            both.add((entry.run_id, item["call_id"]))
    return calls & both


def _input_item(entry: Entry, run_id: str, answered: AbstractSet[tuple[str | None, str]]) -> Wire | None:
    item = entry.item
    if item is None:
        return _of_message(entry.message) if entry.message is not None else None
    kind = item["type"]
    if _is_paired(item):
        return _sent(item) if (entry.run_id, item["call_id"]) in answered else None
    if kind == "message":
        return item if _from_user(item) else _sent_message(item)
    if _is_compaction(item):
        return _sent(item)  # stands for everything before it, of whatever run (§11)
    if entry.run_id != run_id:
        return None
    if kind == "reasoning":
        return _sent_reasoning(item)
    return item  # a hosted tool's item of this run: the service knows it by its id


def _ran_elsewhere(item: Wire | None, container: str | None) -> bool:
    if container is None or item is None or item["type"] != "code_interpreter_call":
        return False
    return item.get("container_id") not in (None, container)


_PAIRED = frozenset({"function_call", "function_call_output"})


def _is_paired(item: Wire | None) -> bool:
    return item is not None and item["type"] in _PAIRED


def _is_compaction(item: Wire | None) -> bool:
    return item is not None and item["type"] == "compaction"


def _from_user(item: Wire) -> bool:
    return item.get("role") == "user"


# -- Raw items -----------------------------------------------------------------------------------------------------


def _sent(item: Wire) -> Wire:
    return {name: value for name, value in item.items() if name not in _RETURNED_ONLY and value is not None}


def _sent_message(item: Wire) -> Wire:
    """An assistant's message word for word, `phase` and all (§6)."""
    content = [
        {"type": kind, _OUTPUT_WORDS[kind]: part[_OUTPUT_WORDS[kind]]}
        for part in item.get("content") or ()
        if (kind := part["type"]) in _OUTPUT_WORDS
    ]
    return {**_sent(item), "content": content or [_words("assistant", "")]}


def _sent_reasoning(item: Wire) -> Wire | None:
    """Reasoning can only be sent back encrypted: its id means nothing to a service that stored nothing (§9)."""
    encrypted = item.get("encrypted_content")
    if not encrypted:
        return None
    return {"type": "reasoning", "summary": item.get("summary") or [], "encrypted_content": encrypted}


# -- Messages ------------------------------------------------------------------------------------------------------


def _of_message(message: Wire) -> Wire:
    role = message["role"]
    return _message(role, [_PARTS[part["type"]](role, part) for part in message["content"] if part["type"] in _PARTS])


def _message(role: str, content: list[Wire]) -> Wire:
    # An empty list of parts is refused (§6).
    return {"type": "message", "role": role, "content": content or [_words(role, "")]}


def _words(role: str, text: str) -> Wire:
    return {"type": "output_text" if role == "assistant" else "input_text", "text": text}


def _text(role: str, part: Wire) -> Wire:
    text = part["text"]["value"]
    return _words(role, without_markers(text) if role == "assistant" else text)


def _refusal(role: str, part: Wire) -> Wire:
    if role == "assistant":
        return {"type": "refusal", "refusal": part["refusal"]}
    return _words(role, part["refusal"])


def _image_url(role: str, part: Wire) -> Wire:
    image = part["image_url"]
    if role == "assistant":  # an assistant's message takes words only (§6, G11)
        return _words(role, f"[image {image['url']}]")
    return {"type": "input_image", "image_url": image["url"], "detail": image.get("detail") or "auto"}


def _image_file(role: str, part: Wire) -> Wire:
    image = part["image_file"]
    if role == "assistant":
        return _words(role, f"[image {image['file_id']}]")
    return {"type": "input_image", "file_id": image["file_id"], "detail": image.get("detail") or "auto"}


_PARTS: Mapping[str, Callable[[str, Wire], Wire]] = {
    "text": _text,
    "refusal": _refusal,
    "image_url": _image_url,
    "image_file": _image_file,
}

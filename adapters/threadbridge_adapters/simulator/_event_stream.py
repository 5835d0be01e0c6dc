"""A finished response told as the events of its stream: types, keys, order and numbers as recorded.

Both faces of a response come from one value, so a streamed and a plain request can never disagree.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from threadbridge.ports import Wire
from threadbridge_adapters.simulator._tokens import argument_pieces, words

#: An event that still lacks its number; the key holds the place it has in recordings.
_Unnumbered: TypeAlias = Wire
_LATER = -1

_BLOCK = 16  # deltas are padded to a multiple of it (recorded)
_PADDING = "aB3dE5fG7hJ9kL2mN4pQ6rS8tU1vW0xY" * 2
#: Failures that are announced by an `error` event of their own (recorded for this one).
_ANNOUNCED = frozenset({"insufficient_quota"})


def narrate(start: Wire, end: Wire, *, obfuscated: bool = True) -> Iterator[Wire]:
    """Every event from `response.created` to the terminal one; `start` is the response before anything happened."""
    for number, event in enumerate(_tell(start, end, obfuscated=obfuscated)):
        event["sequence_number"] = number
        yield event


def _tell(start: Wire, end: Wire, *, obfuscated: bool) -> Iterator[_Unnumbered]:
    if start["background"]:
        queued = {**start, "status": "queued"}
        yield {"type": "response.created", "response": queued, "sequence_number": _LATER}
        yield {"type": "response.queued", "response": queued, "sequence_number": _LATER}
    else:
        yield {"type": "response.created", "response": start, "sequence_number": _LATER}
    yield {"type": "response.in_progress", "response": start, "sequence_number": _LATER}
    last = len(end["output"]) - 1
    for index, item in enumerate(end["output"]):
        yield from _tell_item(index, item, obfuscated=obfuscated, broken=end["status"] == "failed" and index == last)
    error = end["error"]
    if error is not None and error["code"] in _ANNOUNCED:
        shown = {"type": error["code"], "code": error["code"], "message": error["message"], "param": None}
        yield {"type": "error", "error": shown, "sequence_number": _LATER}
    yield {"type": f"response.{end['status']}", "response": end, "sequence_number": _LATER}


def _tell_item(index: int, item: Wire, *, obfuscated: bool, broken: bool) -> Iterator[_Unnumbered]:
    """One output item, from added to done; of the one a failure interrupted, only what was said."""
    added, done = "response.output_item.added", "response.output_item.done"
    yield {"type": added, "item": _opened(item), "output_index": index, "sequence_number": _LATER}
    broken = broken and item.get("status") == "incomplete"
    for event in _INSIDE[item["type"]](index, item, obfuscated):
        if broken and event["type"].endswith(".done"):
            return
        yield event
    yield {"type": done, "item": item, "output_index": index, "sequence_number": _LATER}


def _opened(item: Wire) -> Wire:
    match item["type"]:
        case "message":
            return {**item, "status": "in_progress", "content": []}
        case "function_call":
            return {**item, "status": "in_progress", "arguments": ""}
        case "file_search_call":
            return {**item, "status": "in_progress", "queries": [], "results": None}
        case "code_interpreter_call":
            nothing: Wire = {"outputs": None if item["outputs"] is None else []}
            return {**item, "status": "in_progress", "code": "", **nothing}
        case "compaction":
            return item
        case _:
            return {**item, "summary": []}


def _tell_message(index: int, item: Wire, obfuscated: bool) -> Iterator[_Unnumbered]:
    part = item["content"][0]
    if part["type"] == "refusal":
        yield _part("added", index, item["id"], {**part, "refusal": ""})
        yield from _refusal(index, item["id"], part["refusal"])
    else:
        yield _part("added", index, item["id"], {**part, "annotations": [], "text": ""})
        yield from _text(index, item["id"], part, obfuscated)
    yield _part("done", index, item["id"], part)


def _part(step: str, index: int, item_id: str, part: Wire) -> _Unnumbered:
    return {
        "type": f"response.content_part.{step}",
        "content_index": 0,
        "item_id": item_id,
        "output_index": index,
        "part": part,
        "sequence_number": _LATER,
    }


def _text(index: int, item_id: str, part: Wire, obfuscated: bool) -> Iterator[_Unnumbered]:
    for told in _told_text(part):
        if not isinstance(told, str):
            yield _annotation(index, item_id, *told)
            continue
        yield {
            "type": "response.output_text.delta",
            "content_index": 0,
            "delta": told,
            "item_id": item_id,
            "logprobs": [],
            **_pad(told, obfuscated),
            "output_index": index,
            "sequence_number": _LATER,
        }
    yield {
        "type": "response.output_text.done",
        "content_index": 0,
        "item_id": item_id,
        "logprobs": [],
        "output_index": index,
        "sequence_number": _LATER,
        "text": part["text"],
    }


def _told_text(part: Wire) -> Iterator[str | tuple[int, Wire]]:
    """The text in pieces, and its annotations with their numbers: a file citation as soon as the text before its index
    was told, others after the whole text (recorded).
    """
    numbered = list(enumerate(part["annotations"]))
    waiting = deque(pair for pair in numbered if pair[1]["type"] == "file_citation")
    end = 0
    for word in words(part["text"]):
        start, end = end, end + len(word)
        while waiting and waiting[0][1]["index"] < end:
            cut = waiting[0][1]["index"]
            if cut > start:
                yield part["text"][start:cut]
                start = cut
            yield waiting.popleft()
        yield part["text"][start:end]
    yield from waiting
    yield from (pair for pair in numbered if pair[1]["type"] != "file_citation")


def _annotation(index: int, item_id: str, number: int, annotation: Wire) -> _Unnumbered:
    return {
        "type": "response.output_text.annotation.added",
        "annotation": annotation,
        "annotation_index": number,
        "content_index": 0,
        "item_id": item_id,
        "output_index": index,
        "sequence_number": _LATER,
    }


def _refusal(index: int, item_id: str, text: str) -> Iterator[_Unnumbered]:
    """Refusals are not padded (recorded)."""
    for piece in words(text):
        yield {
            "type": "response.refusal.delta",
            "content_index": 0,
            "delta": piece,
            "item_id": item_id,
            "output_index": index,
            "sequence_number": _LATER,
        }
    yield {
        "type": "response.refusal.done",
        "content_index": 0,
        "item_id": item_id,
        "output_index": index,
        "refusal": text,
        "sequence_number": _LATER,
    }


def _tell_call(index: int, item: Wire, obfuscated: bool) -> Iterator[_Unnumbered]:
    for piece in argument_pieces(item["arguments"]):
        yield {
            "type": "response.function_call_arguments.delta",
            "delta": piece,
            "item_id": item["id"],
            **_pad(piece, obfuscated),
            "output_index": index,
            "sequence_number": _LATER,
        }
    yield {
        "type": "response.function_call_arguments.done",
        "arguments": item["arguments"],
        "item_id": item["id"],
        "output_index": index,
        "sequence_number": _LATER,
    }


def _tell_search(index: int, item: Wire, _obfuscated: bool) -> Iterator[_Unnumbered]:
    for step in ("in_progress", "searching", "completed"):
        yield _step(f"file_search_call.{step}", index, item)


def _tell_code(index: int, item: Wire, obfuscated: bool) -> Iterator[_Unnumbered]:
    yield _step("code_interpreter_call.in_progress", index, item)
    for piece in words(item["code"]):
        yield {
            "type": "response.code_interpreter_call_code.delta",
            "delta": piece,
            "item_id": item["id"],
            **_pad(piece, obfuscated),
            "output_index": index,
            "sequence_number": _LATER,
        }
    yield {
        "type": "response.code_interpreter_call_code.done",
        "code": item["code"],
        "item_id": item["id"],
        "output_index": index,
        "sequence_number": _LATER,
    }
    yield _step("code_interpreter_call.interpreting", index, item)
    yield _step("code_interpreter_call.completed", index, item)


def _step(kind: str, index: int, item: Wire) -> _Unnumbered:
    return {
        "type": f"response.{kind}",
        "item_id": item["id"],
        "output_index": index,
        "sequence_number": _LATER,
    }


def _tell_reasoning(index: int, item: Wire, obfuscated: bool) -> Iterator[_Unnumbered]:
    for number, part in enumerate(item["summary"]):
        yield _summary_part("added", index, item["id"], number, {**part, "text": ""})
        yield from _summary_text(index, item["id"], number, part["text"], obfuscated)
        yield _summary_part("done", index, item["id"], number, part)


def _summary_part(step: str, index: int, item_id: str, number: int, part: Wire) -> _Unnumbered:
    return {
        "type": f"response.reasoning_summary_part.{step}",
        "item_id": item_id,
        "output_index": index,
        "part": part,
        "sequence_number": _LATER,
        "summary_index": number,
    }


def _summary_text(index: int, item_id: str, number: int, text: str, obfuscated: bool) -> Iterator[_Unnumbered]:
    for piece in words(text):
        yield {
            "type": "response.reasoning_summary_text.delta",
            "delta": piece,
            "item_id": item_id,
            **_pad(piece, obfuscated),
            "output_index": index,
            "sequence_number": _LATER,
            "summary_index": number,
        }
    yield {
        "type": "response.reasoning_summary_text.done",
        "item_id": item_id,
        "output_index": index,
        "sequence_number": _LATER,
        "summary_index": number,
        "text": text,
    }


def _pad(piece: str, obfuscated: bool) -> Wire:
    return {"obfuscation": _PADDING[: _BLOCK - len(piece) % _BLOCK]} if obfuscated else {}


def _tell_nothing(_index: int, _item: Wire, _obfuscated: bool) -> Iterator[_Unnumbered]:
    yield from ()


_INSIDE: Mapping[str, Callable[[int, Wire, bool], Iterator[_Unnumbered]]] = {
    "message": _tell_message,
    "function_call": _tell_call,
    "reasoning": _tell_reasoning,
    "file_search_call": _tell_search,
    "code_interpreter_call": _tell_code,
    "compaction": _tell_nothing,
}

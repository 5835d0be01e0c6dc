"""A finished response told as the events of its stream: types, keys, order and numbers as recorded.

Both faces of a response come from one value, so a streamed and a plain request can never disagree.
"""

from __future__ import annotations

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
        case _:
            return {**item, "summary": []}


def _tell_message(index: int, item: Wire, obfuscated: bool) -> Iterator[_Unnumbered]:
    part = item["content"][0]
    field = "refusal" if part["type"] == "refusal" else "text"
    yield _part("added", index, item["id"], {**part, field: ""})
    yield from (_refusal if field == "refusal" else _text)(index, item["id"], part[field], obfuscated)
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


def _text(index: int, item_id: str, text: str, obfuscated: bool) -> Iterator[_Unnumbered]:
    for piece in words(text):
        yield {
            "type": "response.output_text.delta",
            "content_index": 0,
            "delta": piece,
            "item_id": item_id,
            "logprobs": [],
            **_pad(piece, obfuscated),
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
        "text": text,
    }


def _refusal(index: int, item_id: str, text: str, _obfuscated: bool) -> Iterator[_Unnumbered]:
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


_INSIDE: Mapping[str, Callable[[int, Wire, bool], Iterator[_Unnumbered]]] = {
    "message": _tell_message,
    "function_call": _tell_call,
    "reasoning": _tell_reasoning,
}

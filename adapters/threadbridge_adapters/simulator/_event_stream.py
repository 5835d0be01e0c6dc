"""The stream events of a finished response: types, keys, order and numbers as recorded.

The streamed and the plain form of a response come from the same value, so that they always agree.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from threadbridge.ports import Wire
from threadbridge_adapters.simulator._tokens import split_arguments, split_words

#: An event whose number is not set yet; the key is at its position in recordings.
_UnnumberedEvent: TypeAlias = Wire
_PLACEHOLDER_NUMBER = -1

_PADDING_BLOCK = 16  # deltas are padded to a multiple of it (recorded)
_PADDING = "aB3dE5fG7hJ9kL2mN4pQ6rS8tU1vW0xY" * 2
#: Failure codes that also have an `error` event (recorded for this one).
_CODES_WITH_ERROR_EVENT = frozenset({"insufficient_quota"})


def build_events(initial: Wire, final: Wire, *, obfuscated: bool = True) -> Iterator[Wire]:
    """All events from `response.created` to the terminal one; `start` is the response without output."""
    for number, event in enumerate(_build_unnumbered_events(initial, final, obfuscated=obfuscated)):
        event["sequence_number"] = number
        yield event


def _build_unnumbered_events(initial: Wire, final: Wire, *, obfuscated: bool) -> Iterator[_UnnumberedEvent]:
    if initial["background"]:
        queued = {**initial, "status": "queued"}
        yield {"type": "response.created", "response": queued, "sequence_number": _PLACEHOLDER_NUMBER}
        yield {"type": "response.queued", "response": queued, "sequence_number": _PLACEHOLDER_NUMBER}
    else:
        yield {"type": "response.created", "response": initial, "sequence_number": _PLACEHOLDER_NUMBER}
    yield {"type": "response.in_progress", "response": initial, "sequence_number": _PLACEHOLDER_NUMBER}
    last = len(final["output"]) - 1
    for index, item in enumerate(final["output"]):
        yield from _build_item_events(
            index, item, obfuscated=obfuscated, is_interrupted=final["status"] == "failed" and index == last
        )
    error = final["error"]
    if error is not None and error["code"] in _CODES_WITH_ERROR_EVENT:
        error_body = {"type": error["code"], "code": error["code"], "message": error["message"], "param": None}
        yield {"type": "error", "error": error_body, "sequence_number": _PLACEHOLDER_NUMBER}
    yield {"type": f"response.{final['status']}", "response": final, "sequence_number": _PLACEHOLDER_NUMBER}


def _build_item_events(index: int, item: Wire, *, obfuscated: bool, is_interrupted: bool) -> Iterator[_UnnumberedEvent]:
    """The events of one output item, from added to done; of an item interrupted by a failure, only its deltas."""
    added_type, done_type = "response.output_item.added", "response.output_item.done"
    yield {
        "type": added_type,
        "item": _make_added_item(item),
        "output_index": index,
        "sequence_number": _PLACEHOLDER_NUMBER,
    }
    is_interrupted = is_interrupted and item.get("status") == "incomplete"
    for event in _EVENT_BUILDERS[item["type"]](index, item, obfuscated):
        if is_interrupted and event["type"].endswith(".done"):
            return
        yield event
    yield {"type": done_type, "item": item, "output_index": index, "sequence_number": _PLACEHOLDER_NUMBER}


def _make_added_item(item: Wire) -> Wire:
    match item["type"]:
        case "message":
            return {**item, "status": "in_progress", "content": []}
        case "function_call":
            return {**item, "status": "in_progress", "arguments": ""}
        case "file_search_call":
            return {**item, "status": "in_progress", "queries": [], "results": None}
        case "code_interpreter_call":
            outputs: Wire = {"outputs": None if item["outputs"] is None else []}
            return {**item, "status": "in_progress", "code": "", **outputs}
        case "compaction":
            return item
        case _:
            return {**item, "summary": []}


def _build_message_events(index: int, item: Wire, obfuscated: bool) -> Iterator[_UnnumberedEvent]:
    part = item["content"][0]
    if part["type"] == "refusal":
        yield _build_part_event("added", index, item["id"], {**part, "refusal": ""})
        yield from _build_refusal_events(index, item["id"], part["refusal"])
    else:
        yield _build_part_event("added", index, item["id"], {**part, "annotations": [], "text": ""})
        yield from _build_text_events(index, item["id"], part, obfuscated)
    yield _build_part_event("done", index, item["id"], part)


def _build_part_event(step: str, index: int, item_id: str, part: Wire) -> _UnnumberedEvent:
    return {
        "type": f"response.content_part.{step}",
        "content_index": 0,
        "item_id": item_id,
        "output_index": index,
        "part": part,
        "sequence_number": _PLACEHOLDER_NUMBER,
    }


def _build_text_events(index: int, item_id: str, part: Wire, obfuscated: bool) -> Iterator[_UnnumberedEvent]:
    for piece in _interleave_annotations(part):
        if not isinstance(piece, str):
            yield _build_annotation_event(index, item_id, *piece)
            continue
        yield {
            "type": "response.output_text.delta",
            "content_index": 0,
            "delta": piece,
            "item_id": item_id,
            "logprobs": [],
            **_make_padding(piece, obfuscated),
            "output_index": index,
            "sequence_number": _PLACEHOLDER_NUMBER,
        }
    yield {
        "type": "response.output_text.done",
        "content_index": 0,
        "item_id": item_id,
        "logprobs": [],
        "output_index": index,
        "sequence_number": _PLACEHOLDER_NUMBER,
        "text": part["text"],
    }


def _interleave_annotations(part: Wire) -> Iterator[str | tuple[int, Wire]]:
    """The text deltas, and its annotations with their indexes: a file citation directly after the text before its
    index, others after the whole text (recorded).
    """
    numbered = list(enumerate(part["annotations"]))
    pending_citations = deque(pair for pair in numbered if pair[1]["type"] == "file_citation")
    end = 0
    for word in split_words(part["text"]):
        start, end = end, end + len(word)
        while pending_citations and pending_citations[0][1]["index"] < end:
            cut = pending_citations[0][1]["index"]
            if cut > start:
                yield part["text"][start:cut]
                start = cut
            yield pending_citations.popleft()
        yield part["text"][start:end]
    yield from pending_citations
    yield from (pair for pair in numbered if pair[1]["type"] != "file_citation")


def _build_annotation_event(index: int, item_id: str, number: int, annotation: Wire) -> _UnnumberedEvent:
    return {
        "type": "response.output_text.annotation.added",
        "annotation": annotation,
        "annotation_index": number,
        "content_index": 0,
        "item_id": item_id,
        "output_index": index,
        "sequence_number": _PLACEHOLDER_NUMBER,
    }


def _build_refusal_events(index: int, item_id: str, text: str) -> Iterator[_UnnumberedEvent]:
    """Refusals are not padded (recorded)."""
    for piece in split_words(text):
        yield {
            "type": "response.refusal.delta",
            "content_index": 0,
            "delta": piece,
            "item_id": item_id,
            "output_index": index,
            "sequence_number": _PLACEHOLDER_NUMBER,
        }
    yield {
        "type": "response.refusal.done",
        "content_index": 0,
        "item_id": item_id,
        "output_index": index,
        "refusal": text,
        "sequence_number": _PLACEHOLDER_NUMBER,
    }


def _build_function_call_events(index: int, item: Wire, obfuscated: bool) -> Iterator[_UnnumberedEvent]:
    for piece in split_arguments(item["arguments"]):
        yield {
            "type": "response.function_call_arguments.delta",
            "delta": piece,
            "item_id": item["id"],
            **_make_padding(piece, obfuscated),
            "output_index": index,
            "sequence_number": _PLACEHOLDER_NUMBER,
        }
    yield {
        "type": "response.function_call_arguments.done",
        "arguments": item["arguments"],
        "item_id": item["id"],
        "output_index": index,
        "sequence_number": _PLACEHOLDER_NUMBER,
    }


def _build_file_search_events(index: int, item: Wire, _obfuscated: bool) -> Iterator[_UnnumberedEvent]:
    for step in ("in_progress", "searching", "completed"):
        yield _build_progress_event(f"file_search_call.{step}", index, item)


def _build_code_interpreter_events(index: int, item: Wire, obfuscated: bool) -> Iterator[_UnnumberedEvent]:
    yield _build_progress_event("code_interpreter_call.in_progress", index, item)
    for piece in split_words(item["code"]):
        yield {
            "type": "response.code_interpreter_call_code.delta",
            "delta": piece,
            "item_id": item["id"],
            **_make_padding(piece, obfuscated),
            "output_index": index,
            "sequence_number": _PLACEHOLDER_NUMBER,
        }
    yield {
        "type": "response.code_interpreter_call_code.done",
        "code": item["code"],
        "item_id": item["id"],
        "output_index": index,
        "sequence_number": _PLACEHOLDER_NUMBER,
    }
    yield _build_progress_event("code_interpreter_call.interpreting", index, item)
    yield _build_progress_event("code_interpreter_call.completed", index, item)


def _build_progress_event(kind: str, index: int, item: Wire) -> _UnnumberedEvent:
    return {
        "type": f"response.{kind}",
        "item_id": item["id"],
        "output_index": index,
        "sequence_number": _PLACEHOLDER_NUMBER,
    }


def _build_reasoning_events(index: int, item: Wire, obfuscated: bool) -> Iterator[_UnnumberedEvent]:
    for number, part in enumerate(item["summary"]):
        yield _build_summary_part_event("added", index, item["id"], number, {**part, "text": ""})
        yield from _build_summary_text_events(index, item["id"], number, part["text"], obfuscated)
        yield _build_summary_part_event("done", index, item["id"], number, part)


def _build_summary_part_event(step: str, index: int, item_id: str, number: int, part: Wire) -> _UnnumberedEvent:
    return {
        "type": f"response.reasoning_summary_part.{step}",
        "item_id": item_id,
        "output_index": index,
        "part": part,
        "sequence_number": _PLACEHOLDER_NUMBER,
        "summary_index": number,
    }


def _build_summary_text_events(
    index: int, item_id: str, number: int, text: str, obfuscated: bool
) -> Iterator[_UnnumberedEvent]:
    for piece in split_words(text):
        yield {
            "type": "response.reasoning_summary_text.delta",
            "delta": piece,
            "item_id": item_id,
            **_make_padding(piece, obfuscated),
            "output_index": index,
            "sequence_number": _PLACEHOLDER_NUMBER,
            "summary_index": number,
        }
    yield {
        "type": "response.reasoning_summary_text.done",
        "item_id": item_id,
        "output_index": index,
        "sequence_number": _PLACEHOLDER_NUMBER,
        "summary_index": number,
        "text": text,
    }


def _make_padding(piece: str, obfuscated: bool) -> Wire:
    return {"obfuscation": _PADDING[: _PADDING_BLOCK - len(piece) % _PADDING_BLOCK]} if obfuscated else {}


def _build_no_events(_index: int, _item: Wire, _obfuscated: bool) -> Iterator[_UnnumberedEvent]:
    yield from ()


_EVENT_BUILDERS: Mapping[str, Callable[[int, Wire, bool], Iterator[_UnnumberedEvent]]] = {
    "message": _build_message_events,
    "function_call": _build_function_call_events,
    "reasoning": _build_reasoning_events,
    "file_search_call": _build_file_search_events,
    "code_interpreter_call": _build_code_interpreter_events,
    "compaction": _build_no_events,
}

"""The steps of a recorded run as the items of a response, and their streamed fragments as its events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tests.conformance.recorded_sessions.run_records import RunRecord
from threadbridge.api_types import JsonObject

_CONTAINER = "cntr_recorded"
_IMAGE_URL = "data:image/png;base64,iVBORw0KGgo="


class RecordedItem(NamedTuple):
    """An item, and the delta events between its first and last event."""

    item: JsonObject
    deltas: Sequence[JsonObject]


def make_items(run_record: RunRecord, step: JsonObject) -> Iterator[RecordedItem]:
    """The items of this step."""
    details = step["step_details"]
    if details["type"] == "message_creation":
        yield _make_message(run_record, details["message_creation"]["message_id"])
        return
    for index, call in enumerate(details["tool_calls"]):
        yield _CALL_READERS[call["type"]](call, run_record.fragments.get(f"{step.get('id')}#{index}", []))


def make_placeholder_message() -> RecordedItem:
    """A message that a run must have created and that was not recorded."""
    return RecordedItem(_make_message_item([_make_output_text("(The words were not recorded.)", [])], "completed"), [])


# -- Messages ----------------------------------------------------------------------------------------------------------


def _make_message(run_record: RunRecord, message_id: str) -> RecordedItem:
    message = run_record.messages.get(message_id)
    if message is None:
        return make_placeholder_message()
    image_annotations = [_make_image_annotation(part) for part in message["content"] if part["type"] == "image_file"]
    parts = [_PART_READERS[part["type"]](part) for part in message["content"] if part["type"] in _PART_READERS]
    if image_annotations and parts:
        parts[0] = {**parts[0], "annotations": [*image_annotations, *parts[0]["annotations"]]}
    status = "incomplete" if message.get("status") == "incomplete" else "completed"
    return RecordedItem(
        _make_message_item(parts, status), list(_iterate_deltas(run_record.fragments.get(message_id, [])))
    )


def _make_message_item(parts: Sequence[JsonObject], status: str) -> JsonObject:
    return {"type": "message", "role": "assistant", "status": status, "content": list(parts)}


def _make_output_text(text: str, annotations: Sequence[JsonObject]) -> JsonObject:
    return {"type": "output_text", "text": text, "annotations": list(annotations), "logprobs": []}


def _restore_text_part(part: JsonObject) -> JsonObject:
    """The text of the model, before the service inserted markers (A84)."""
    text: str = part["text"]["value"]
    annotations: list[JsonObject] = []
    removed = 0
    for annotation in sorted(part["text"]["annotations"], key=lambda each: int(each["start_index"])):
        annotations.append(_restore_annotation(annotation, removed))
        if annotation["type"] == "file_citation":
            start, end = annotation["start_index"] - removed, annotation["end_index"] - removed
            text = text[:start] + text[end:]
            removed += end - start
    return _make_output_text(text, annotations)


def _restore_annotation(annotation: JsonObject, removed: int) -> JsonObject:
    """An annotation of the Responses API; `removed` is the number of marker characters before it."""
    if annotation["type"] == "file_citation":
        return {
            "type": "file_citation",
            "file_id": annotation["file_citation"]["file_id"],
            "filename": annotation["text"].partition("†")[2].rstrip("】"),
            "index": annotation["start_index"] - removed,
        }
    return {
        "type": "container_file_citation",
        "container_id": _CONTAINER,
        "file_id": f"cfile_{annotation['file_path']['file_id']}",
        "filename": annotation["text"].rpartition("/")[2],
        "start_index": annotation["start_index"] - removed,
        "end_index": annotation["end_index"] - removed,
    }


def _make_image_annotation(part: JsonObject) -> JsonObject:
    """An image of the message: cited without an index in the text (A86)."""
    file_id = part["image_file"]["file_id"]
    file_fields = {"container_id": _CONTAINER, "file_id": f"cfile_{file_id}", "filename": f"{file_id}.png"}
    return {"type": "container_file_citation", **file_fields, "start_index": 0, "end_index": 0}


def _make_refusal_part(part: JsonObject) -> JsonObject:
    return {"type": "refusal", "refusal": part["refusal"]}


_PART_READERS = {"text": _restore_text_part, "refusal": _make_refusal_part}


def _iterate_deltas(fragments: Sequence[JsonObject]) -> Iterator[JsonObject]:
    removed = cited = 0
    for part in fragments:
        at = {"content_index": 0}
        if part["type"] == "refusal":
            yield {"type": "response.refusal.delta", "delta": part["refusal"], **at}
            continue
        text = part.get("text", {})
        annotations: list[JsonObject] = text.get("annotations") or []
        for annotation in annotations:
            body = _restore_annotation(annotation, removed)
            removed += len(annotation["text"]) if annotation["type"] == "file_citation" else 0
            yield {
                "type": "response.output_text.annotation.added", "annotation": body, "annotation_index": cited, **at
            }  # fmt: skip
            cited += 1
        if not annotations and text.get("value"):
            yield {"type": "response.output_text.delta", "delta": text["value"], **at}


# -- Calls -------------------------------------------------------------------------------------------------------------


def _make_function_call(call: JsonObject, fragments: Sequence[JsonObject]) -> RecordedItem:
    item = {
        "type": "function_call",
        "status": "completed",
        "call_id": call["id"],
        "name": call["function"]["name"],
        "arguments": call["function"]["arguments"],
    }
    words = [each["function"]["arguments"] for each in fragments if each.get("function", {}).get("arguments")]
    return RecordedItem(item, [{"type": "response.function_call_arguments.delta", "delta": each} for each in words])


def _make_file_search_call(call: JsonObject, fragments: Sequence[JsonObject]) -> RecordedItem:
    found: list[JsonObject] = [
        {
            "file_id": result.get("file_id"),
            "filename": result.get("file_name"),
            "score": result.get("score"),
            "attributes": result.get("attributes") or {},
            "text": "".join(each.get("text", "") for each in result.get("content") or ()),
        }
        for result in call["file_search"].get("results") or ()
    ]
    return RecordedItem({"type": "file_search_call", "status": "completed", "queries": [], "results": found}, [])


def _make_code_interpreter_call(call: JsonObject, fragments: Sequence[JsonObject]) -> RecordedItem:
    details = call["code_interpreter"]
    item = {
        "type": "code_interpreter_call",
        "status": "completed",
        "container_id": _CONTAINER,
        "code": details["input"],
        "outputs": [_make_output(each) for each in details.get("outputs") or ()],
    }
    codes = [each["code_interpreter"]["input"] for each in fragments if each["code_interpreter"].get("input")]
    return RecordedItem(item, [{"type": "response.code_interpreter_call_code.delta", "delta": code} for code in codes])


def _make_output(output: JsonObject) -> JsonObject:
    return output if output["type"] == "logs" else {"type": "image", "url": _IMAGE_URL}


_CALL_READERS = {
    "function": _make_function_call,
    "file_search": _make_file_search_call,
    "code_interpreter": _make_code_interpreter_call,
}

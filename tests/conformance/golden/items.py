"""The steps of a recorded run as the items of a response, and their streamed fragments as its events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tests.conformance.golden.stories import Story
from threadbridge.ports import Wire

_CONTAINER = "cntr_recorded"
_PICTURE = "data:image/png;base64,iVBORw0KGgo="


class Made(NamedTuple):
    """An item, and the events between its beginning and its end."""

    item: Wire
    deltas: Sequence[Wire]


def items_of(story: Story, step: Wire) -> Iterator[Made]:
    """The items that became this step."""
    details = step["step_details"]
    if details["type"] == "message_creation":
        yield _message(story, details["message_creation"]["message_id"])
        return
    for index, call in enumerate(details["tool_calls"]):
        yield _CALLS[call["type"]](call, story.fragments.get(f"{step.get('id')}#{index}", []))


def unrecorded_message() -> Made:
    """A message that a run must have written and nobody looked at."""
    return Made(_message_item([_output_text("(The words were not recorded.)", [])], "completed"), [])


# -- Messages ----------------------------------------------------------------------------------------------------------


def _message(story: Story, message_id: str) -> Made:
    message = story.messages.get(message_id)
    if message is None:
        return unrecorded_message()
    pictures = [_pictured(part) for part in message["content"] if part["type"] == "image_file"]
    parts = [_SPOKEN[part["type"]](part) for part in message["content"] if part["type"] in _SPOKEN]
    if pictures and parts:
        parts[0] = {**parts[0], "annotations": [*pictures, *parts[0]["annotations"]]}
    status = "incomplete" if message.get("status") == "incomplete" else "completed"
    return Made(_message_item(parts, status), list(_deltas(story.fragments.get(message_id, []))))


def _message_item(parts: Sequence[Wire], status: str) -> Wire:
    return {"type": "message", "role": "assistant", "status": status, "content": list(parts)}


def _output_text(text: str, annotations: Sequence[Wire]) -> Wire:
    return {"type": "output_text", "text": text, "annotations": list(annotations), "logprobs": []}


def _text(part: Wire) -> Wire:
    """What the model said, before the service put markers into it (A84)."""
    said: str = part["text"]["value"]
    cited: list[Wire] = []
    removed = 0
    for annotation in sorted(part["text"]["annotations"], key=lambda each: int(each["start_index"])):
        cited.append(_cited(annotation, removed))
        if annotation["type"] == "file_citation":
            start, end = annotation["start_index"] - removed, annotation["end_index"] - removed
            said = said[:start] + said[end:]
            removed += end - start
    return _output_text(said, cited)


def _cited(annotation: Wire, removed: int) -> Wire:
    """An annotation of the Responses API; `removed` characters of markers stood before it."""
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


def _pictured(part: Wire) -> Wire:
    """An image the message shows: cited without a place in its words (A86)."""
    file_id = part["image_file"]["file_id"]
    found = {"container_id": _CONTAINER, "file_id": f"cfile_{file_id}", "filename": f"{file_id}.png"}
    return {"type": "container_file_citation", **found, "start_index": 0, "end_index": 0}


def _refusal(part: Wire) -> Wire:
    return {"type": "refusal", "refusal": part["refusal"]}


_SPOKEN = {"text": _text, "refusal": _refusal}


def _deltas(fragments: Sequence[Wire]) -> Iterator[Wire]:
    removed = cited = 0
    for part in fragments:
        at = {"content_index": 0}
        if part["type"] == "refusal":
            yield {"type": "response.refusal.delta", "delta": part["refusal"], **at}
            continue
        text = part.get("text", {})
        annotations = text.get("annotations") or []
        for annotation in annotations:
            told = _cited(annotation, removed)
            removed += len(annotation["text"]) if annotation["type"] == "file_citation" else 0
            yield {
                "type": "response.output_text.annotation.added", "annotation": told, "annotation_index": cited, **at
            }  # fmt: skip
            cited += 1
        if not annotations and text.get("value"):
            yield {"type": "response.output_text.delta", "delta": text["value"], **at}


# -- Calls -------------------------------------------------------------------------------------------------------------


def _function(call: Wire, fragments: Sequence[Wire]) -> Made:
    item = {
        "type": "function_call",
        "status": "completed",
        "call_id": call["id"],
        "name": call["function"]["name"],
        "arguments": call["function"]["arguments"],
    }
    words = [each["function"]["arguments"] for each in fragments if each.get("function", {}).get("arguments")]
    return Made(item, [{"type": "response.function_call_arguments.delta", "delta": each} for each in words])


def _file_search(call: Wire, fragments: Sequence[Wire]) -> Made:
    found = [
        {
            "file_id": result.get("file_id"),
            "filename": result.get("file_name"),
            "score": result.get("score"),
            "attributes": result.get("attributes") or {},
            "text": "".join(each.get("text", "") for each in result.get("content") or ()),
        }
        for result in call["file_search"].get("results") or ()
    ]
    return Made({"type": "file_search_call", "status": "completed", "queries": [], "results": found}, [])


def _code_interpreter(call: Wire, fragments: Sequence[Wire]) -> Made:
    told = call["code_interpreter"]
    item = {
        "type": "code_interpreter_call",
        "status": "completed",
        "container_id": _CONTAINER,
        "code": told["input"],
        "outputs": [_output(each) for each in told.get("outputs") or ()],
    }
    codes = [each["code_interpreter"]["input"] for each in fragments if each["code_interpreter"].get("input")]
    return Made(item, [{"type": "response.code_interpreter_call_code.delta", "delta": code} for code in codes])


def _output(output: Wire) -> Wire:
    return output if output["type"] == "logs" else {"type": "image", "url": _PICTURE}


_CALLS = {"function": _function, "file_search": _file_search, "code_interpreter": _code_interpreter}

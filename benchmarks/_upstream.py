"""The fast Responses service for both sides of a comparison. `python -m benchmarks._upstream`

Every response is prepared. A request with `"stream": true` gets a stream of `DELTAS` text deltas: all at once, or, if
its body contains `PACED_MARKER`, each separately with a pause before it, like a model's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks._http_server import Chunk, make_event_stream, make_json_response, serve

#: A user message with this text gets a paced stream.
PACED_MARKER = "one word at a time"
DELTAS = 500
SECONDS_BETWEEN_DELTAS = 0.001
WORD = "word "
#: Events of a stream that are not text deltas.
NON_DELTA_EVENTS = 8
EVENTS = DELTAS + NON_DELTA_EVENTS

_ITEM_ID = "msg_68b1c2d3e4f5061728394a5b6c7d8e9f0a1b2c3d4e5f6071"


def _make_response(status: str, output: list[Any], usage: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "id": "resp_68b1c2d3e4f5061728394a5b6c7d8e9f0a1b2c3d4e5f6070",
        "object": "response",
        "created_at": 1795000000,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "model": "gpt-4o-2024-08-06",
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": "default",
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": usage,
        "user": None,
        "metadata": {},
    }


def _make_part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _make_item(status: str, content: list[Any]) -> dict[str, Any]:
    return {"id": _ITEM_ID, "type": "message", "status": status, "role": "assistant", "content": content}


def make_completed_response(deltas: int) -> dict[str, Any]:
    """A response whose message has this number of words."""
    usage = {
        "input_tokens": 20,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": deltas,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 20 + deltas,
    }
    return _make_response("completed", [_make_item("completed", [_make_part(WORD * deltas)])], usage)


def _iterate_events(deltas: int) -> Iterator[dict[str, Any]]:
    position = {"output_index": 0}
    part_position = {"item_id": _ITEM_ID, "output_index": 0, "content_index": 0}
    text = WORD * deltas
    yield {"type": "response.created", "response": _make_response("in_progress", [], None)}
    yield {"type": "response.in_progress", "response": _make_response("in_progress", [], None)}
    yield {"type": "response.output_item.added", **position, "item": _make_item("in_progress", [])}
    yield {"type": "response.content_part.added", **part_position, "part": _make_part("")}
    for _ in range(deltas):
        yield {
            "type": "response.output_text.delta",
            **part_position,
            "delta": WORD,
            "logprobs": [],
            "obfuscation": "a1B2c3",
        }
    yield {"type": "response.output_text.done", **part_position, "text": text, "logprobs": []}
    yield {"type": "response.content_part.done", **part_position, "part": _make_part(text)}
    yield {"type": "response.output_item.done", **position, "item": _make_item("completed", [_make_part(text)])}
    yield {"type": "response.completed", "response": make_completed_response(deltas)}


def _encode_frames(deltas: int, *, delay: float) -> Sequence[Chunk]:
    """One chunk per event, with a pause before each text delta."""
    frames: list[Chunk] = []
    for number, event in enumerate(_iterate_events(deltas)):
        data = json.dumps({**event, "sequence_number": number}, separators=(",", ":"))
        pause = delay if event["type"] == "response.output_text.delta" else 0.0
        frames.append(Chunk(f"event: {event['type']}\ndata: {data}\n\n".encode(), pause))
    return frames


_JSON_RESPONSE = make_json_response(json.dumps(make_completed_response(DELTAS)).encode())
_UNPACED_STREAM = make_event_stream(_encode_frames(DELTAS, delay=0.0))
_PACED_STREAM = make_event_stream(_encode_frames(DELTAS, delay=SECONDS_BETWEEN_DELTAS))
_NOT_FOUND = make_json_response(
    b'{"error":{"message":"Only /v1/responses is here.","type":"x","param":null,"code":null}}', status="404 Not Found"
)


def _handle_request(method: str, target: str, body: bytes) -> Sequence[Chunk]:
    if method != "POST" or not target.endswith("/responses"):
        return _NOT_FOUND
    if b'"stream":true' not in body and b'"stream": true' not in body:
        return _JSON_RESPONSE
    return _PACED_STREAM if PACED_MARKER.encode() in body else _UNPACED_STREAM


if __name__ == "__main__":
    serve(_handle_request)

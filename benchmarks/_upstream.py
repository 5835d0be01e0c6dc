"""The fast Responses service both sides of a comparison speak to. `python -m benchmarks._upstream`

Every answer is prepared. A request with `"stream": true` gets a stream of `DELTAS` text deltas: all at once, or, where
its body holds `PACED`, each by itself with a pause between, as a model sends them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks._http import Chunk, event_stream, serve, whole

#: A user's message with these words is answered so.
PACED = "one word at a time"
DELTAS = 500
SECONDS_BETWEEN_DELTAS = 0.001
WORD = "word "
#: Events of a stream that are not text deltas.
FRAME_EVENTS = 8
EVENTS = DELTAS + FRAME_EVENTS

_ITEM_ID = "msg_68b1c2d3e4f5061728394a5b6c7d8e9f0a1b2c3d4e5f6071"


def _response(status: str, output: list[Any], usage: dict[str, Any] | None) -> dict[str, Any]:
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


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _item(status: str, content: list[Any]) -> dict[str, Any]:
    return {"id": _ITEM_ID, "type": "message", "status": status, "role": "assistant", "content": content}


def completed(deltas: int) -> dict[str, Any]:
    """A response whose message has so many words."""
    usage = {
        "input_tokens": 20,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": deltas,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 20 + deltas,
    }
    return _response("completed", [_item("completed", [_part(WORD * deltas)])], usage)


def _events(deltas: int) -> Iterator[dict[str, Any]]:
    at = {"output_index": 0}
    inside = {"item_id": _ITEM_ID, "output_index": 0, "content_index": 0}
    text = WORD * deltas
    yield {"type": "response.created", "response": _response("in_progress", [], None)}
    yield {"type": "response.in_progress", "response": _response("in_progress", [], None)}
    yield {"type": "response.output_item.added", **at, "item": _item("in_progress", [])}
    yield {"type": "response.content_part.added", **inside, "part": _part("")}
    for _ in range(deltas):
        yield {"type": "response.output_text.delta", **inside, "delta": WORD, "logprobs": [], "obfuscation": "a1B2c3"}
    yield {"type": "response.output_text.done", **inside, "text": text, "logprobs": []}
    yield {"type": "response.content_part.done", **inside, "part": _part(text)}
    yield {"type": "response.output_item.done", **at, "item": _item("completed", [_part(text)])}
    yield {"type": "response.completed", "response": completed(deltas)}


def _frames(deltas: int, *, wait: float) -> Sequence[Chunk]:
    """One chunk per event; the pause is before text deltas only."""
    frames: list[Chunk] = []
    for number, event in enumerate(_events(deltas)):
        data = json.dumps({**event, "sequence_number": number}, separators=(",", ":"))
        pause = wait if event["type"] == "response.output_text.delta" else 0.0
        frames.append(Chunk(f"event: {event['type']}\ndata: {data}\n\n".encode(), pause))
    return frames


_WHOLE = whole(json.dumps(completed(DELTAS)).encode())
_AT_ONCE = event_stream(_frames(DELTAS, wait=0.0))
_PACED = event_stream(_frames(DELTAS, wait=SECONDS_BETWEEN_DELTAS))
_NOT_FOUND = whole(
    b'{"error":{"message":"Only /v1/responses is here.","type":"x","param":null,"code":null}}', status="404 Not Found"
)


def _answer(method: str, target: str, body: bytes) -> Sequence[Chunk]:
    if method != "POST" or not target.endswith("/responses"):
        return _NOT_FOUND
    if b'"stream":true' not in body and b'"stream": true' not in body:
        return _WHOLE
    return _PACED if PACED.encode() in body else _AT_ONCE


if __name__ == "__main__":
    serve(_answer)

"""A legacy Assistants service with a response time of 50 ms. `python -m benchmarks._legacy_source`

Every thread id exists; each thread has `MESSAGES` messages, written in `RUNS` runs of one step. Bodies are prepared;
only the thread's id is inserted.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from benchmarks._http_server import Chunk, make_json_response, serve

#: The command that starts it.
COMMAND = (sys.executable, "-m", "benchmarks._legacy_source")
LATENCY_SECONDS = 0.05
MESSAGES_PER_THREAD = 20
RUNS_PER_THREAD = MESSAGES_PER_THREAD // 2
_ID_DIGITS = 24
_THREAD_TEMPLATE = f"thread_{'T' * _ID_DIGITS}"
_RUN_TEMPLATE = f"run_{'R' * (_ID_DIGITS // 2)}"
_ASSISTANT_ID = f"asst_{'A' * _ID_DIGITS}"
_CREATED_AT = 1750000000
_TEXT = "What was said here is long enough to be a message that somebody would really have written. " * 5


def format_thread_id(number: int) -> str:
    """The id of the n-th thread."""
    return f"thread_{number:0{_ID_DIGITS}d}"


def _format_id(prefix: str, number: int) -> str:
    """An id that becomes unique when the thread's number is inserted."""
    return f"{prefix}_{'R' * (_ID_DIGITS // 2)}{number:0{_ID_DIGITS // 2}d}"


def _make_message(number: int) -> dict[str, Any]:
    by_run = number % 2 == 1
    return {
        "id": _format_id("msg", number),
        "object": "thread.message",
        "created_at": _CREATED_AT + number,
        "assistant_id": _ASSISTANT_ID if by_run else None,
        "thread_id": _THREAD_TEMPLATE,
        "run_id": _format_id("run", number // 2) if by_run else None,
        "role": "assistant" if by_run else "user",
        "content": [{"type": "text", "text": {"value": _TEXT, "annotations": []}}],
        "attachments": [],
        "metadata": {},
    }


def _make_usage() -> dict[str, Any]:
    return {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "total_tokens": 150,
        "prompt_token_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def _make_run(number: int) -> dict[str, Any]:
    created = _CREATED_AT + 2 * number
    return {
        "id": _format_id("run", number),
        "object": "thread.run",
        "created_at": created,
        "assistant_id": _ASSISTANT_ID,
        "thread_id": _THREAD_TEMPLATE,
        "status": "completed",
        "started_at": created,
        "expires_at": None,
        "cancelled_at": None,
        "failed_at": None,
        "completed_at": created + 1,
        "required_action": None,
        "last_error": None,
        "model": "gpt-4o",
        "instructions": "Be brief.",
        "tools": [],
        "tool_resources": {},
        "metadata": {},
        "temperature": 1.0,
        "top_p": 1.0,
        "reasoning_effort": None,
        "max_completion_tokens": None,
        "max_prompt_tokens": None,
        "truncation_strategy": {"type": "auto", "last_messages": None},
        "incomplete_details": None,
        "usage": _make_usage(),
        "response_format": "auto",
        "tool_choice": "auto",
        "parallel_tool_calls": True,
    }


def _make_step() -> dict[str, Any]:
    """The single step of the requested run."""
    return {
        "id": _RUN_TEMPLATE.replace("run", "step") + "S" * (_ID_DIGITS // 2),
        "object": "thread.run.step",
        "created_at": _CREATED_AT,
        "run_id": _RUN_TEMPLATE + "S" * (_ID_DIGITS // 2),
        "assistant_id": _ASSISTANT_ID,
        "thread_id": _THREAD_TEMPLATE,
        "type": "message_creation",
        "status": "completed",
        "cancelled_at": None,
        "completed_at": _CREATED_AT + 1,
        "expires_at": None,
        "failed_at": None,
        "last_error": None,
        "step_details": {"type": "message_creation", "message_creation": {"message_id": _format_id("msg", 1)}},
        "usage": _make_usage(),
    }


def _make_assistant() -> dict[str, Any]:
    return {
        "id": _ASSISTANT_ID,
        "object": "assistant",
        "created_at": _CREATED_AT,
        "name": "Measured",
        "description": None,
        "model": "gpt-4o",
        "instructions": "Be brief.",
        "tools": [],
        "top_p": 1.0,
        "temperature": 1.0,
        "reasoning_effort": None,
        "tool_resources": {},
        "metadata": {},
        "response_format": "auto",
    }


def _make_thread() -> dict[str, Any]:
    return {"id": _THREAD_TEMPLATE, "object": "thread", "created_at": _CREATED_AT, "metadata": {}, "tool_resources": {}}


def _make_list(objects: Sequence[dict[str, Any]]) -> dict[str, Any]:
    first, last = (objects[0]["id"], objects[-1]["id"]) if objects else (None, None)
    return {"object": "list", "data": list(objects), "first_id": first, "last_id": last, "has_more": False}


def _encode(body: dict[str, Any]) -> bytes:
    return json.dumps(body, indent=2).encode()


def _encode_both_orders(make: Callable[[int], dict[str, Any]], count: int) -> Mapping[str, bytes]:
    objects = [make(number) for number in range(count)]
    return {"asc": _encode(_make_list(objects)), "desc": _encode(_make_list(objects[::-1]))}


_EMPTY = _encode(_make_list([]))
_STEPS = {"asc": _encode(_make_list([_make_step()])), "desc": _encode(_make_list([_make_step()]))}
_MESSAGES = _encode_both_orders(_make_message, MESSAGES_PER_THREAD)
_RUNS = _encode_both_orders(_make_run, RUNS_PER_THREAD)
_THREAD_BODY = _encode(_make_thread())
_ASSISTANT_BODY = _encode(_make_assistant())
_NOT_FOUND = b'{"error":{"message":"Not here.","type":"invalid_request_error","param":null,"code":null}}'
_PATH = re.compile(r".*/threads/thread_(?P<thread>\w{24})(?:/(?P<kind>messages|runs)(?:/run_(?P<run>\w{24})/steps)?)?")


def _select_page(pages: Mapping[str, bytes], query: Mapping[str, list[str]]) -> bytes:
    return _EMPTY if "after" in query else pages[query.get("order", ["desc"])[0]]


def _find_body(path: str, query: Mapping[str, list[str]]) -> bytes | None:
    if path.endswith(f"/assistants/{_ASSISTANT_ID}"):
        return _ASSISTANT_BODY
    found = _PATH.fullmatch(path)
    if found is None:
        return None
    thread = found["thread"].encode()
    if found["run"]:
        body = _select_page(_STEPS, query).replace(b"S" * (_ID_DIGITS // 2), found["run"][_ID_DIGITS // 2 :].encode())
    else:
        pages = {"messages": _MESSAGES, "runs": _RUNS}.get(found["kind"] or "")
        body = _THREAD_BODY if pages is None else _select_page(pages, query)
    return body.replace(b"T" * _ID_DIGITS, thread).replace(b"R" * (_ID_DIGITS // 2), thread[_ID_DIGITS // 2 :])


def _handle_request(_method: str, target: str, _request: bytes) -> Sequence[Chunk]:
    split = urlsplit(target)
    body = _find_body(split.path, parse_qs(split.query))
    if body is None:
        return make_json_response(_NOT_FOUND, status="404 Not Found", delay=LATENCY_SECONDS)
    return make_json_response(body, delay=LATENCY_SECONDS)


if __name__ == "__main__":
    serve(_handle_request)

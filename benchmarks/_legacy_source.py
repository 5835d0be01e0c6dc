"""A legacy Assistants service with 50 ms between question and answer. `python -m benchmarks._legacy_source`

Any thread id is there; each thread has `MESSAGES` messages, written in `RUNS` runs of one step. Bodies are prepared,
and only the thread's id is put into them.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from benchmarks._http import Chunk, serve, whole

#: Starts it.
COMMAND = (sys.executable, "-m", "benchmarks._legacy_source")
LATENCY_SECONDS = 0.05
MESSAGES = 20
RUNS = MESSAGES // 2
_NUMBER = 24
_THREAD = f"thread_{'T' * _NUMBER}"
_RUN = f"run_{'R' * (_NUMBER // 2)}"
_ASSISTANT_ID = f"asst_{'A' * _NUMBER}"
_CREATED = 1750000000
_TEXT = "What was said here is long enough to be a message that somebody would really have written. " * 5


def thread_id(number: int) -> str:
    """The id of the n-th thread."""
    return f"thread_{number:0{_NUMBER}d}"


def _numbered(prefix: str, number: int) -> str:
    """An id that is the thread's own once its number is put in."""
    return f"{prefix}_{'R' * (_NUMBER // 2)}{number:0{_NUMBER // 2}d}"


def _message(number: int) -> dict[str, Any]:
    by_run = number % 2 == 1
    return {
        "id": _numbered("msg", number),
        "object": "thread.message",
        "created_at": _CREATED + number,
        "assistant_id": _ASSISTANT_ID if by_run else None,
        "thread_id": _THREAD,
        "run_id": _numbered("run", number // 2) if by_run else None,
        "role": "assistant" if by_run else "user",
        "content": [{"type": "text", "text": {"value": _TEXT, "annotations": []}}],
        "attachments": [],
        "metadata": {},
    }


def _usage() -> dict[str, Any]:
    return {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "total_tokens": 150,
        "prompt_token_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def _run(number: int) -> dict[str, Any]:
    created = _CREATED + 2 * number
    return {
        "id": _numbered("run", number),
        "object": "thread.run",
        "created_at": created,
        "assistant_id": _ASSISTANT_ID,
        "thread_id": _THREAD,
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
        "usage": _usage(),
        "response_format": "auto",
        "tool_choice": "auto",
        "parallel_tool_calls": True,
    }


def _step() -> dict[str, Any]:
    """The one step of the run that is asked for."""
    return {
        "id": _RUN.replace("run", "step") + "S" * (_NUMBER // 2),
        "object": "thread.run.step",
        "created_at": _CREATED,
        "run_id": _RUN + "S" * (_NUMBER // 2),
        "assistant_id": _ASSISTANT_ID,
        "thread_id": _THREAD,
        "type": "message_creation",
        "status": "completed",
        "cancelled_at": None,
        "completed_at": _CREATED + 1,
        "expires_at": None,
        "failed_at": None,
        "last_error": None,
        "step_details": {"type": "message_creation", "message_creation": {"message_id": _numbered("msg", 1)}},
        "usage": _usage(),
    }


def _assistant() -> dict[str, Any]:
    return {
        "id": _ASSISTANT_ID,
        "object": "assistant",
        "created_at": _CREATED,
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


def _thread() -> dict[str, Any]:
    return {"id": _THREAD, "object": "thread", "created_at": _CREATED, "metadata": {}, "tool_resources": {}}


def _list(objects: Sequence[dict[str, Any]]) -> dict[str, Any]:
    first, last = (objects[0]["id"], objects[-1]["id"]) if objects else (None, None)
    return {"object": "list", "data": list(objects), "first_id": first, "last_id": last, "has_more": False}


def _bytes(body: dict[str, Any]) -> bytes:
    return json.dumps(body, indent=2).encode()


def _both_orders(make: Callable[[int], dict[str, Any]], count: int) -> Mapping[str, bytes]:
    objects = [make(number) for number in range(count)]
    return {"asc": _bytes(_list(objects)), "desc": _bytes(_list(objects[::-1]))}


_EMPTY = _bytes(_list([]))
_STEPS = {"asc": _bytes(_list([_step()])), "desc": _bytes(_list([_step()]))}
_MESSAGES = _both_orders(_message, MESSAGES)
_RUNS = _both_orders(_run, RUNS)
_THREAD_BODY = _bytes(_thread())
_ASSISTANT_BODY = _bytes(_assistant())
_NOT_FOUND = b'{"error":{"message":"Not here.","type":"invalid_request_error","param":null,"code":null}}'
_PATH = re.compile(r".*/threads/thread_(?P<thread>\w{24})(?:/(?P<kind>messages|runs)(?:/run_(?P<run>\w{24})/steps)?)?")


def _page(pages: Mapping[str, bytes], query: Mapping[str, list[str]]) -> bytes:
    return _EMPTY if "after" in query else pages[query.get("order", ["desc"])[0]]


def _body(path: str, query: Mapping[str, list[str]]) -> bytes | None:
    if path.endswith(f"/assistants/{_ASSISTANT_ID}"):
        return _ASSISTANT_BODY
    found = _PATH.fullmatch(path)
    if found is None:
        return None
    thread = found["thread"].encode()
    if found["run"]:
        body = _page(_STEPS, query).replace(b"S" * (_NUMBER // 2), found["run"][_NUMBER // 2 :].encode())
    else:
        pages = {"messages": _MESSAGES, "runs": _RUNS}.get(found["kind"] or "")
        body = _THREAD_BODY if pages is None else _page(pages, query)
    return body.replace(b"T" * _NUMBER, thread).replace(b"R" * (_NUMBER // 2), thread[_NUMBER // 2 :])


def _answer(_method: str, target: str, _request: bytes) -> Sequence[Chunk]:
    split = urlsplit(target)
    body = _body(split.path, parse_qs(split.query))
    if body is None:
        return whole(_NOT_FOUND, status="404 Not Found", wait=LATENCY_SECONDS)
    return whole(body, wait=LATENCY_SECONDS)


if __name__ == "__main__":
    serve(_answer)

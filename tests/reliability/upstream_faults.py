"""Upstream services that answer with anything: every run becomes terminal, and its thread can be used again."""

from __future__ import annotations

import asyncio
import copy
import json
import random
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import openai
import orjson
from pydantic import SecretStr

from tests.bridge.engine.broken_service import CannedResponse, run_broken_service
from tests.conformance.asgi_client import send_request
from tests.reliability.scenario import Evidence, Fault
from threadbridge.api_types import JsonObject, is_json_list, is_json_object
from threadbridge.settings import Settings, UpstreamSettings
from threadbridge.sse import SSEDecoder
from threadbridge_adapters.gateway import run_gateway_in_thread
from threadbridge_adapters.openai_http.httpx_compat import STREAM_ERRORS
from threadbridge_adapters.simulator import Simulator
from threadbridge_adapters.simulator import app as create_simulator_app

#: Seconds for one run.
RUN_SECONDS = 20.0
_ERRORS: tuple[type[Exception], ...] = (openai.APIError, *STREAM_ERRORS)
TERMINAL = ("completed", "failed", "incomplete", "cancelled", "expired")
STATUSES = (400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 529)
JSON, HTML, EVENTS = b"application/json", b"text/html", b"text/event-stream"

#: Bodies without a response object, in the shapes of many servers and of what stands before them.
BODIES: tuple[tuple[bytes, bytes], ...] = (
    (JSON, b'{"error": {"message": "No.", "type": "invalid_request_error", "param": null, "code": null}}'),
    (JSON, b'{"error": {"message": "No.", "code": 400, "type": null, "param": null}}'),
    (JSON, b'{"error": {"code": "context_length_exceeded"}}'),
    (JSON, b'{"error": "No."}'),
    (JSON, b'{"detail": "No."}'),
    (JSON, b'{"detail": [{"loc": ["body", "input"], "msg": "No.", "type": "missing"}]}'),
    (JSON, b'{"detail": [7]}'),
    (JSON, b'{"message": "No.", "object": "error"}'),
    (JSON, b'{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}'),
    (JSON, b'{"id": "chatcmpl-1", "object": "chat.completion", "choices": [{"message": {"content": "Hi"}}]}'),
    (JSON, b"{}"),
    (JSON, b"[]"),
    (JSON, b"null"),
    (JSON, b"17"),
    (JSON, b'"No."'),
    (JSON, b'{"error": {"mess'),
    (JSON, b'{"error": {"message": "\xff\xfe"}}'),
    (JSON, b'{"error": {"message": "\\ud83d"}}'),
    (JSON, b"[" * 5000),
    (JSON, b""),
    (HTML, b"<html><body>Please log in</body></html>"),
    (b"text/plain", b"upstream connect error or disconnect/reset before headers"),
)
#: Events that announce an error in the shapes of many servers, and texts that are no event.
ERROR_EVENTS: tuple[bytes, ...] = (
    b'data: {"type": "error", "code": "server_error", "message": "No.", "param": null}\n\n',
    b'event: error\ndata: {"error": {"message": "No.", "type": "server_error"}}\n\n',
    b'event: error\ndata: {"message": "No."}\n\n',
    b"event: error\ndata: No.\n\n",
    b'data: {"error": {"message": "No.", "code": 500}}\n\n',
    b'data: {"error": "No."}\n\n',
    b'data: {"error": null}\n\n',
    b'data: {"type": "response.error", "error": {"message": "No."}}\n\n',
    b'data: {"type": "response.failed", "response": {"status": "failed", "error": {"code": "x", "message": "No"}}}\n\n',
    b'data: {"type": "response.failed"}\n\n',
    b'data: {"type": "response.incomplete", "response": {"incomplete_details": null}}\n\n',
    b'data: {"type": "response.completed"}\n\n',
    b'data: {"type": "response.completed", "response": "done"}\n\n',
    b'data: {"detail": "No."}\n\n',
    b"data: [DONE]\n\n",
    b"data: {\n\n",
    b"data: []\n\n",
    b"data: 7\n\n",
    b"data: \xff\xfe\n\n",
    b": keep-alive\n\n",
    b"<html>502 Bad Gateway</html>",
    b"",
)
#: What replaces a value of an event.
REPLACEMENTS: tuple[Any, ...] = (
    None,
    True,
    -1,
    1e300,
    "",
    "\ud83d",
    "\ude00",
    "x" * 10_000,
    [],
    {},
    [None],
    {"type": 7},
)


def answer_with_anything(evidence: Evidence, cases: int, seed: int) -> None:
    """Perform `cases` runs, polled and streamed in turn, each against another answer."""
    with run_broken_service() as service:
        upstream = UpstreamSettings(base_url=service.url, api_key=SecretStr("sk-any-0123456789"), max_retries=0)
        with (
            run_gateway_in_thread(Settings(store=":memory:", upstream=upstream)) as gateway,
            openai.OpenAI(base_url=gateway, api_key="any", max_retries=0, timeout=RUN_SECONDS) as client,
        ):
            assistant = client.beta.assistants.create(model="gpt-4o")
            for number, answer in enumerate(islice(iterate_answers(random.Random(seed)), cases)):
                service.response = answer
                _perform_run(evidence, client, assistant.id, streamed=number % 2 == 1, answer=answer)
                evidence.tried += 1


def iterate_answers(rng: random.Random) -> Iterator[CannedResponse]:
    """Every shape once, in an order of the seed; then valid streams that were changed at random, without end."""
    events = asyncio.run(_record_stream())
    begun = b"".join(_encode_event(event) for event in events[:6])
    shapes = [CannedResponse(status, body, kind) for status in (200, *STATUSES) for kind, body in BODIES]
    shapes += [CannedResponse(200, body, EVENTS) for _, body in BODIES]
    shapes += [CannedResponse(200, before + event, EVENTS) for before in (b"", begun) for event in ERROR_EVENTS]
    for end in range(len(events)):
        whole = b"".join(_encode_event(event) for event in events[:end])
        shapes += [CannedResponse(200, whole, EVENTS, breaks_connection) for breaks_connection in (False, True)]
    rng.shuffle(shapes)
    yield from shapes
    while True:
        changed = _change_stream(events, rng)
        yield CannedResponse(200, changed, EVENTS, breaks_connection=rng.random() < 0.1)


async def _record_stream() -> list[JsonObject]:
    """The events of a response with a text, an annotation and a function call."""
    body = {"model": "gpt-4o", "input": "SAY one two three four", "stream": True}
    app = create_simulator_app(Simulator())
    received = await send_request(app, "POST", "/v1/responses", body=orjson.dumps(body), headers={})
    frames = SSEDecoder().receive_data(received.body)
    return [orjson.loads(frame.data) for frame in frames if frame.event != "done"]


def _encode_event(event: JsonObject) -> bytes:
    """With `json`'s escapes, so that half of a surrogate pair can be sent."""
    return (
        b"event: "
        + str(event.get("type")).encode(errors="replace")
        + b"\ndata: "
        + json.dumps(event).encode()
        + b"\n\n"
    )


def _change_stream(events: Sequence[JsonObject], rng: random.Random) -> bytes:
    """The stream with a few events dropped, repeated, moved, cut short, or with other values."""
    changed = [copy.deepcopy(event) for event in events]
    for _ in range(rng.randint(1, 3)):
        position = rng.randrange(len(changed))
        match rng.randrange(4):
            case 0 if len(changed) > 1:
                del changed[position]
            case 1:
                changed.insert(position, copy.deepcopy(rng.choice(changed)))
            case _:
                _replace_value(changed[position], rng)
    frames = [_encode_event(event) for event in changed]
    if rng.random() < 0.2:
        position = rng.randrange(len(frames))
        frames[position] = frames[position][: rng.randrange(len(frames[position]))]
    return b"".join(frames)


def _replace_value(node: Any, rng: random.Random) -> None:
    """Replace one value at any depth."""
    while True:
        keys: list[Any] = list(node) if is_json_object(node) else list(range(len(node)))
        if not keys:
            return
        key = rng.choice(keys)
        if not (is_json_object(node[key]) or is_json_list(node[key])) or rng.random() < 0.3:
            node[key] = copy.deepcopy(rng.choice(REPLACEMENTS))  # a later change must not reach into the table
            return
        node = node[key]


def _perform_run(
    evidence: Evidence, client: openai.OpenAI, assistant_id: str, *, streamed: bool, answer: CannedResponse
) -> None:
    threads = client.beta.threads
    thread = threads.create(messages=[{"role": "user", "content": "Hello"}])
    shape = f"{answer.status} {answer.content_type.decode()} {answer.body[:2000]!r}"
    try:
        if streamed:
            events: list[Any] = list(threads.runs.create(thread.id, assistant_id=assistant_id, stream=True))
            if events[-1].event.removeprefix("thread.run.") not in TERMINAL:
                evidence.report(Fault.UNTERMINATED, f"{events[-1].event} after {shape}")
        else:
            run = threads.runs.create(thread.id, assistant_id=assistant_id)
            threads.runs.poll(run.id, thread.id, poll_interval_ms=5, timeout=RUN_SECONDS)
        [run] = threads.runs.list(thread.id).data
        if run.status not in TERMINAL:
            evidence.report(Fault.UNFINISHED, f"{run.status} after {shape}")
        if any(message.status == "in_progress" for message in threads.messages.list(thread.id)):
            evidence.report(Fault.UNFINISHED, f"a message is in progress after {shape}")
        threads.messages.create(thread.id, role="user", content="Still here")
    except _ERRORS as error:
        evidence.report(Fault.UNEXPECTED, f"{type(error).__name__} {error} after {shape}")

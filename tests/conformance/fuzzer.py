"""Sends generated requests to the gateway in this process and checks the responses."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import orjson
from schemathesis import Case
from starlette.types import ASGIApp

from tests.conformance.asgi_client import ASGIResponse, send_request
from tests.conformance.published_schema import PublishedSchema
from threadbridge.api_types import JsonMapping, JsonObject, is_json_object
from threadbridge.ports import Event
from threadbridge.sse import SSEDecoder
from threadbridge.wire import Operation

#: The statuses of documented responses (A2, A6, A15-A17, D19, D29).
DOCUMENTED_STATUSES = frozenset({200, 400, 401, 404, 405, 413, 429})
#: Seconds for one answer, a stream to its end.
TIMEOUT_SECONDS = 60.0
#: The rate of ids of existing objects: generated ids are mostly unknown. For deletions it is low.
_KNOWN_ID_RATE, _KNOWN_ID_RATE_FOR_DELETE = 0.8, 0.1
#: The rate of tool outputs for a waiting run: generated call ids never match.
_AWAITED_OUTPUT_RATE = 0.4
#: How many objects of each kind are remembered, the newest.
_MAX_REMEMBERED = 20

WEATHER: JsonObject = {"type": "function", "function": {"name": "get_weather"}}
HEADERS = {"openai-beta": "assistants=v2", "authorization": "Bearer sk-fuzz"}
_ID_FIELDS = {
    "assistant": "assistant_id",
    "thread": "thread_id",
    "thread.message": "message_id",
    "thread.run": "run_id",
    "thread.run.step": "step_id",
}


@dataclass
class FuzzReport:
    """Counts of responses and their faults."""

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter[tuple[str, int]])
    faults: list[str] = field(default_factory=list[str])

    @property
    def requests(self) -> int:
        return self.statuses.total()

    def add(self, other: FuzzReport) -> None:
        self.statuses += other.statuses
        self.faults += other.faults


@dataclass
class Fuzzer:
    """Sends cases to one service, remembers the ids in responses, and checks the responses."""

    app: ASGIApp
    schema: PublishedSchema
    rng: random.Random
    report: FuzzReport
    objects_by_id_field: dict[str, list[JsonObject]] = field(default_factory=dict[str, list[JsonObject]])

    async def populate(self) -> None:
        """Create ended runs, a run that waits for outputs, and an empty thread."""
        assistant = await self._create("/assistants", {"model": "gpt-4o", "instructions": "Hi", "tools": [WEATHER]})
        for text in ("Hello", "CALL get_weather {}", "FAIL server_error No.", "REFUSE No."):
            thread = await self._create("/threads", {"messages": [{"role": "user", "content": text}]})
            run = await self._create(f"/threads/{thread['id']}/runs", {"assistant_id": assistant["id"]})
            await asyncio.sleep(0.05)
            for things in ("messages", f"runs/{run['id']}/steps"):
                received = await send_request(self.app, "GET", f"/v1/threads/{thread['id']}/{things}", headers=HEADERS)
                self._remember(orjson.loads(received.body))
        await self._create("/threads", {})

    async def _create(self, path: str, body: JsonObject) -> JsonObject:
        received = await send_request(self.app, "POST", f"/v1{path}", headers=HEADERS, body=orjson.dumps(body))
        created: JsonObject = orjson.loads(received.body)
        self._remember(created)
        return created

    async def send(self, operation: Operation, case: Case[Any]) -> None:
        """Send one request; report it whole if its response has a fault."""
        ids = self._choose_ids(
            case, known=_KNOWN_ID_RATE_FOR_DELETE if operation.method == "DELETE" else _KNOWN_ID_RATE
        )
        body = self._encode_body(case)
        if operation.name == "submit_tool_outputs" and self.rng.random() < _AWAITED_OUTPUT_RATE:
            ids, body = await self._make_awaited_outputs(case.body)
        target = f"/v1{operation.path.format_map(ids)}{_encode_query(case)}"
        headers = {**HEADERS, "content-type": case.media_type or "application/json"}
        async with asyncio.timeout(TIMEOUT_SECONDS):
            received = await send_request(self.app, operation.method, target, headers=headers, body=body)
        self.report.statuses[operation.name, received.status] += 1
        self.report.faults += [
            f"{operation.method} {target} {body[:2000]!r}: {received.status}: {fault}"
            for fault in self.find_faults(operation, received)
        ]

    def _choose_ids(self, case: Case[Any], *, known: float) -> dict[str, str]:
        """The ids of the path: often those of one existing object."""
        made_up = {name: quote(str(value), safe="%") for name, value in case.path_parameters.items()}
        if self.rng.random() >= known:
            return made_up
        remembered = self._pick_remembered_ids(made_up)
        return {name: remembered.get(name, value) for name, value in made_up.items()}

    async def _make_awaited_outputs(self, body: Any) -> tuple[dict[str, str], bytes]:
        """Create a run that waits for outputs; its ids, and a body with the outputs and the other fields of `body`."""
        assistant = await self._create("/assistants", {"model": "gpt-4o", "tools": [WEATHER]})
        thread = await self._create("/threads", {"messages": [{"role": "user", "content": "CALL get_weather {}"}]})
        run = await self._create(f"/threads/{thread['id']}/runs", {"assistant_id": assistant["id"]})
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while not run["required_action"]:
                await asyncio.sleep(0.001)
                path = f"/v1/threads/{thread['id']}/runs/{run['id']}"
                run = orjson.loads((await send_request(self.app, "GET", path, headers=HEADERS)).body)
        calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
        outputs = [{"tool_call_id": call["id"], "output": "sunny"} for call in calls]
        other_fields: JsonObject = body if is_json_object(body) else {}
        return {"thread_id": thread["id"], "run_id": run["id"]}, json.dumps(
            {**other_fields, "tool_outputs": outputs}
        ).encode()

    def _pick_remembered_ids(self, wanted: Any) -> dict[str, str]:
        """The ids of one remembered object of the narrowest kind in the path."""
        for name in ("step_id", "message_id", "run_id", "thread_id", "assistant_id"):
            if name in wanted and self.objects_by_id_field.get(name):
                chosen = self.rng.choice(self.objects_by_id_field[name])
                return {
                    **{key: str(chosen[key]) for key in _ID_FIELDS.values() if chosen.get(key)},
                    name: str(chosen["id"]),
                }
        return {}

    def _encode_body(self, case: Case[Any]) -> bytes:
        body: Any = case.body
        if isinstance(body, bytes):
            return body
        if (
            is_json_object(body)
            and "assistant_id" in body
            and self.objects_by_id_field.get("assistant_id")
            and self.rng.random() < _KNOWN_ID_RATE
        ):
            body = {**body, "assistant_id": self.rng.choice(self.objects_by_id_field["assistant_id"])["id"]}
        is_json = isinstance(body, (dict, list, str, int, float, bool, type(None)))
        return json.dumps(body).encode() if is_json else b""

    def find_faults(self, operation: Operation, received: ASGIResponse) -> Iterator[str]:
        """The faults of a response."""
        if received.status not in DOCUMENTED_STATUSES:
            yield "this status is not documented"
        if b"Traceback" in received.body:
            yield "the answer shows the insides"
        if received.headers["content-type"].startswith("text/event-stream"):
            yield from self._find_event_faults(received.body)
            return
        body = orjson.loads(received.body)
        if received.status == 200:
            self._remember(body)
            self._forget(body)
            yield from self.schema.find_body_faults(operation, body)
        else:
            yield from self.schema.find_error_faults(body)

    def _find_event_faults(self, body: bytes) -> Iterator[str]:
        *events, last = SSEDecoder().receive_data(body)
        if last.event != "done":
            yield f"the stream ends with {last.event}"
        for one in events:
            event = Event(one.event, orjson.loads(one.data))
            self._remember(event.data)
            yield from self.schema.find_event_faults(event)

    def _remember(self, body: JsonMapping) -> None:
        for one in body.get("data", [body]):
            name = _ID_FIELDS.get(one.get("object", ""))
            if name is not None:
                objects = self.objects_by_id_field.setdefault(name, [])
                objects.append(one)
                del objects[:-_MAX_REMEMBERED]

    def _forget(self, body: JsonMapping) -> None:
        """Forget a deleted object and the objects that belong to it."""
        if body.get("deleted") is True:
            for name, objects in self.objects_by_id_field.items():
                self.objects_by_id_field[name] = [one for one in objects if body["id"] not in one.values()]


def _encode_query(case: Case[Any]) -> str:
    return f"?{urlencode(case.query, doseq=True)}" if case.query else ""

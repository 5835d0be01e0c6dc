"""Sends made up requests to the gateway in this process, and judges what it answers."""

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

from tests.conformance.asgi import Received, ask
from tests.conformance.published import Published
from threadbridge.ports import Event, Wire
from threadbridge.sse import SSEDecoder
from threadbridge.wire import Operation

#: What the API was seen to answer (A2, A6, A15-A17, D19, D29).
DOCUMENTED = frozenset({200, 400, 401, 404, 405, 413, 429})
#: Seconds for one answer, a stream to its end.
PATIENCE = 60.0
#: How often ids are those of an object that exists; made up ones seldom lead anywhere. Few of them are deleted.
_KNOWN, _KNOWN_TO_DELETE = 0.8, 0.1
#: How often tool outputs are those that a run waits for: no luck ever finds the id of a call.
_AWAITED = 0.4
#: Ids that are remembered of each kind, the newest.
_REMEMBERED = 20

WEATHER: Wire = {"type": "function", "function": {"name": "get_weather"}}
HEADERS = {"openai-beta": "assistants=v2", "authorization": "Bearer sk-fuzz"}
_ID_OF = {
    "assistant": "assistant_id",
    "thread": "thread_id",
    "thread.message": "message_id",
    "thread.run": "run_id",
    "thread.run.step": "step_id",
}


@dataclass
class Report:
    """What was sent and what was wrong with the answers."""

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter[tuple[str, int]])
    faults: list[str] = field(default_factory=list[str])

    @property
    def requests(self) -> int:
        return self.statuses.total()

    def add(self, other: Report) -> None:
        self.statuses += other.statuses
        self.faults += other.faults


@dataclass
class Fuzzer:
    """Sends cases to one service, remembers the ids it meets, and judges the answers."""

    app: ASGIApp
    schema: Published
    luck: random.Random
    report: Report
    ids: dict[str, list[Wire]] = field(default_factory=dict[str, list[Wire]])

    async def populate(self) -> None:
        """Something to talk about: runs that have ended, one that waits for outputs, and a thread without any."""
        assistant = await self._made("/assistants", {"model": "gpt-4o", "instructions": "Hi", "tools": [WEATHER]})
        for text in ("Hello", "CALL get_weather {}", "FAIL server_error No.", "REFUSE No."):
            thread = await self._made("/threads", {"messages": [{"role": "user", "content": text}]})
            run = await self._made(f"/threads/{thread['id']}/runs", {"assistant_id": assistant["id"]})
            await asyncio.sleep(0.05)
            for things in ("messages", f"runs/{run['id']}/steps"):
                received = await ask(self.app, "GET", f"/v1/threads/{thread['id']}/{things}", headers=HEADERS)
                self._remember(orjson.loads(received.body))
        await self._made("/threads", {})

    async def _made(self, path: str, body: Wire) -> Wire:
        received = await ask(self.app, "POST", f"/v1{path}", headers=HEADERS, body=orjson.dumps(body))
        made: Wire = orjson.loads(received.body)
        self._remember(made)
        return made

    async def send(self, operation: Operation, case: Case[Any]) -> None:
        """One request, told whole where its answer is wrong."""
        ids = self._ids(case, known=_KNOWN_TO_DELETE if operation.method == "DELETE" else _KNOWN)
        body = self._body(case)
        if operation.name == "submit_tool_outputs" and self.luck.random() < _AWAITED:
            ids, body = await self._awaited(case.body)
        target = f"/v1{operation.path.format_map(ids)}{_query(case)}"
        headers = {**HEADERS, "content-type": case.media_type or "application/json"}
        async with asyncio.timeout(PATIENCE):
            received = await ask(self.app, operation.method, target, headers=headers, body=body)
        self.report.statuses[operation.name, received.status] += 1
        self.report.faults += [
            f"{operation.method} {target} {body[:2000]!r}: {received.status}: {fault}"
            for fault in self.judged(operation, received)
        ]

    def _ids(self, case: Case[Any], *, known: float) -> dict[str, str]:
        """The path's ids: often those of one object that exists."""
        made_up = {name: quote(str(value), safe="%") for name, value in case.path_parameters.items()}
        if self.luck.random() >= known:
            return made_up
        remembered = self._remembered(made_up)
        return {name: remembered.get(name, value) for name, value in made_up.items()}

    async def _awaited(self, body: Any) -> tuple[dict[str, str], bytes]:
        """A run that waits for an output, and a body that has it, whatever else is in it."""
        assistant = await self._made("/assistants", {"model": "gpt-4o", "tools": [WEATHER]})
        thread = await self._made("/threads", {"messages": [{"role": "user", "content": "CALL get_weather {}"}]})
        run = await self._made(f"/threads/{thread['id']}/runs", {"assistant_id": assistant["id"]})
        async with asyncio.timeout(PATIENCE):
            while not run["required_action"]:
                await asyncio.sleep(0.001)
                path = f"/v1/threads/{thread['id']}/runs/{run['id']}"
                run = orjson.loads((await ask(self.app, "GET", path, headers=HEADERS)).body)
        calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
        outputs = [{"tool_call_id": call["id"], "output": "sunny"} for call in calls]
        given = body if isinstance(body, dict) else {}
        return {"thread_id": thread["id"], "run_id": run["id"]}, json.dumps({**given, "tool_outputs": outputs}).encode()

    def _remembered(self, wanted: Any) -> dict[str, str]:
        """Ids that belong together: of the object whose kind is the narrowest that the path speaks of."""
        for name in ("step_id", "message_id", "run_id", "thread_id", "assistant_id"):
            if name in wanted and self.ids.get(name):
                met = self.luck.choice(self.ids[name])
                return {**{key: str(met[key]) for key in _ID_OF.values() if met.get(key)}, name: str(met["id"])}
        return {}

    def _body(self, case: Case[Any]) -> bytes:
        body: Any = case.body
        if isinstance(body, bytes):
            return body
        if not isinstance(body, (dict, list, str, int, float, bool, type(None))):
            return b""
        if (
            isinstance(body, dict)
            and "assistant_id" in body
            and self.ids.get("assistant_id")
            and self.luck.random() < _KNOWN
        ):
            body = {**body, "assistant_id": self.luck.choice(self.ids["assistant_id"])["id"]}
        return json.dumps(body).encode()

    def judged(self, operation: Operation, received: Received) -> Iterator[str]:
        """What is wrong with an answer."""
        if received.status not in DOCUMENTED:
            yield "this status is not documented"
        if b"Traceback" in received.body:
            yield "the answer shows the insides"
        if received.headers["content-type"].startswith("text/event-stream"):
            yield from self._judged_events(received.body)
            return
        body = orjson.loads(received.body)
        if received.status == 200:
            self._remember(body)
            self._forget(body)
            yield from self.schema.faults_of_body(operation, body)
        else:
            yield from self.schema.faults_of_error(body)

    def _judged_events(self, body: bytes) -> Iterator[str]:
        *events, last = SSEDecoder().receive_data(body)
        if last.event != "done":
            yield f"the stream ends with {last.event}"
        for one in events:
            event = Event(one.event, orjson.loads(one.data))
            self._remember(event.data)
            yield from self.schema.faults_of_event(event)

    def _remember(self, body: Wire) -> None:
        for one in body.get("data", [body]):
            name = _ID_OF.get(one.get("object", ""))
            if name is not None:
                met = self.ids.setdefault(name, [])
                met.append(one)
                del met[:-_REMEMBERED]

    def _forget(self, body: Wire) -> None:
        """What is deleted takes what belongs to it along."""
        if body.get("deleted") is True:
            for name, met in self.ids.items():
                self.ids[name] = [one for one in met if body["id"] not in one.values()]


def _query(case: Case[Any]) -> str:
    return f"?{urlencode(case.query, doseq=True)}" if case.query else ""

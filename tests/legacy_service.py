"""A small legacy Assistants service on a loopback port that behaves like the recorded one, with injectable faults."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from threadbridge.api_types import JsonObject


@dataclass(frozen=True)
class ReceivedRequest:
    """One received request."""

    method: str
    raw_path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes


@dataclass
class InjectedFault:
    """A response that replaces the real one `times` times, for requests whose path ends with `path`."""

    path: str
    status: int
    body: bytes
    times: int = 1
    headers: dict[str, str] = field(default_factory=dict[str, str])
    after_handling: bool = False
    delay: float = 0.0


def make_error_body(message: str, *, param: str | None = None, code: str | None = None) -> bytes:
    """The envelope of A3."""
    return orjson.dumps({"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}})


class LegacyService:
    """The state and behaviour of the service; tests change it and read `requests`."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Reset the service to its initial state."""
        self.assistants: dict[str, JsonObject] = {}
        self.threads: dict[str, JsonObject] = {}
        self.messages: dict[str, list[JsonObject]] = {}
        self.runs: dict[str, list[JsonObject]] = {}
        self.steps: dict[str, list[JsonObject]] = {}
        #: Files with their contents; None: the service refuses to send it.
        self.files: dict[str, tuple[JsonObject, bytes | None]] = {}
        #: Vector stores with their files.
        self.vector_stores: dict[str, tuple[JsonObject, list[JsonObject]]] = {}
        self.frames: list[bytes] = []
        self.breaks_stream = False
        self.stream_closed = threading.Event()
        self.run_headers: dict[str, str] = {}
        self.faults: list[InjectedFault] = []
        self.requests: list[ReceivedRequest] = []
        #: Chooses a fault for a path, after `faults`.
        self.choose_fault: Callable[[str], InjectedFault | None] = lambda _: None
        self.latency = 0.0
        self.answer_count = 0
        self.in_flight = 0
        self.max_in_flight = 0

    # -- the wire ----------------------------------------------------------------------------------------------------
    async def handle_request(self, request: Request) -> Response:
        """Record the request, wait for the latency, then return a fault or the response."""
        body = await request.body()
        path = str(request.scope["path"]).removeprefix("/v1").removeprefix("/openai")
        raw = request.scope["raw_path"].decode()
        self.requests.append(
            ReceivedRequest(request.method, raw, request.query_params.multi_items(), dict(request.headers), body)
        )
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        await asyncio.sleep(self.latency)
        self.in_flight -= 1
        self.answer_count += 1
        fault = next((fault for fault in self.faults if fault.times and path.endswith(fault.path)), None)
        fault = fault or self.choose_fault(path)
        if fault is None:
            return self._handle(request, path, orjson.loads(body) if body else {})
        fault.times -= 1
        if fault.after_handling:
            self._handle(request, path, orjson.loads(body) if body else {})
        await asyncio.sleep(fault.delay)
        return Response(fault.body, fault.status, {"content-type": "application/json", **fault.headers})

    def _handle(self, request: Request, path: str, body: JsonObject) -> Response:
        match request.method, path.strip("/").split("/"):
            case "POST", ["threads", _, "runs"] | ["threads", "runs"] if body.get("stream"):
                return StreamingResponse(self._iterate_frames(), media_type="text/event-stream")
            case "GET", ["threads", _, "runs", _, "events"]:
                return StreamingResponse(self._iterate_frames(), media_type="text/event-stream")
            case "GET", ["threads"]:
                return self._make_page_response(request, list(self.threads.values()))
            case "GET", ["threads", thread_id]:
                return self._make_object_response("thread", thread_id, self.threads.get(thread_id))
            case "GET", ["assistants", assistant_id]:
                return self._make_object_response("assistant", assistant_id, self.assistants.get(assistant_id))
            case "GET", ["threads", thread_id, "messages"] if thread_id in self.threads:
                return self._make_page_response(request, self.messages.get(thread_id, []))
            case "GET", ["threads", thread_id, "runs"] if thread_id in self.threads:
                return self._make_page_response(request, self.runs.get(thread_id, []))
            case "GET", ["threads", thread_id, "runs", run_id]:
                run = next((run for run in self.runs.get(thread_id, []) if run["id"] == run_id), None)
                return self._make_object_response("run", run_id, run)
            case "GET", ["threads", _, "runs", run_id, "steps"]:
                return self._make_page_response(request, self.steps.get(run_id, []))
            case "GET", ["files", file_id]:
                return self._make_object_response("file", file_id, self.files.get(file_id, (None,))[0])
            case "GET", ["files", file_id, "content"] if file_id in self.files:
                content = self.files[file_id][1]
                if content is None:
                    return Response(make_error_body("Not allowed to download files of purpose: assistants"), 400)
                return Response(content, 200, {"content-type": "application/octet-stream"})
            case "GET", ["vector_stores", store_id]:
                return self._make_object_response(
                    "vector store", store_id, self.vector_stores.get(store_id, (None,))[0]
                )
            case "GET", ["vector_stores", store_id, "files"] if store_id in self.vector_stores:
                return self._make_page_response(request, self.vector_stores[store_id][1])
            case "POST", ["threads", thread_id, "messages"]:
                message = {"id": f"msg_{len(self.messages.get(thread_id, []))}", "object": "thread.message", **body}
                self.messages.setdefault(thread_id, []).append(message)
                return _make_json_response(message)
            case "POST", [*_, last]:
                return _make_json_response({"id": f"{last}_made", **body})
            case "DELETE", ["threads", thread_id]:
                return _make_json_response({"id": thread_id, "object": "thread.deleted", "deleted": True})
            case _, ["threads", thread_id, *_]:
                return self._make_object_response("thread", thread_id, None)
            case _:
                return Response(make_error_body(f"Invalid URL ({request.method} {path})"), 404)

    def _make_object_response(self, noun: str, object_id: str, obj: JsonObject | None) -> Response:
        if obj is None:
            body = make_error_body(f"No {noun} found with id '{object_id}'.")
            return Response(body, 404, {"x-request-id": "req_404", "content-type": "application/json"})
        return _make_json_response(obj, self.run_headers if noun == "run" else {})

    def _make_page_response(self, request: Request, objects: Sequence[JsonObject]) -> Response:
        limit, order = int(request.query_params.get("limit", 20)), request.query_params.get("order", "desc")
        if limit > 100:
            text = f"Invalid 'limit': integer above maximum value. Expected a value <= 100, but got {limit} instead."
            return Response(make_error_body(text, param="limit", code="integer_above_max_value"), 400)
        ordered = list(objects) if order == "asc" else list(reversed(objects))
        after = request.query_params.get("after")
        start = next((n + 1 for n, each in enumerate(ordered) if each["id"] == after), 0)
        data = ordered[start : start + limit]
        return _make_json_response(
            {
                "object": "list",
                "data": data,
                "first_id": data[0]["id"] if data else None,
                "last_id": data[-1]["id"] if data else None,
                "has_more": start + limit < len(ordered),
            }
        )

    async def _iterate_frames(self) -> AsyncIterator[bytes]:
        try:
            for frame in self.frames:
                yield frame
                await asyncio.sleep(0)
            if self.breaks_stream:
                raise ConnectionResetError
        finally:
            self.stream_closed.set()


def _make_json_response(body: JsonObject, headers: dict[str, str] | None = None) -> Response:
    pretty = orjson.dumps(body, option=orjson.OPT_INDENT_2)  # A4
    return Response(pretty, 200, {"content-type": "application/json", "x-request-id": "req_200", **(headers or {})})


class LegacyServiceServer:
    """Serves a LegacyService from a worker thread; `url` is the base URL for an SDK."""

    def __init__(self, service: LegacyService) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        routes = [Route("/{rest:path}", service.handle_request, methods=["GET", "POST", "DELETE"])]
        config = uvicorn.Config(
            Starlette(routes=routes), log_level="critical", ws="none", lifespan="off", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)

    def __enter__(self) -> LegacyServiceServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)
        self._socket.close()


def add_threads(
    service: LegacyService, threads: int, *, messages: int = 3, text: Callable[[int], str] = str
) -> list[str]:
    """Add threads with messages, each with two runs of two steps and one of three assistants; return their ids."""
    for n in range(3):
        service.assistants[f"asst_{n}"] = {"id": f"asst_{n}", "object": "assistant", "model": "gpt-4o", "top_p": 1.0}
    ids = [f"thread_{n:05}" for n in range(threads)]
    for n, thread_id in enumerate(ids):
        service.threads[thread_id] = {"id": thread_id, "object": "thread", "metadata": {}, "x_new_field": [n, None]}
        service.messages[thread_id] = [
            {
                "id": f"msg_{n:05}_{m:03}",
                "object": "thread.message",
                "thread_id": thread_id,
                "assistant_id": None,
                "content": [{"type": "text", "text": {"value": text(m), "annotations": []}}],
            }
            for m in range(messages)
        ]
        service.runs[thread_id] = [
            {"id": f"run_{n:05}_{r}", "object": "thread.run", "thread_id": thread_id, "assistant_id": f"asst_{n % 3}"}
            for r in range(2)
        ]
        for run in service.runs[thread_id]:
            service.steps[run["id"]] = [
                {"id": f"step_{run['id'][4:]}_{s}", "object": "thread.run.step", "run_id": run["id"]} for s in range(2)
            ]
    return ids

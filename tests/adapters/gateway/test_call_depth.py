"""From the gateway's handler of a request to the function of `service` that decides, few frames of ours are entered."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

import orjson
import pytest
from starlette.types import Message, Receive, Scope, Send

from tests.request_context import CONTEXT
from threadbridge.api_types import JsonMapping, JsonObject
from threadbridge.errors import Forbidden
from threadbridge.ports import Backend
from threadbridge.service import assistants, messages, runs, threads
from threadbridge.settings import Settings
from threadbridge.wire.routes import OPERATIONS
from threadbridge_adapters.composition import assemble_backend
from threadbridge_adapters.gateway.access_checks import ApiKeyMiddleware
from threadbridge_adapters.gateway.assistants_endpoint import AssistantsEndpoint
from threadbridge_adapters.simulator import SimulatedUpstream, Simulator
from threadbridge_adapters.stores import open_store

MOST_FUNCTIONS = 10
PRODUCT = re.compile(r"/(bridge|adapters)/threadbridge")
HEADERS = [(b"openai-beta", b"assistants=v2")]
RUN: JsonObject = {"assistant_id": "asst_1"}
MESSAGE: JsonObject = {"role": "user", "content": "Hello"}
OUTPUTS: JsonObject = {"tool_outputs": [{"tool_call_id": "call_1", "output": "sunny"}]}
STREAM: JsonObject = {"stream": True}

#: The method of the backend, the function that decides, and the body of the request.
CASES: list[tuple[str, ModuleType, str, JsonObject | None]] = [
    ("create_assistant", assistants, "create", {"model": "gpt-4o"}),
    ("list_assistants", assistants, "list_page", None),
    ("retrieve_assistant", assistants, "retrieve", None),
    ("update_assistant", assistants, "update", {"name": "x"}),
    ("delete_assistant", assistants, "delete", None),
    ("create_thread", threads, "create", {"messages": [MESSAGE]}),
    ("list_threads", threads, "list_page", None),
    ("create_thread_and_run", runs, "create_with_thread", RUN),
    ("stream_thread_and_run", runs, "create_with_thread", RUN | STREAM),
    ("retrieve_thread", threads, "retrieve", None),
    ("update_thread", threads, "update", {"metadata": {}}),
    ("delete_thread", threads, "delete", None),
    ("create_message", messages, "create", MESSAGE),
    ("list_messages", messages, "list_page", None),
    ("retrieve_message", messages, "retrieve", None),
    ("update_message", messages, "update", {"metadata": {}}),
    ("delete_message", messages, "delete", None),
    ("create_run", runs, "create", RUN),
    ("stream_run", runs, "create", RUN | STREAM),
    ("list_runs", runs, "list_page", None),
    ("retrieve_run", runs, "retrieve", None),
    ("follow_run", runs, "retrieve", None),
    ("report_run", runs, "retrieve_report", None),
    ("update_run", runs, "update", {"metadata": {}}),
    ("cancel_run", runs, "cancel", {}),
    ("submit_tool_outputs", runs, "submit_tool_outputs", OUTPUTS),
    ("stream_tool_outputs", runs, "submit_tool_outputs", OUTPUTS | STREAM),
    ("list_steps", runs, "list_steps", None),
    ("retrieve_step", runs, "retrieve_step", None),
]


def list_entered_functions(task: asyncio.Task[Any]) -> list[str]:
    """The functions of ours that the handler has entered to get here: on this thread, and in its task while that waits
    for this thread.
    """
    codes: list[CodeType] = []
    frame: FrameType | None = inspect.currentframe()
    while frame is not None:
        codes.append(frame.f_code)
        frame = frame.f_back
    awaited: Any = task.get_coro()
    while (code := getattr(awaited, "cr_code", None)) is not None:
        codes.append(code)
        awaited = awaited.cr_await
    names = [code.co_qualname for code in dict.fromkeys(codes) if PRODUCT.search(code.co_filename)]
    return [name for name in names if name != ApiKeyMiddleware.__call__.__qualname__]


async def handle_request(endpoint: AssistantsEndpoint, method: str, path: str, body: JsonMapping | None) -> int:
    """The status of the response to a request, as the handler sends it."""
    received = [{"type": "http.request", "body": b"" if body is None else orjson.dumps(body)}]
    sent: list[Message] = []

    async def receive() -> Message:
        return received.pop()

    async def send(message: Message) -> None:
        sent.append(message)

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        await endpoint.handle_request(path, scope, receive, send)

    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": HEADERS}
    await ApiKeyMiddleware(handle, tenant=CONTEXT.tenant, key=None)(scope, receive, send)
    status: int = sent[0]["status"]
    return status


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncGenerator[Backend]:
    store = await open_store(f"sqlite:///{tmp_path / 'threads.db'}")
    opened = assemble_backend(Settings(), store=store, upstream=SimulatedUpstream(Simulator()))
    yield opened
    await opened.aclose()


@pytest.mark.parametrize(("name", "module", "function", "body"), CASES, ids=[case[0] for case in CASES])
async def test_few_functions_are_entered_between_the_handler_and_the_decision(
    name: str,
    module: ModuleType,
    function: str,
    body: JsonMapping | None,
    backend: Backend,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    functions: list[str] = []
    task = asyncio.current_task()
    assert task is not None

    def decide(*_: object, **__: object) -> None:
        functions.extend(list_entered_functions(task))
        raise Forbidden("measured")

    monkeypatch.setattr(module, function, decide)
    operation = next((each for each in OPERATIONS if each.name == name), None)
    operation = operation or next(each for each in OPERATIONS if each.stream_method == name)
    endpoint = AssistantsEndpoint(backend, max_body_bytes=1 << 20, keep_alive_seconds=0)
    path = re.sub(r"{(\w+)_id}", r"\1_1", operation.path)

    assert await handle_request(endpoint, operation.method, path, body) == 403
    assert AssistantsEndpoint.handle_request.__qualname__ in functions
    assert len(functions) <= MOST_FUNCTIONS, functions


def test_every_operation_is_measured() -> None:
    methods = {operation.name for operation in OPERATIONS} | {operation.stream_method for operation in OPERATIONS}

    assert {case[0] for case in CASES} == methods - {None}

"""From the handler of a request to the function that decides it takes few frames."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar, cast

import orjson
import pytest

from tests.request_context import CONTEXT
from threadbridge.ports import Session, Store, WireRequest
from threadbridge.service import messages
from threadbridge.settings import Settings
from threadbridge.wire import dispatch_request
from threadbridge_adapters.composition import assemble_backend
from threadbridge_adapters.simulator import SimulatedUpstream, Simulator

T = TypeVar("T")

MOST_FRAMES = 10


class DirectStore:
    """Runs the work where it is called, with no database behind it."""

    async def write(self, work: Callable[[Session], T], *, tenant: str, large: bool = False) -> T:
        return work(cast("Session", None))

    async def aclose(self) -> None:
        """Nothing is open."""


async def test_a_message_is_created_a_few_frames_below_the_dispatch(monkeypatch: pytest.MonkeyPatch) -> None:
    functions: list[str] = []

    def create(*_: Any) -> dict[str, Any]:
        frame = inspect.currentframe()
        while frame is not None and frame.f_code is not dispatch_request.__code__:
            functions.append(frame.f_code.co_qualname)
            frame = frame.f_back
        return {"id": "msg_1"}

    monkeypatch.setattr(messages, "create", create)
    backend = assemble_backend(
        Settings(performs_runs=False), store=cast("Store", DirectStore()), upstream=SimulatedUpstream(Simulator())
    )
    request = WireRequest(
        "POST",
        "/threads/thread_1/messages",
        headers={"openai-beta": "assistants=v2"},
        body=orjson.dumps({"role": "user", "content": "Hello"}),
    )

    response = await dispatch_request(backend, CONTEXT, request, max_body_bytes=1 << 20)
    await backend.aclose()

    assert (response.status, functions[-1]) == (200, "call_backend")
    assert len(functions) <= MOST_FRAMES, functions

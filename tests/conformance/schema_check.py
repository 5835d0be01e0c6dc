"""A fixture that checks every response and event of a test against the published schema.

It applies in folders whose `conftest.py` imports it, and does nothing without the schema.
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from tests.conformance.published_schema import PublishedSchema, load_published_schema
from threadbridge.api_types import ErrorEnvelope
from threadbridge.errors import BridgeError
from threadbridge.ports import Backend, Event, PolledRun, RequestContext
from threadbridge.wire.dispatch import call_backend
from threadbridge.wire.request_parser import OperationCall
from threadbridge.wire.response_builder import to_wire


class _CheckedEvents(AsyncIterator[Event]):
    """Passes events on and collects their faults."""

    def __init__(self, events: AsyncIterator[Event], schema: PublishedSchema, faults: list[str]) -> None:
        self._events = events
        self._schema = schema
        self._faults = faults

    async def __anext__(self) -> Event:
        event = await anext(self._events)
        self._faults += self._schema.find_event_faults(event)
        return event

    async def aclose(self) -> None:
        close = getattr(self._events, "aclose", None)
        if close is not None:
            await close()


def _make_checked_call(schema: PublishedSchema, faults: list[str]) -> Callable[..., Awaitable[Any]]:
    async def call_and_check(backend: Backend, context: RequestContext, call: OperationCall) -> Any:
        result = await call_backend(backend, context, call)
        if not schema.is_documented(call.operation):
            return result
        if call.is_streamed:
            return _CheckedEvents(result, schema, faults)
        faults.extend(schema.find_body_faults(call.operation, result.run if isinstance(result, PolledRun) else result))
        return result

    return call_and_check


@pytest.fixture(autouse=True)
def published_schema(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    faults: list[str] = []
    schema = load_published_schema()
    if schema is not None:
        _install_checks(schema, faults, monkeypatch)

    yield

    if faults:
        pytest.fail("\n".join(sorted(set(faults))), pytrace=False)


def _install_checks(schema: PublishedSchema, faults: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def checked_error(error: BridgeError) -> tuple[int, ErrorEnvelope]:
        status, envelope = to_wire(error)
        faults.extend(schema.find_error_faults(envelope))
        return status, envelope

    monkeypatch.setattr(importlib.import_module("threadbridge.wire.response_builder"), "to_wire", checked_error)
    dispatch = importlib.import_module("threadbridge.wire.dispatch")
    monkeypatch.setattr(dispatch, "call_backend", _make_checked_call(schema, faults))

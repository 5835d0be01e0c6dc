"""A fixture that holds every answer and event a test causes against the published schema.

It is in force in the folders whose `conftest.py` imports it, and does nothing where the schema is absent.
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Iterator
from typing import cast

import pytest

from tests.conformance.published_schema import PublishedSchema, load_published_schema
from threadbridge.errors import BridgeError
from threadbridge.ports import Backend, Event, Wire
from threadbridge.wire import OPERATIONS, Operation
from threadbridge.wire.error_responses import to_wire
from threadbridge.wire.operations import HANDLERS, Handler, OperationResult
from threadbridge.wire.operations.answers import ObjectResult, StreamResult
from threadbridge.wire.request_parser import OperationCall


class _CheckedEvents(AsyncIterator[Event]):
    """Hands events through, and notes what is wrong with them."""

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


def _make_checked_handler(operation: Operation, schema: PublishedSchema, faults: list[str]) -> Handler:
    handler = HANDLERS[operation.name]

    async def checked(backend: Backend, call: OperationCall) -> OperationResult:
        answered = await handler(backend, call)
        match answered:
            case ObjectResult(body):
                faults.extend(schema.find_body_faults(operation, body))
                return answered
            case StreamResult(events):
                return StreamResult(_CheckedEvents(events, schema, faults))

    return checked


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
    def checked_error(error: BridgeError) -> tuple[int, Wire]:
        status, envelope = to_wire(error)
        faults.extend(schema.find_error_faults(envelope))
        return status, envelope

    # The package has a function of the same name.
    monkeypatch.setattr(importlib.import_module("threadbridge.wire.dispatch"), "to_wire", checked_error)
    handlers = cast("dict[str, Handler]", HANDLERS)
    for operation in filter(schema.is_documented, OPERATIONS):
        monkeypatch.setitem(handlers, operation.name, _make_checked_handler(operation, schema, faults))

"""Routes of responses, conversations and models."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from threadbridge.ports import WireResponse
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator._response_task import ConnectionBrokenError
from threadbridge_adapters.simulator._route_adapters import (
    Asked,
    Handler,
    answered,
    json_body,
    listed,
    looked_up,
    note,
    posted,
    streamed,
)
from threadbridge_adapters.simulator._simulator import Simulator


async def _create(simulator: Simulator, asked: Asked) -> WireResponse:
    body = await json_body(simulator, asked)
    if isinstance(body, dict) and body.get("stream") is True:
        events, request_id = await simulator.stream(body)
        return streamed(simulator, events, request_id)
    try:
        response, request_id = await simulator.create(body)
    except ConnectionBrokenError:
        return WireResponse(200, {"content-type": "application/json"}, _nothing())
    return answered(simulator, response, request_id)


async def _nothing() -> AsyncIterator[bytes]:
    yield b"{"
    raise ConnectionBrokenError


async def _retrieve(simulator: Simulator, asked: Asked) -> WireResponse:
    note(simulator, asked)
    response_id, query = asked.ids["response_id"], asked.query
    if query.get("stream") == "true":
        after = query.get("starting_after", "-1")
        if not after.lstrip("-").isdecimal():
            raise errors.wrong_type("starting_after", "an integer", after)
        return streamed(simulator, simulator.resume(response_id, after=int(after)))
    return answered(simulator, simulator.retrieve(response_id))


ROUTES: Final[tuple[tuple[str, str, Handler], ...]] = (
    ("POST", "/responses", _create),
    ("POST", "/responses/input_tokens", posted(lambda sim, _, body: sim.input_tokens(body))),
    ("GET", "/responses/{response_id}", _retrieve),
    ("DELETE", "/responses/{response_id}", looked_up(lambda sim, ids: sim.delete(ids["response_id"]))),
    ("POST", "/responses/{response_id}/cancel", looked_up(lambda sim, ids: sim.cancel(ids["response_id"]))),
    (
        "GET",
        "/responses/{response_id}/input_items",
        listed(lambda sim, ids, query: sim.input_items(ids["response_id"], query)),
    ),
    ("POST", "/conversations", posted(lambda sim, _, body: sim.conversations.create(body))),
    ("GET", "/conversations/{id}", looked_up(lambda sim, ids: sim.conversations.retrieve(ids["id"]))),
    ("POST", "/conversations/{id}", posted(lambda sim, ids, body: sim.conversations.update(ids["id"], body))),
    ("DELETE", "/conversations/{id}", looked_up(lambda sim, ids: sim.conversations.delete(ids["id"]))),
    (
        "POST",
        "/conversations/{id}/items",
        posted(lambda sim, ids, body: sim.conversations.create_items(ids["id"], body)),
    ),
    (
        "GET",
        "/conversations/{id}/items",
        listed(lambda sim, ids, query: sim.conversations.list_items(ids["id"], query)),
    ),
    (
        "GET",
        "/conversations/{id}/items/{item_id}",
        looked_up(lambda sim, ids: sim.conversations.retrieve_item(ids["id"], ids["item_id"])),
    ),
    (
        "DELETE",
        "/conversations/{id}/items/{item_id}",
        looked_up(lambda sim, ids: sim.conversations.delete_item(ids["id"], ids["item_id"])),
    ),
    (
        "GET",
        "/models",
        looked_up(lambda sim, _: {"object": "list", "data": sim.models.listed(sim.clock.now())}),
    ),
    ("GET", "/models/{model:path}", looked_up(lambda sim, ids: sim.models.described(ids["model"], sim.clock.now()))),
)

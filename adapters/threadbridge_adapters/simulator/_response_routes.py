"""Routes of responses, conversations and models."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from threadbridge.ports import WireResponse
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator._response_task import ConnectionBrokenError
from threadbridge_adapters.simulator._route_adapters import (
    RouteCall,
    RouteHandler,
    json_route,
    make_event_stream_response,
    make_json_response,
    path_route,
    query_route,
    read_json_body,
    record_request,
)
from threadbridge_adapters.simulator._simulator import Simulator


async def _create_response(simulator: Simulator, call: RouteCall) -> WireResponse:
    body = await read_json_body(simulator, call)
    if isinstance(body, dict) and body.get("stream") is True:
        events, request_id = await simulator.stream_response(body)
        return make_event_stream_response(simulator, events, request_id)
    try:
        response, request_id = await simulator.create_response(body)
    except ConnectionBrokenError:
        return WireResponse(200, {"content-type": "application/json"}, _iterate_broken_body())
    return make_json_response(simulator, response, request_id)


async def _iterate_broken_body() -> AsyncIterator[bytes]:
    yield b"{"
    raise ConnectionBrokenError


async def _retrieve_response(simulator: Simulator, call: RouteCall) -> WireResponse:
    record_request(simulator, call)
    response_id, query = call.ids["response_id"], call.query
    if query.get("stream") == "true":
        after = query.get("starting_after", "-1")
        if not after.lstrip("-").isdecimal():
            raise errors.invalid_type("starting_after", "an integer", after)
        return make_event_stream_response(simulator, simulator.resume_stream(response_id, after=int(after)))
    return make_json_response(simulator, simulator.retrieve_response(response_id))


ROUTES: Final[tuple[tuple[str, str, RouteHandler], ...]] = (
    ("POST", "/responses", _create_response),
    ("POST", "/responses/input_tokens", json_route(lambda sim, _, body: sim.count_input_tokens(body))),
    ("GET", "/responses/{response_id}", _retrieve_response),
    ("DELETE", "/responses/{response_id}", path_route(lambda sim, ids: sim.delete_response(ids["response_id"]))),
    ("POST", "/responses/{response_id}/cancel", path_route(lambda sim, ids: sim.cancel_response(ids["response_id"]))),
    (
        "GET",
        "/responses/{response_id}/input_items",
        query_route(lambda sim, ids, query: sim.list_input_items(ids["response_id"], query)),
    ),
    ("POST", "/conversations", json_route(lambda sim, _, body: sim.conversations.create(body))),
    ("GET", "/conversations/{id}", path_route(lambda sim, ids: sim.conversations.retrieve(ids["id"]))),
    ("POST", "/conversations/{id}", json_route(lambda sim, ids, body: sim.conversations.update(ids["id"], body))),
    ("DELETE", "/conversations/{id}", path_route(lambda sim, ids: sim.conversations.delete(ids["id"]))),
    (
        "POST",
        "/conversations/{id}/items",
        json_route(lambda sim, ids, body: sim.conversations.create_items(ids["id"], body)),
    ),
    (
        "GET",
        "/conversations/{id}/items",
        query_route(lambda sim, ids, query: sim.conversations.list_items(ids["id"], query)),
    ),
    (
        "GET",
        "/conversations/{id}/items/{item_id}",
        path_route(lambda sim, ids: sim.conversations.retrieve_item(ids["id"], ids["item_id"])),
    ),
    (
        "DELETE",
        "/conversations/{id}/items/{item_id}",
        path_route(lambda sim, ids: sim.conversations.delete_item(ids["id"], ids["item_id"])),
    ),
    (
        "GET",
        "/models",
        path_route(lambda sim, _: {"object": "list", "data": sim.models.list_models(sim.clock.now())}),
    ),
    (
        "GET",
        "/models/{model:path}",
        path_route(lambda sim, ids: sim.models.retrieve_model(ids["model"], sim.clock.now())),
    ),
)

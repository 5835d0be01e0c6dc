"""The simulator over HTTP: `/v1/responses`, `/v1/conversations`, `/v1/models`. Needs the `gateway` extra."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeAlias

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Send

from threadbridge.ports import Wire
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator._performance import ConnectionBrokenError
from threadbridge_adapters.simulator._simulator import Received, Simulator

#: Parse, ask, answer: what one route does with its simulator.
Handler: TypeAlias = Callable[[Simulator, Request], Awaitable[Response]]

_JSON = "application/json"


class _EventStream(StreamingResponse):
    """Server-sent events; where the script breaks the connection, the body simply never ends."""

    async def stream_response(self, send: Send) -> None:
        try:
            await super().stream_response(send)
        except ConnectionBrokenError:
            return  # the server closes a connection whose body is unfinished


def app(simulator: Simulator) -> Starlette:
    """The simulator as an ASGI application; paths start with `/v1`. Shutting it down closes the simulator."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        yield
        await simulator.aclose()

    routes = [Route(f"/v1{path}", _endpoint(simulator, handler), methods=[method]) for method, path, handler in _ROUTES]
    return Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers={404: _no_such_url, 405: _no_such_url},
    )


def _endpoint(simulator: Simulator, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return await handler(simulator, request)
        except errors.ServiceError as error:
            headers = {**error.headers, "x-request-id": error.request_id or simulator.new_id("req")}
            return Response(orjson.dumps(error.body), error.status, headers, _JSON)

    return endpoint


async def _no_such_url(request: Request, _: Exception) -> Response:
    error = errors.ServiceError(f"Invalid URL ({request.method} {request.url.path})", status=404)
    return Response(orjson.dumps(error.body), error.status, media_type=_JSON)


async def _body(simulator: Simulator, request: Request) -> Any:
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > simulator.limits.body_bytes:
            raise errors.ServiceError("Request body too large.", status=413)
    if not raw:
        return {}
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise errors.ServiceError("We could not parse the JSON body of your request.") from error


def _answer(simulator: Simulator, body: Wire, request_id: str | None = None) -> Response:
    headers = {"x-request-id": request_id or simulator.new_id("req"), "openai-version": "2020-10-01"}
    return Response(orjson.dumps(body), 200, headers, _JSON)


def _stream(simulator: Simulator, events: AsyncGenerator[Wire], request_id: str | None = None) -> Response:
    headers = {"x-request-id": request_id or simulator.new_id("req"), "openai-version": "2020-10-01"}
    return _EventStream(_frames(events), 200, headers, "text/event-stream; charset=utf-8")


async def _frames(events: AsyncGenerator[Wire]) -> AsyncGenerator[bytes]:
    """§8: `event:` equals the event's type, and nothing follows the last event."""
    async with aclosing(events):
        async for event in events:
            yield b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event))


async def _create_response(simulator: Simulator, request: Request) -> Response:
    body = await _body(simulator, request)
    if isinstance(body, dict) and body.get("stream") is True:
        events, request_id = await simulator.stream(body)
        return _stream(simulator, events, request_id)
    try:
        response, request_id = await simulator.create(body)
    except ConnectionBrokenError:
        return _EventStream(_nothing(), 200, media_type=_JSON)
    return _answer(simulator, response, request_id)


async def _nothing() -> AsyncIterator[bytes]:
    yield b"{"
    raise ConnectionBrokenError


async def _retrieve_response(simulator: Simulator, request: Request) -> Response:
    response_id = _noted(simulator, request)["response_id"]
    if request.query_params.get("stream") == "true":
        after = request.query_params.get("starting_after", "-1")
        if not after.lstrip("-").isdecimal():
            raise errors.wrong_type("starting_after", "an integer", after)
        return _stream(simulator, simulator.resume(response_id, after=int(after)))
    return _answer(simulator, simulator.retrieve(response_id))


async def _delete_response(simulator: Simulator, request: Request) -> Response:
    return _answer(simulator, simulator.delete(_noted(simulator, request)["response_id"]))


async def _cancel_response(simulator: Simulator, request: Request) -> Response:
    return _answer(simulator, simulator.cancel(_noted(simulator, request)["response_id"]))


async def _input_items(simulator: Simulator, request: Request) -> Response:
    ids = _noted(simulator, request)
    return _answer(simulator, simulator.input_items(ids["response_id"], request.query_params))


async def _input_tokens(simulator: Simulator, request: Request) -> Response:
    return _answer(simulator, simulator.input_tokens(await _noted_body(simulator, request)))


async def _create_conversation(simulator: Simulator, request: Request) -> Response:
    return _answer(simulator, simulator.conversations.create(await _noted_body(simulator, request)))


async def _retrieve_conversation(simulator: Simulator, request: Request) -> Response:
    return _answer(simulator, simulator.conversations.retrieve(_noted(simulator, request)["conversation_id"]))


async def _update_conversation(simulator: Simulator, request: Request) -> Response:
    body = await _noted_body(simulator, request)
    return _answer(simulator, simulator.conversations.update(request.path_params["conversation_id"], body))


async def _delete_conversation(simulator: Simulator, request: Request) -> Response:
    return _answer(simulator, simulator.conversations.delete(_noted(simulator, request)["conversation_id"]))


async def _create_items(simulator: Simulator, request: Request) -> Response:
    body = await _noted_body(simulator, request)
    return _answer(simulator, simulator.conversations.create_items(request.path_params["conversation_id"], body))


async def _list_items(simulator: Simulator, request: Request) -> Response:
    ids = _noted(simulator, request)
    return _answer(simulator, simulator.conversations.list_items(ids["conversation_id"], request.query_params))


async def _retrieve_item(simulator: Simulator, request: Request) -> Response:
    ids = _noted(simulator, request)
    return _answer(simulator, simulator.conversations.retrieve_item(ids["conversation_id"], ids["item_id"]))


async def _delete_item(simulator: Simulator, request: Request) -> Response:
    ids = _noted(simulator, request)
    return _answer(simulator, simulator.conversations.delete_item(ids["conversation_id"], ids["item_id"]))


async def _list_models(simulator: Simulator, request: Request) -> Response:
    _noted(simulator, request)
    return _answer(simulator, {"object": "list", "data": simulator.models.listed(simulator.clock.now())})


async def _retrieve_model(simulator: Simulator, request: Request) -> Response:
    model = _noted(simulator, request)["model"]
    return _answer(simulator, simulator.models.described(model, simulator.clock.now()))


def _noted(simulator: Simulator, request: Request, body: Any = None) -> dict[str, str]:
    """Remember the request; give the ids in its path."""
    simulator.requests.append(Received(request.method, request.url.path.removeprefix("/v1"), body))
    return request.path_params


async def _noted_body(simulator: Simulator, request: Request) -> Any:
    body = await _body(simulator, request)
    _noted(simulator, request, body)
    return body


_ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/responses", _create_response),
    ("POST", "/responses/input_tokens", _input_tokens),
    ("GET", "/responses/{response_id}", _retrieve_response),
    ("DELETE", "/responses/{response_id}", _delete_response),
    ("POST", "/responses/{response_id}/cancel", _cancel_response),
    ("GET", "/responses/{response_id}/input_items", _input_items),
    ("POST", "/conversations", _create_conversation),
    ("GET", "/conversations/{conversation_id}", _retrieve_conversation),
    ("POST", "/conversations/{conversation_id}", _update_conversation),
    ("DELETE", "/conversations/{conversation_id}", _delete_conversation),
    ("POST", "/conversations/{conversation_id}/items", _create_items),
    ("GET", "/conversations/{conversation_id}/items", _list_items),
    ("GET", "/conversations/{conversation_id}/items/{item_id}", _retrieve_item),
    ("DELETE", "/conversations/{conversation_id}/items/{item_id}", _delete_item),
    ("GET", "/models", _list_models),
    ("GET", "/models/{model:path}", _retrieve_model),
)

"""The routes below `/v1` and their choice, for every transport."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import unquote

from threadbridge.api_types import is_json_object
from threadbridge.ports import PassthroughRequest, WireResponse
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator._event_stream import ConnectionBrokenError
from threadbridge_adapters.simulator._files import MAX_PART_BYTES
from threadbridge_adapters.simulator._route_handlers import (
    RouteCall,
    RouteHandler,
    download_route,
    form_route,
    json_route,
    make_error_response,
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
    if is_json_object(body) and body.get("stream") is True:
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


_upload_container_file = form_route(lambda sim, ids, form: sim.containers.create_file(ids["id"], form), field="file")
_copy_container_file = json_route(lambda sim, ids, body: sim.containers.copy_file(ids["id"], body))


async def _add_container_file(simulator: Simulator, call: RouteCall) -> WireResponse:
    """Create a container file: a form contains the file, a JSON body references an uploaded one."""
    is_json = call.request.headers.get("content-type", "").startswith("application/json")
    return await (_copy_container_file if is_json else _upload_container_file)(simulator, call)


#: Responses, conversations and models.
_RESPONSE_ROUTES: Final[tuple[tuple[str, str, RouteHandler], ...]] = (
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
#: Files, uploads, vector stores and containers.
_FILE_ROUTES: Final[tuple[tuple[str, str, RouteHandler], ...]] = (
    ("POST", "/files", form_route(lambda sim, _, form: sim.files.create(form), field="file")),
    ("GET", "/files", query_route(lambda sim, _, query: sim.files.list_all(query))),
    ("GET", "/files/{id}", path_route(lambda sim, ids: sim.files.retrieve(ids["id"]))),
    ("GET", "/files/{id}/content", download_route(lambda sim, ids: sim.files.get_downloadable_bytes(ids["id"]))),
    ("DELETE", "/files/{id}", path_route(lambda sim, ids: sim.files.delete(ids["id"]))),
    ("POST", "/uploads", json_route(lambda sim, _, body: sim.uploads.create(body))),
    (
        "POST",
        "/uploads/{id}/parts",
        form_route(
            lambda sim, ids, form: sim.uploads.add_part(ids["id"], form), field="data", max_bytes=MAX_PART_BYTES
        ),
    ),
    ("POST", "/uploads/{id}/complete", json_route(lambda sim, ids, body: sim.uploads.complete(ids["id"], body))),
    ("POST", "/uploads/{id}/cancel", path_route(lambda sim, ids: sim.uploads.cancel(ids["id"]))),
    ("POST", "/vector_stores", json_route(lambda sim, _, body: sim.vector_stores.create(body))),
    ("GET", "/vector_stores", query_route(lambda sim, _, query: sim.vector_stores.list_all(query))),
    ("GET", "/vector_stores/{id}", path_route(lambda sim, ids: sim.vector_stores.retrieve(ids["id"]))),
    ("POST", "/vector_stores/{id}", json_route(lambda sim, ids, body: sim.vector_stores.update(ids["id"], body))),
    ("DELETE", "/vector_stores/{id}", path_route(lambda sim, ids: sim.vector_stores.delete(ids["id"]))),
    (
        "POST",
        "/vector_stores/{id}/search",
        json_route(lambda sim, ids, body: sim.vector_search.search(ids["id"], body)),
    ),
    (
        "POST",
        "/vector_stores/{id}/files",
        json_route(lambda sim, ids, body: sim.vector_stores.add_file(ids["id"], body)),
    ),
    (
        "GET",
        "/vector_stores/{id}/files",
        query_route(lambda sim, ids, query: sim.vector_stores.list_files(ids["id"], query)),
    ),
    (
        "GET",
        "/vector_stores/{id}/files/{file_id}",
        path_route(lambda sim, ids: sim.vector_stores.retrieve_file(ids["id"], ids["file_id"])),
    ),
    (
        "POST",
        "/vector_stores/{id}/files/{file_id}",
        json_route(lambda sim, ids, body: sim.vector_stores.update_file(ids["id"], ids["file_id"], body)),
    ),
    (
        "DELETE",
        "/vector_stores/{id}/files/{file_id}",
        path_route(lambda sim, ids: sim.vector_stores.delete_file(ids["id"], ids["file_id"])),
    ),
    (
        "GET",
        "/vector_stores/{id}/files/{file_id}/content",
        path_route(lambda sim, ids: sim.vector_stores.list_file_chunks(ids["id"], ids["file_id"])),
    ),
    (
        "POST",
        "/vector_stores/{id}/file_batches",
        json_route(lambda sim, ids, body: sim.vector_stores.create_batch(ids["id"], body)),
    ),
    (
        "GET",
        "/vector_stores/{id}/file_batches/{batch_id}",
        path_route(lambda sim, ids: sim.vector_stores.retrieve_batch(ids["id"], ids["batch_id"])),
    ),
    (
        "POST",
        "/vector_stores/{id}/file_batches/{batch_id}/cancel",
        path_route(lambda sim, ids: sim.vector_stores.cancel_batch(ids["id"], ids["batch_id"])),
    ),
    (
        "GET",
        "/vector_stores/{id}/file_batches/{batch_id}/files",
        query_route(lambda sim, ids, query: sim.vector_stores.list_batch_files(ids["id"], ids["batch_id"], query)),
    ),
    ("POST", "/containers", json_route(lambda sim, _, body: sim.containers.create(body))),
    ("GET", "/containers", query_route(lambda sim, _, query: sim.containers.list_all(query))),
    ("GET", "/containers/{id}", path_route(lambda sim, ids: sim.containers.retrieve(ids["id"]))),
    ("DELETE", "/containers/{id}", path_route(lambda sim, ids: sim.containers.delete(ids["id"]))),
    ("POST", "/containers/{id}/files", _add_container_file),
    ("GET", "/containers/{id}/files", query_route(lambda sim, ids, query: sim.containers.list_files(ids["id"], query))),
    (
        "GET",
        "/containers/{id}/files/{file_id}",
        path_route(lambda sim, ids: sim.containers.retrieve_file(ids["id"], ids["file_id"])),
    ),
    (
        "GET",
        "/containers/{id}/files/{file_id}/content",
        download_route(lambda sim, ids: sim.containers.read_file_content(ids["id"], ids["file_id"])),
    ),
    (
        "DELETE",
        "/containers/{id}/files/{file_id}",
        path_route(lambda sim, ids: sim.containers.delete_file(ids["id"], ids["file_id"])),
    ),
)


_PATH_PARAMETER: Final = re.compile(r"\{(\w+)(:path)?\}")


_ROUTES: Final[tuple[tuple[str, re.Pattern[str], RouteHandler], ...]] = tuple(
    (
        method,
        re.compile(_PATH_PARAMETER.sub(lambda found: f"(?P<{found[1]}>{'.+' if found[2] else '[^/]+'})", path)),
        handler,
    )
    for method, path, handler in (*_RESPONSE_ROUTES, *_FILE_ROUTES)
)


async def handle_request(simulator: Simulator, request: PassthroughRequest) -> WireResponse:
    """The simulator's response, also for errors. A streamed body raises where the script breaks the connection."""
    try:
        is_missing = simulator.quirks.is_missing_path(request.method, request.path)
        for method, pattern, handler in _ROUTES:
            found = pattern.fullmatch(request.path) if method == request.method else None
            if found is not None and not is_missing:
                ids = {name: unquote(value) for name, value in found.groupdict().items()}
                return await handler(simulator, RouteCall(request, ids))
    except errors.ServiceError as error:
        return make_error_response(simulator, error)
    text = f"Invalid URL ({request.method} /v1{request.path})"
    return make_error_response(simulator, errors.ServiceError(text, status=404))

"""Routes of files, uploads, vector stores and containers."""

from __future__ import annotations

from typing import Final

from threadbridge.ports import WireResponse
from threadbridge_adapters.simulator._route_adapters import (
    RouteCall,
    RouteHandler,
    download_route,
    form_route,
    json_route,
    path_route,
    query_route,
)
from threadbridge_adapters.simulator._simulator import Simulator
from threadbridge_adapters.simulator._uploads import MAX_PART_BYTES

_upload_container_file = form_route(lambda sim, ids, form: sim.containers.create_file(ids["id"], form), field="file")
_copy_container_file = json_route(lambda sim, ids, body: sim.containers.copy_file(ids["id"], body))


async def _add_container_file(simulator: Simulator, call: RouteCall) -> WireResponse:
    """Create a container file: a form contains the file, a JSON body references an uploaded one."""
    is_json = call.request.headers.get("content-type", "").startswith("application/json")
    return await (_copy_container_file if is_json else _upload_container_file)(simulator, call)


ROUTES: Final[tuple[tuple[str, str, RouteHandler], ...]] = (
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

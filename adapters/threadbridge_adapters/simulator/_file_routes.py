"""Routes of files, uploads, vector stores and containers."""

from __future__ import annotations

from typing import Final

from threadbridge.ports import WireResponse
from threadbridge_adapters.simulator._route_adapters import Asked, Handler, fetched, listed, looked_up, posted, sent
from threadbridge_adapters.simulator._simulator import Simulator
from threadbridge_adapters.simulator._uploads import LARGEST_PART

_FORM = sent(lambda sim, ids, form: sim.containers.create_file(ids["id"], form), field="file")
_COPY = posted(lambda sim, ids, body: sim.containers.copy_file(ids["id"], body))


async def _add_container_file(simulator: Simulator, asked: Asked) -> WireResponse:
    """A form brings a file of its own, JSON names an uploaded one."""
    is_json = asked.request.headers.get("content-type", "").startswith("application/json")
    return await (_COPY if is_json else _FORM)(simulator, asked)


ROUTES: Final[tuple[tuple[str, str, Handler], ...]] = (
    ("POST", "/files", sent(lambda sim, _, form: sim.files.create(form), field="file")),
    ("GET", "/files", listed(lambda sim, _, query: sim.files.list_all(query))),
    ("GET", "/files/{id}", looked_up(lambda sim, ids: sim.files.retrieve(ids["id"]))),
    ("GET", "/files/{id}/content", fetched(lambda sim, ids: sim.files.content(ids["id"]))),
    ("DELETE", "/files/{id}", looked_up(lambda sim, ids: sim.files.delete(ids["id"]))),
    ("POST", "/uploads", posted(lambda sim, _, body: sim.uploads.create(body))),
    (
        "POST",
        "/uploads/{id}/parts",
        sent(lambda sim, ids, form: sim.uploads.add_part(ids["id"], form), field="data", most=LARGEST_PART),
    ),
    ("POST", "/uploads/{id}/complete", posted(lambda sim, ids, body: sim.uploads.complete(ids["id"], body))),
    ("POST", "/uploads/{id}/cancel", looked_up(lambda sim, ids: sim.uploads.cancel(ids["id"]))),
    ("POST", "/vector_stores", posted(lambda sim, _, body: sim.vector_stores.create(body))),
    ("GET", "/vector_stores", listed(lambda sim, _, query: sim.vector_stores.list_all(query))),
    ("GET", "/vector_stores/{id}", looked_up(lambda sim, ids: sim.vector_stores.retrieve(ids["id"]))),
    ("POST", "/vector_stores/{id}", posted(lambda sim, ids, body: sim.vector_stores.update(ids["id"], body))),
    ("DELETE", "/vector_stores/{id}", looked_up(lambda sim, ids: sim.vector_stores.delete(ids["id"]))),
    ("POST", "/vector_stores/{id}/search", posted(lambda sim, ids, body: sim.searches.search(ids["id"], body))),
    ("POST", "/vector_stores/{id}/files", posted(lambda sim, ids, body: sim.vector_stores.add_file(ids["id"], body))),
    (
        "GET",
        "/vector_stores/{id}/files",
        listed(lambda sim, ids, query: sim.vector_stores.list_files(ids["id"], query)),
    ),
    (
        "GET",
        "/vector_stores/{id}/files/{file_id}",
        looked_up(lambda sim, ids: sim.vector_stores.retrieve_file(ids["id"], ids["file_id"])),
    ),
    (
        "POST",
        "/vector_stores/{id}/files/{file_id}",
        posted(lambda sim, ids, body: sim.vector_stores.update_file(ids["id"], ids["file_id"], body)),
    ),
    (
        "DELETE",
        "/vector_stores/{id}/files/{file_id}",
        looked_up(lambda sim, ids: sim.vector_stores.delete_file(ids["id"], ids["file_id"])),
    ),
    (
        "GET",
        "/vector_stores/{id}/files/{file_id}/content",
        looked_up(lambda sim, ids: sim.vector_stores.file_content(ids["id"], ids["file_id"])),
    ),
    (
        "POST",
        "/vector_stores/{id}/file_batches",
        posted(lambda sim, ids, body: sim.vector_stores.create_batch(ids["id"], body)),
    ),
    (
        "GET",
        "/vector_stores/{id}/file_batches/{batch_id}",
        looked_up(lambda sim, ids: sim.vector_stores.retrieve_batch(ids["id"], ids["batch_id"])),
    ),
    (
        "POST",
        "/vector_stores/{id}/file_batches/{batch_id}/cancel",
        looked_up(lambda sim, ids: sim.vector_stores.cancel_batch(ids["id"], ids["batch_id"])),
    ),
    (
        "GET",
        "/vector_stores/{id}/file_batches/{batch_id}/files",
        listed(lambda sim, ids, query: sim.vector_stores.list_batch_files(ids["id"], ids["batch_id"], query)),
    ),
    ("POST", "/containers", posted(lambda sim, _, body: sim.containers.create(body))),
    ("GET", "/containers", listed(lambda sim, _, query: sim.containers.list_all(query))),
    ("GET", "/containers/{id}", looked_up(lambda sim, ids: sim.containers.retrieve(ids["id"]))),
    ("DELETE", "/containers/{id}", looked_up(lambda sim, ids: sim.containers.delete(ids["id"]))),
    ("POST", "/containers/{id}/files", _add_container_file),
    ("GET", "/containers/{id}/files", listed(lambda sim, ids, query: sim.containers.list_files(ids["id"], query))),
    (
        "GET",
        "/containers/{id}/files/{file_id}",
        looked_up(lambda sim, ids: sim.containers.retrieve_file(ids["id"], ids["file_id"])),
    ),
    (
        "GET",
        "/containers/{id}/files/{file_id}/content",
        fetched(lambda sim, ids: sim.containers.file_content(ids["id"], ids["file_id"])),
    ),
    (
        "DELETE",
        "/containers/{id}/files/{file_id}",
        looked_up(lambda sim, ids: sim.containers.delete_file(ids["id"], ids["file_id"])),
    ),
)

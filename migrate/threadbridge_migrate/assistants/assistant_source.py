"""Where assistants are read from and put: an archive, a store, a service, or a folder of files."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import cast

from threadbridge.api_types import CreateAssistantBody, JsonMapping, JsonObject
from threadbridge.errors import NotFound
from threadbridge.ports import ListQuery, RequestContext
from threadbridge.runtime.clock_and_ids import SystemClock, new_id
from threadbridge.runtime.plugins import open_backend
from threadbridge.service import assistants
from threadbridge.service.context import ServiceContext
from threadbridge.settings import Settings
from threadbridge_adapters.stores import open_store
from threadbridge_migrate.archive.reader import Archive, Part
from threadbridge_migrate.archive.verification import require_seal
from threadbridge_migrate.export.sources import ArchiveLocation, BackendLocation

_PAGE_SIZE = 100


async def read_assistants(place: ArchiveLocation | BackendLocation) -> dict[str, JsonObject]:
    """All assistants of a place by id. Raises ArchiveError, StoreError, and the error of a rejected key."""
    if isinstance(place, ArchiveLocation):
        archive = Archive.open(place.path)
        require_seal(archive, unsealed=False)
        return {assistant["id"]: assistant for assistant in archive.read_part(Part.ASSISTANTS)}
    found: dict[str, JsonObject] = {}
    backend = await open_backend(_without_runs(place.settings))
    try:
        after: str | None = None
        while True:
            query = ListQuery(limit=_PAGE_SIZE, order="asc", after=after)
            page = await backend.list_assistants(RequestContext(place.settings.tenant), query)
            found |= {assistant["id"]: {**assistant} for assistant in page["data"]}
            if not page["has_more"] or not page["data"]:
                return found
            after = page["data"][-1]["id"]
    finally:
        await backend.aclose()


def _without_runs(settings: Settings) -> Settings:
    """The settings of a process that performs no runs: a store needs no key of an upstream then."""
    return settings.model_copy(update={"performs_runs": False}) if settings.backend == "responses" else settings


async def put_assistants(place: BackendLocation, bodies: Mapping[str, JsonMapping]) -> dict[str, str]:
    """Store or update the assistants; their ids in that place by their own.

    A store keeps ids, a service assigns new ones to assistants that it does not have.
    """
    settings = place.settings
    if settings.backend == "responses":
        store = await open_store(settings.store)
        try:
            context = ServiceContext(SystemClock().now(), new_id, "")
            declared = cast("Mapping[str, CreateAssistantBody]", bodies)
            work = partial(assistants.put_declared, context=context, bodies=declared)
            await store.write(work, tenant=settings.tenant)
        finally:
            await store.aclose()
        return {assistant_id: assistant_id for assistant_id in bodies}
    backend, request = await open_backend(settings), RequestContext(settings.tenant)
    ids: dict[str, str] = {}
    try:
        for assistant_id, body in bodies.items():
            try:
                updated = await backend.update_assistant(request, assistant_id, body)
            except NotFound:
                updated = await backend.create_assistant(request, body)
            ids[assistant_id] = updated["id"]
    finally:
        await backend.aclose()
    return ids

"""The two transactions that most tests of a store begin with."""

from __future__ import annotations

from threadbridge.api_types import JsonMapping, JsonValue
from threadbridge.ports import ObjectKind, Session, Store

TENANT = "tenant_a"
KINDS = list(ObjectKind)


async def add_objects(store: Store, *objects: tuple[ObjectKind, JsonMapping], tenant: str = TENANT) -> None:
    def work(session: Session) -> None:
        for kind, body in objects:
            session.add(kind, body)

    await store.write(work, tenant=tenant)


async def get_object(store: Store, kind: ObjectKind, object_id: str, *, tenant: str = TENANT) -> JsonValue:
    return await store.read(lambda session: session.get(kind, object_id), tenant=tenant)

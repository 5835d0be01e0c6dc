"""Objects by id: what goes in comes back (`ports.Session.add`, `get`, `put`, `remove`)."""

from __future__ import annotations

import pytest

from tests.contract.store.single_transaction import KINDS, TENANT, add_objects, get_object
from tests.stored_objects import ONE_OF_EACH, message, thread
from threadbridge.api_types import JsonObject
from threadbridge.errors import Conflict, StoreError
from threadbridge.ports import ObjectKind, Session, Store


@pytest.mark.parametrize("kind", KINDS)
async def test_an_object_comes_back_key_for_key(store: Store, kind: ObjectKind) -> None:
    body: JsonObject = {**ONE_OF_EACH[kind], "z": None, "a": {"z": 1, "a": [1.5, True]}}
    await add_objects(store, (kind, body))

    found = await get_object(store, kind, body["id"])

    assert found == body
    assert list(found) == list(body)


@pytest.mark.parametrize("kind", KINDS)
async def test_what_a_caller_does_to_an_object_changes_nothing_stored(store: Store, kind: ObjectKind) -> None:
    body = ONE_OF_EACH[kind]
    await add_objects(store, (kind, body))

    (await get_object(store, kind, body["id"])).clear()

    assert await get_object(store, kind, body["id"]) == body


@pytest.mark.parametrize("kind", KINDS)
async def test_an_unknown_object_is_none_and_cannot_be_put_or_removed(store: Store, kind: ObjectKind) -> None:
    body = ONE_OF_EACH[kind]

    found = await get_object(store, kind, body["id"])
    removed = await store.write(lambda session: session.remove(kind, body["id"]), tenant=TENANT)

    assert found is None
    assert removed is False
    with pytest.raises(KeyError):
        await store.write(lambda session: session.put(kind, body), tenant=TENANT)


@pytest.mark.parametrize("kind", KINDS)
async def test_an_object_is_replaced_and_keeps_its_place(store: Store, kind: ObjectKind) -> None:
    first = ONE_OF_EACH[kind]
    changed = {**first, "metadata": {"k": "v"}}
    await add_objects(store, (kind, first), (kind, {**first, "id": "second", "status": "completed"}))

    await store.write(lambda session: session.put(kind, changed), tenant=TENANT)

    page = await store.read(lambda session: session.get_page(kind, limit=1, order="asc"), tenant=TENANT)
    assert page.data == [changed]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_removed_object_is_gone_and_its_id_is_free(store: Store, kind: ObjectKind) -> None:
    body = ONE_OF_EACH[kind]
    await add_objects(store, (kind, body))

    removed = await store.write(lambda session: session.remove(kind, body["id"]), tenant=TENANT)

    assert removed is True
    assert await get_object(store, kind, body["id"]) is None
    await add_objects(store, (kind, body))


@pytest.mark.parametrize("kind", KINDS)
async def test_an_id_is_taken_once(store: Store, kind: ObjectKind) -> None:
    body = {**ONE_OF_EACH[kind], "status": "completed"}
    await add_objects(store, (kind, body))

    with pytest.raises(Conflict, match=body["id"]):
        await add_objects(store, (kind, {**body, "changed": True}))

    assert await get_object(store, kind, body["id"]) == body


@pytest.mark.parametrize("text", ["ünïcödé 🧵 \u0000 \u2028 'quotes\" %s :name ?", "x" * 4_000_000], ids=["odd", "big"])
async def test_any_text_comes_back_as_it_went_in(store: Store, text: str) -> None:
    await add_objects(store, (ObjectKind.MESSAGE, message(text=text)))

    assert await get_object(store, ObjectKind.MESSAGE, "msg_1") == message(text=text)


@pytest.mark.parametrize("value", ["\ud800", 2**70], ids=["half a surrogate pair", "a huge integer"])
async def test_what_json_cannot_carry_is_refused_and_nothing_is_kept(store: Store, value: object) -> None:
    with pytest.raises(StoreError, match="thread_1 cannot be stored as JSON"):
        await add_objects(store, (ObjectKind.THREAD, {**thread(), "metadata": {"k": value}}))

    assert await get_object(store, ObjectKind.THREAD, "thread_1") is None


def file(id_: str, blob: str) -> JsonObject:
    return {"id": id_, "created_at": 1, "blob": blob, "file": {"object": "file"}}


async def test_contents_are_found_by_their_digest_within_the_tenant_and_used_by_whomever(store: Store) -> None:
    await add_objects(store, (ObjectKind.FILE, file("file-1", "abc-1")), (ObjectKind.FILE, file("file-2", "abcd-2")))

    found = await store.read(
        lambda session: [session.find_blob_name(digest) for digest in ("ab", "abc", "abcd", "abc-1")], tenant=TENANT
    )
    elsewhere = await store.read(
        lambda session: (session.find_blob_name("abc"), session.is_blob_referenced("abc-1")), tenant="other"
    )

    assert found == [None, "abc-1", "abcd-2", None]
    assert elsewhere == (None, True)


def with_resources(kind: ObjectKind, object_id: str, *resource_ids: str) -> JsonObject:
    return {**ONE_OF_EACH[kind], "id": object_id, "tool_resources": {"code_interpreter": {"file_ids": [*resource_ids]}}}


async def test_the_objects_that_name_a_resource_are_found_as_long_as_they_do(store: Store) -> None:
    await add_objects(
        store,
        (ObjectKind.ASSISTANT, with_resources(ObjectKind.ASSISTANT, "asst_1", "file-1", "file-2")),
        (ObjectKind.THREAD, with_resources(ObjectKind.THREAD, "thread_1", "file-1")),
        (ObjectKind.THREAD, with_resources(ObjectKind.THREAD, "thread_2", "file-1")),
    )

    async def find(resource_id: str, *, tenant: str = TENANT, limit: int = 9) -> list[str]:
        return await store.read(
            lambda session: sorted(session.list_referencing_objects(resource_id, limit=limit)), tenant=tenant
        )

    before = [await find("file-1"), await find("file-2"), await find("file-1", tenant="other")]
    limited = await find("file-1", limit=2)

    def change(session: Session) -> None:
        session.put(ObjectKind.ASSISTANT, with_resources(ObjectKind.ASSISTANT, "asst_1", "file-2", "file-3"))
        session.remove(ObjectKind.THREAD, "thread_1")

    await store.write(change, tenant=TENANT)

    assert before == [["asst_1", "thread_1", "thread_2"], ["asst_1"], []]
    assert len(limited) == 2
    assert [await find(each) for each in ("file-1", "file-2", "file-3")] == [["thread_2"], ["asst_1"], ["asst_1"]]


@pytest.mark.parametrize("kind", KINDS)
async def test_objects_that_are_added_together_come_back_in_their_order(store: Store, kind: ObjectKind) -> None:
    bodies: list[JsonObject] = [{**ONE_OF_EACH[kind], "id": f"{kind}_{n}", "status": "completed"} for n in range(3)]

    await store.write(lambda session: session.add_all(kind, bodies), tenant=TENANT)
    page = await store.read(lambda session: session.get_page(kind, limit=9, order="asc"), tenant=TENANT)

    assert page.data == bodies


@pytest.mark.parametrize("kind", KINDS)
async def test_none_of_several_objects_is_added_if_one_exists(store: Store, kind: ObjectKind) -> None:
    body: JsonObject = {**ONE_OF_EACH[kind], "status": "completed"}
    await add_objects(store, (kind, body))
    bodies: list[JsonObject] = [{**body, "id": "new"}, body]

    with pytest.raises(Conflict):
        await store.write(lambda session: session.add_all(kind, bodies), tenant=TENANT)

    assert await get_object(store, kind, "new") is None

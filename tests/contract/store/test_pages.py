"""Pages by cursor, in order of insertion (`ports.Session.page`)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Literal

import pytest

from tests.contract.store.single_transaction import KINDS, TENANT, add_objects
from tests.stored_objects import ONE_OF_EACH, call, message, run, step
from threadbridge.api_types import JsonMapping
from threadbridge.ports import Entry, ObjectKind, Page, Session, Store

Order = Literal["asc", "desc"]


def model_page(
    ids: Sequence[str], limit: int, order: Order, after: str | None, before: str | None
) -> Page[JsonMapping]:
    """What a page must be, on a plain list."""
    shown = list(ids) if order == "asc" else list(reversed(ids))
    start = 0 if after is None else shown.index(after) + 1
    end = len(shown) if before is None else shown.index(before)
    between = shown[start:end] if start <= end else []
    nearest = between[-limit:] if before is not None and after is None else between[:limit]
    return Page([{"id": id_} for id_ in nearest], has_more=len(between) > limit)


def ids_of(page: Page[JsonMapping]) -> list[str]:
    return [body["id"] for body in page.data]


@pytest.mark.parametrize("kind", KINDS)
async def test_every_page_is_the_one_a_plain_list_gives(store: Store, kind: ObjectKind) -> None:
    ids = [f"id_{n}" for n in (3, 1, 4, 0, 2)]
    await add_objects(store, *((kind, {**ONE_OF_EACH[kind], "id": id_, "status": "completed"}) for id_ in ids))
    orders: tuple[Order, ...] = ("asc", "desc")
    shapes = list(product((1, 2, 4, 5, 6), orders, (None, *ids), (None, *ids)))

    def pages(session: Session) -> list[Page[JsonMapping]]:
        return [
            session.get_page(kind, limit=limit, order=order, after=after, before=before)
            for limit, order, after, before in shapes
        ]

    found = await store.read(pages, tenant=TENANT)

    expected = [model_page(ids, *shape) for shape in shapes]
    assert [(ids_of(page), page.has_more) for page in found] == [(ids_of(page), page.has_more) for page in expected]


@pytest.mark.parametrize("kind", KINDS)
async def test_an_unknown_cursor_gives_an_empty_page(store: Store, kind: ObjectKind) -> None:
    await add_objects(store, (kind, ONE_OF_EACH[kind]))

    def pages(session: Session) -> list[Page[JsonMapping]]:
        return [
            session.get_page(kind, limit=5, order="asc", after="nobody"),
            session.get_page(kind, limit=5, order="desc", before="nobody"),
        ]

    assert await store.read(pages, tenant=TENANT) == [Page([], has_more=False)] * 2


async def two_threads(store: Store) -> None:
    """Messages, runs and steps of two threads, one after the other in turn."""
    for n in range(4):
        of = f"thread_{n % 2}"
        await add_objects(
            store,
            (ObjectKind.MESSAGE, message(f"msg_{n}", of, run_id=f"run_{n % 2}")),
            (ObjectKind.MESSAGE, message(f"msg_{n}_user", of)),
            (ObjectKind.RUN, run(f"run_{n}", of, status="completed")),
            (ObjectKind.STEP, step(f"step_{n}", of, f"run_{n % 2}")),
        )


@pytest.mark.parametrize(
    ("kind", "ids"),
    [
        (ObjectKind.MESSAGE, ["msg_1", "msg_1_user", "msg_3", "msg_3_user"]),
        (ObjectKind.RUN, ["run_1", "run_3"]),
        (ObjectKind.STEP, ["step_1", "step_3"]),
    ],
)
async def test_a_page_of_one_thread_has_no_other(store: Store, kind: ObjectKind, ids: list[str]) -> None:
    await two_threads(store)

    page = await store.read(
        lambda session: session.get_page(kind, limit=9, order="asc", thread_id="thread_1"), tenant=TENANT
    )

    assert ids_of(page) == ids


@pytest.mark.parametrize(
    ("kind", "thread_id", "ids"),
    [
        (ObjectKind.MESSAGE, "thread_1", ["msg_1", "msg_3"]),
        (ObjectKind.MESSAGE, None, ["msg_1", "msg_3"]),
        (ObjectKind.MESSAGE, "thread_0", []),
        (ObjectKind.STEP, "thread_1", ["step_1", "step_3"]),
        (ObjectKind.STEP, None, ["step_1", "step_3"]),
        (ObjectKind.STEP, "thread_0", []),
    ],
)
async def test_a_page_of_one_run_has_no_other(
    store: Store, kind: ObjectKind, thread_id: str | None, ids: list[str]
) -> None:
    await two_threads(store)

    page = await store.read(
        lambda session: session.get_page(kind, limit=9, order="asc", thread_id=thread_id, run_id="run_1"), tenant=TENANT
    )

    assert ids_of(page) == ids


async def test_a_cursor_of_another_thread_is_unknown(store: Store) -> None:
    await two_threads(store)

    page = await store.read(
        lambda session: session.get_page(ObjectKind.MESSAGE, limit=9, order="asc", after="msg_0", thread_id="thread_1"),
        tenant=TENANT,
    )

    assert page == Page([], has_more=False)


async def test_what_is_no_message_is_on_no_page_of_messages(store: Store) -> None:
    await store.write(
        lambda session: session.append_entries("thread_1", [call("c1"), Entry(message=message()), call("c2")]),
        tenant=TENANT,
    )

    page = await store.read(lambda session: session.get_page(ObjectKind.MESSAGE, limit=1, order="desc"), tenant=TENANT)

    assert page == Page([message()], has_more=False)

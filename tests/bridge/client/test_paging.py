from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.bridge.client.stub_backend import ClientVariant, StubBackend, make_async_variant, make_sync_variant
from tests.bridge.client.wire_objects import RUN
from threadbridge.api_types import JsonObject
from threadbridge.ports import ListQuery

MakeFace = Callable[[StubBackend], ClientVariant]


def page(*ids: str, has_more: bool | None) -> JsonObject:
    data = [{**RUN, "id": one} for one in ids]
    ends = {"first_id": ids[0] if ids else None, "last_id": ids[-1] if ids else None}
    return {"object": "list", "data": data, **ends, **({} if has_more is None else {"has_more": has_more})}


def pages() -> StubBackend:
    return StubBackend(list_runs=[page("run_1", "run_2", has_more=True), page("run_3", has_more=False)])


async def collected(tb: Any) -> list[str]:
    return [run.id async for run in tb.threads.runs.list("thread_1", limit=2, order="asc", before="run_9")]


async def test_iterating_fetches_page_after_page_with_the_same_question() -> None:
    backend = pages()

    ids = await collected(make_async_variant(backend).client)

    assert ids == ["run_1", "run_2", "run_3"]
    assert backend.list_bodies("list_runs") == [
        ListQuery(limit=2, order="asc", before="run_9"),
        ListQuery(limit=2, order="asc", after="run_2"),
    ]


def test_iterating_synchronously_fetches_page_after_page() -> None:
    backend = pages()

    ids = [run.id for run in make_sync_variant(backend).client.threads.runs.list("thread_1")]

    assert ids == ["run_1", "run_2", "run_3"]
    assert backend.list_bodies("list_runs") == [ListQuery(), ListQuery(after="run_2")]


async def test_a_page_shows_the_envelope_and_leads_to_the_next(face: MakeFace) -> None:
    at = face(pages())

    first = await at.call(lambda tb: tb.threads.runs.list("thread_1"))
    second = await at.call(lambda tb: first.get_next_page())

    assert first.model_dump(mode="json", exclude_unset=True) == page("run_1", "run_2", has_more=True)
    assert (first.first_id, first.last_id, first.has_more, first.has_next_page()) == ("run_1", "run_2", True, True)
    assert [run.id for run in second.data] == ["run_3"]
    assert not second.has_next_page()


async def test_there_is_no_page_after_the_last(face: MakeFace) -> None:
    at = face(StubBackend(list_runs=[page(has_more=False)]))
    only = await at.call(lambda tb: tb.threads.runs.list("thread_1"))

    with pytest.raises(RuntimeError, match="no further page"):
        await at.call(lambda tb: only.get_next_page())


async def test_pages_can_be_iterated_one_by_one() -> None:
    first = await make_async_variant(pages()).client.threads.runs.list("thread_1")
    same = make_sync_variant(pages()).client.threads.runs.list("thread_1")

    sizes = [len(one.data) async for one in first.iter_pages()]

    assert sizes == [len(one.data) for one in same.iter_pages()] == [2, 1]


def test_a_service_that_does_not_say_whether_there_is_more_is_asked_until_it_has_nothing() -> None:
    backend = StubBackend(list_runs=[page("run_1", has_more=None), page(has_more=None)])

    ids = [run.id for run in make_sync_variant(backend).client.threads.runs.list("thread_1")]

    assert ids == ["run_1"]
    assert backend.list_operations() == ["list_runs", "list_runs"]

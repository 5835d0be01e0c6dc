"""`/v1/vector_stores` of the simulator: stores, files in them, batches and searches."""

from __future__ import annotations

import pytest

from tests.adapters.simulator.simulator_client import (
    CountingIds,
    create_vector_store,
    expect_request_rejection,
    send_request,
    upload_file,
)
from tests.manual_clock import ManualClock
from threadbridge.api_types import JsonObject
from threadbridge.errors import UpstreamError
from threadbridge_adapters.simulator import Simulator, SimulatorLimits

_DAY = 86_400
_USUAL = {"type": "static", "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}}
_DONE = {"in_progress": 0, "completed": 1, "failed": 0, "cancelled": 0, "total": 1}
_BUSY = {"in_progress": 1, "completed": 0, "failed": 0, "cancelled": 0, "total": 1}


async def test_a_new_store_has_the_keys_of_recordings_in_their_order(simulator: Simulator) -> None:
    store = await send_request(simulator, "POST", "/vector_stores", {"name": "foods", "metadata": {"a": "b"}})

    assert list(store.items()) == [
        ("id", "vs_1"),
        ("object", "vector_store"),
        ("created_at", 1_795_258_800),
        ("name", "foods"),
        ("description", None),
        ("usage_bytes", 0),
        ("file_counts", {"in_progress": 0, "completed": 0, "failed": 0, "cancelled": 0, "total": 0}),
        ("status", "completed"),
        ("expires_after", None),
        ("expires_at", None),
        ("last_active_at", 1_795_258_800),
        ("metadata", {"a": "b"}),
    ]


async def test_a_file_is_in_progress_when_added_and_ready_at_the_next_look(simulator: Simulator) -> None:
    file = await upload_file(simulator, "Travis likes pizza.")
    store = await send_request(simulator, "POST", "/vector_stores", {})

    added = await send_request(simulator, "POST", f"/vector_stores/{store['id']}/files", {"file_id": file["id"]})
    ready = await send_request(simulator, "GET", f"/vector_stores/{store['id']}/files/{file['id']}")

    assert added == {
        "id": "file_1",
        "object": "vector_store.file",
        "usage_bytes": 0,
        "created_at": 1_795_258_800,
        "vector_store_id": "vs_1",
        "status": "in_progress",
        "last_error": None,
        "chunking_strategy": _USUAL,
        "attributes": {},
    }
    assert ready == {**added, "status": "completed", "usage_bytes": 19}


async def test_indexing_can_be_made_slow(simulator: Simulator, clock: ManualClock) -> None:
    simulator.vector_stores.indexing_seconds = 30
    store_id = await create_vector_store(simulator, "pizza")

    before = await send_request(simulator, "GET", f"/vector_stores/{store_id}")
    nothing = await send_request(simulator, "POST", f"/vector_stores/{store_id}/search", {"query": "pizza"})
    clock.advance(30)
    after = await send_request(simulator, "GET", f"/vector_stores/{store_id}")

    assert (before["status"], before["file_counts"], nothing["data"]) == ("in_progress", _BUSY, [])
    assert (after["status"], after["file_counts"]) == ("completed", _DONE)


async def test_a_store_expires_days_after_it_was_last_used(simulator: Simulator, clock: ManualClock) -> None:
    store_id = await create_vector_store(simulator, "pizza", expires_after={"anchor": "last_active_at", "days": 2})

    clock.advance(_DAY)
    await send_request(simulator, "POST", f"/vector_stores/{store_id}/search", {"query": "pizza"})
    clock.advance(2 * _DAY - 1)
    alive = await send_request(simulator, "GET", f"/vector_stores/{store_id}")
    clock.advance(1)
    expired = await send_request(simulator, "GET", f"/vector_stores/{store_id}")
    error = await expect_request_rejection(simulator, "POST", f"/vector_stores/{store_id}/search", {"query": "pizza"})

    assert (alive["status"], expired["status"]) == ("completed", "expired")
    assert alive["expires_at"] == alive["last_active_at"] + 2 * _DAY
    assert error.message == "Vector store 'vs_1' is expired."


async def test_a_store_can_be_changed_listed_and_deleted(simulator: Simulator) -> None:
    first, second = await create_vector_store(simulator), await create_vector_store(simulator)

    changed = await send_request(simulator, "POST", f"/vector_stores/{first}", {"name": "new", "metadata": {"a": "b"}})
    listed = await send_request(simulator, "GET", "/vector_stores?limit=1")
    deleted = await send_request(simulator, "DELETE", f"/vector_stores/{second}")
    error = await expect_request_rejection(simulator, "GET", f"/vector_stores/{second}")

    assert (changed["name"], changed["metadata"]) == ("new", {"a": "b"})
    assert ([store["id"] for store in listed["data"]], listed["has_more"]) == ([second], True)
    assert deleted == {"id": second, "object": "vector_store.deleted", "deleted": True}
    assert (error.status, error.message) == (404, f"No vector store found with id '{second}'.")


async def test_a_file_leaves_the_store_and_stays_a_file(simulator: Simulator) -> None:
    store_id = await create_vector_store(simulator, "pizza")

    deleted = await send_request(simulator, "DELETE", f"/vector_stores/{store_id}/files/file_1")
    left = await send_request(simulator, "GET", f"/vector_stores/{store_id}/files")
    found = await send_request(simulator, "POST", f"/vector_stores/{store_id}/search", {"query": "pizza"})
    file = await send_request(simulator, "GET", "/files/file_1")

    assert deleted == {"id": "file_1", "object": "vector_store.file.deleted", "deleted": True}
    assert (left["data"], found["data"], file["id"]) == ([], [], "file_1")


async def test_a_deleted_file_leaves_every_store(simulator: Simulator) -> None:
    store_id = await create_vector_store(simulator, "pizza")

    await send_request(simulator, "DELETE", "/files/file_1")
    left = await send_request(simulator, "GET", f"/vector_stores/{store_id}/files")

    assert left["data"] == []


async def test_extensions_that_cannot_be_searched_are_refused(simulator: Simulator) -> None:
    file = await upload_file(simulator, "a,b", name="table.csv")

    error = await expect_request_rejection(simulator, "POST", "/vector_stores", {"file_ids": [file["id"]]})

    assert error.message.startswith("Files with extensions [.csv] are not supported for retrieval.")
    assert (error.status, error.code) == (400, "unsupported_file")


@pytest.mark.parametrize(("name", "content"), [("x.txt", b"\xff\xfe\xff"), ("x.md", b"a\0b")])
async def test_content_that_is_no_text_fails_and_says_why(simulator: Simulator, name: str, content: bytes) -> None:
    file = await upload_file(simulator, content, name=name)
    store = await send_request(simulator, "POST", "/vector_stores", {"file_ids": [file["id"]]})

    failed = await send_request(simulator, "GET", f"/vector_stores/{store['id']}/files/{file['id']}")

    assert failed["status"] == "failed"
    assert failed["last_error"] == {"code": "unsupported_file", "message": "The file type is not supported."}


async def test_text_beyond_the_limit_fails(clock: ManualClock) -> None:
    simulator = Simulator(clock=clock, new_id=CountingIds(), limits=SimulatorLimits(indexed_bytes=10))
    store_id = await create_vector_store(simulator, "123456789 1")

    failed = await send_request(simulator, "GET", f"/vector_stores/{store_id}/files/file_1")
    await simulator.aclose()

    assert failed["last_error"]["code"] == "invalid_file"


async def test_text_is_kept_in_overlapping_chunks(simulator: Simulator) -> None:
    strategy = {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 50}}
    words = [f"w{number}" for number in range(220)]
    store_id = await create_vector_store(simulator, " ".join(words), chunking_strategy=strategy)

    content = await send_request(simulator, "GET", f"/vector_stores/{store_id}/files/file_1/content")

    chunks = [part["text"].split() for part in content["data"]]
    assert chunks == [words[0:100], words[50:150], words[100:200], words[150:220]]


async def test_an_overlap_of_more_than_half_is_refused(simulator: Simulator) -> None:
    strategy = {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 51}}

    with pytest.raises(UpstreamError, match="half of max_chunk_size_tokens"):
        await create_vector_store(simulator, "x", chunking_strategy=strategy)


async def test_a_batch_adds_files_together(simulator: Simulator) -> None:
    ids = [(await upload_file(simulator, "x", name=name))["id"] for name in ("1.txt", "2.txt", "3.png")]
    store_id = await create_vector_store(simulator)

    batch = await send_request(simulator, "POST", f"/vector_stores/{store_id}/file_batches", {"file_ids": ids})
    done = await send_request(simulator, "GET", f"/vector_stores/{store_id}/file_batches/{batch['id']}")
    files = await send_request(
        simulator, "GET", f"/vector_stores/{store_id}/file_batches/{batch['id']}/files?filter=completed"
    )

    assert (batch["object"], batch["status"], batch["file_counts"]["in_progress"]) == (
        "vector_store.file_batch",
        "in_progress",
        3,
    )
    assert (done["status"], done["file_counts"]["completed"], done["file_counts"]["failed"]) == ("completed", 2, 1)
    assert [file["id"] for file in files["data"]] == ["file_2", "file_1"]


async def test_a_cancelled_batch_leaves_its_files_unread(simulator: Simulator, clock: ManualClock) -> None:
    simulator.vector_stores.indexing_seconds = 30
    file = await upload_file(simulator, "x")
    store_id = await create_vector_store(simulator)
    batch = await send_request(simulator, "POST", f"/vector_stores/{store_id}/file_batches", {"file_ids": [file["id"]]})

    cancelled = await send_request(simulator, "POST", f"/vector_stores/{store_id}/file_batches/{batch['id']}/cancel")
    clock.advance(30)
    later = await send_request(simulator, "GET", f"/vector_stores/{store_id}/file_batches/{batch['id']}")

    assert (cancelled["status"], cancelled["file_counts"]["cancelled"]) == ("cancelled", 1)
    assert later == cancelled


async def test_a_batch_of_an_unknown_file_is_refused_whole(simulator: Simulator) -> None:
    store_id = await create_vector_store(simulator, "x")

    error = await expect_request_rejection(
        simulator, "POST", f"/vector_stores/{store_id}/file_batches", {"file_ids": ["file_1", "file_9"]}
    )

    assert (error.status, error.message) == (404, "No such File object: file_9")


async def test_a_batch_takes_five_hundred_files(simulator: Simulator) -> None:
    store_id = await create_vector_store(simulator)

    error = await expect_request_rejection(
        simulator, "POST", f"/vector_stores/{store_id}/file_batches", {"file_ids": ["file_1"] * 501}
    )

    assert error.code == "array_above_max_length"


async def _found(simulator: Simulator, store_id: str, query: object, **more: object) -> list[tuple[str, float]]:
    page = await send_request(simulator, "POST", f"/vector_stores/{store_id}/search", {"query": query, **more})
    return [(hit["filename"], hit["score"]) for hit in page["data"]]


async def test_a_search_ranks_files_by_their_words(simulator: Simulator) -> None:
    store_id = await create_vector_store(
        simulator, "Travis likes pizza.", "Anna likes soup and pizzas and pizza.", "Bob sleeps."
    )

    found = await _found(simulator, store_id, "Who likes soup?")

    assert [name for name, _ in found] == ["2.txt", "1.txt"]
    assert 0 < found[1][1] < found[0][1] < 1


async def test_a_file_that_holds_every_word_scores_one(simulator: Simulator) -> None:
    store_id = await create_vector_store(simulator, "Travis likes pizza.", "nothing")

    found = await _found(simulator, store_id, "pizza likes")

    assert found == [("1.txt", 1.0)]


async def test_a_search_result_has_the_documented_shape(simulator: Simulator) -> None:
    store_id = await create_vector_store(simulator, "Travis likes pizza.")
    await send_request(simulator, "POST", f"/vector_stores/{store_id}/files/file_1", {"attributes": {"year": 2024}})

    page = await send_request(simulator, "POST", f"/vector_stores/{store_id}/search", {"query": ["pizza", "soup"]})

    assert page == {
        "object": "vector_store.search_results.page",
        "search_query": ["pizza", "soup"],
        "data": [
            {
                "file_id": "file_1",
                "filename": "1.txt",
                "score": 1.0,
                "attributes": {"year": 2024},
                "content": [{"type": "text", "text": "Travis likes pizza."}],
            }
        ],
        "has_more": False,
        "next_page": None,
    }


async def test_few_and_good_results_can_be_asked_for(simulator: Simulator) -> None:
    store_id = await create_vector_store(simulator, "pizza soup", "pizza", "soup and a lot of other words")

    one = await _found(simulator, store_id, "pizza soup", max_num_results=1)
    good = await _found(simulator, store_id, "pizza soup", ranking_options={"score_threshold": 0.9})

    assert one == good == [("1.txt", 1.0)]


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"type": "eq", "key": "city", "value": "Bern"}, {"1.txt"}),
        ({"type": "ne", "key": "city", "value": "Bern"}, {"2.txt", "3.txt"}),
        ({"type": "gte", "key": "year", "value": 2024}, {"2.txt"}),
        ({"type": "lt", "key": "year", "value": 2024}, {"1.txt"}),
        ({"type": "in", "key": "city", "value": ["Bern", "Rome"]}, {"1.txt", "2.txt"}),
        ({"type": "nin", "key": "city", "value": ["Bern", "Rome"]}, {"3.txt"}),
        (
            {
                "type": "or",
                "filters": [
                    {"type": "eq", "key": "city", "value": "Bern"},
                    {
                        "type": "and",
                        "filters": [
                            {"type": "gt", "key": "year", "value": 2000},
                            {"type": "eq", "key": "city", "value": "Rome"},
                        ],
                    },
                ],
            },
            {"1.txt", "2.txt"},
        ),
    ],
)
async def test_a_search_can_be_filtered_by_attributes(
    simulator: Simulator, filters: JsonObject, names: set[str]
) -> None:
    store_id = await create_vector_store(simulator, "pizza", "pizza", "pizza")
    for file_id, attributes in (("file_1", {"city": "Bern", "year": 2023}), ("file_2", {"city": "Rome", "year": 2024})):
        await send_request(simulator, "POST", f"/vector_stores/{store_id}/files/{file_id}", {"attributes": attributes})

    found = await _found(simulator, store_id, "pizza", filters=filters)

    assert {name for name, _ in found} == names


async def test_a_filter_of_no_known_kind_is_refused(simulator: Simulator) -> None:
    store_id = await create_vector_store(simulator, "pizza")

    error = await expect_request_rejection(
        simulator,
        "POST",
        f"/vector_stores/{store_id}/search",
        {"query": "x", "filters": {"type": "like", "key": "a", "value": "b"}},
    )

    assert (error.param, error.code) == ("filters.type", "invalid_value")

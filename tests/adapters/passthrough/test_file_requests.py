"""Files, vector stores, uploads and containers through the gateway and in the process, with the simulator behind."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import openai
import pytest

#: Too large for any buffer on the way.
_LARGE = bytes(range(256)) * 20_000
_BETA = {"OpenAI-Beta": "assistants=v2"}


def test_a_file_is_uploaded_listed_fetched_and_deleted(client: openai.OpenAI, tmp_path: Path) -> None:
    path = tmp_path / "large.jsonl"
    path.write_bytes(_LARGE)
    with path.open("rb") as opened:
        file = client.files.create(file=opened, purpose="batch")

    listed = [each.id for each in client.files.list(purpose="batch")]
    fetched = client.files.content(file.id).content
    deleted = client.files.delete(file.id)

    assert (file.filename, file.bytes, listed) == ("large.jsonl", len(_LARGE), [file.id])
    assert fetched == _LARGE
    assert deleted.deleted


def test_a_file_can_be_fetched_piece_by_piece(client: openai.OpenAI, tmp_path: Path) -> None:
    file = client.files.create(file=("large.bin", io.BytesIO(_LARGE)), purpose="vision")

    with client.files.with_streaming_response.content(file.id) as response:
        response.stream_to_file(tmp_path / "copy")

    assert (tmp_path / "copy").read_bytes() == _LARGE


def test_a102_refusals_keep_the_services_words(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        client.files.retrieve("file-none")
    with pytest.raises(openai.BadRequestError) as refused:
        client.files.create(file=b"x", purpose="world_domination")  # type: ignore[arg-type]  # that is the point

    assert unknown.value.body == {
        "message": "No such File object: file-none",
        "type": "invalid_request_error",
        "param": "id",
        "code": None,
    }
    assert "'world_domination' is not one of" in refused.value.message
    assert (refused.value.request_id or "").startswith("req_")


def test_what_is_deleted_leaves_the_resources_of_assistants_and_threads(client: openai.OpenAI) -> None:
    files = [client.files.create(file=(name, b"a,b"), purpose="assistants").id for name in ("a.csv", "b.csv")]
    store_id = client.vector_stores.create(name="foods").id
    resources: Any = {"code_interpreter": {"file_ids": files}, "file_search": {"vector_store_ids": [store_id]}}
    tools: Any = [{"type": "code_interpreter"}, {"type": "file_search"}]
    assistant = client.beta.assistants.create(model="gpt-4o", tools=tools, tool_resources=resources)
    thread = client.beta.threads.create(tool_resources=resources)

    deleted = [client.files.delete(files[0]).deleted, client.vector_stores.delete(store_id).deleted]
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(files[0])

    left: dict[str, Any] = {"code_interpreter": {"file_ids": files[1:]}, "file_search": {"vector_store_ids": []}}
    shown: list[Any] = [client.beta.assistants.retrieve(assistant.id), client.beta.threads.retrieve(thread.id)]
    assert deleted == [True, True]
    assert [each.tool_resources.to_dict() for each in shown] == [left, left]


def test_a_resource_that_is_gone_already_leaves_them_when_it_is_deleted_again(client: openai.OpenAI) -> None:
    resources: Any = {"file_search": {"vector_store_ids": ["vs_gone"]}}
    thread = client.beta.threads.create(tool_resources=resources)

    with pytest.raises(openai.NotFoundError):
        client.vector_stores.delete("vs_gone")

    shown: Any = client.beta.threads.retrieve(thread.id).tool_resources
    assert shown.file_search.vector_store_ids == []


def test_a103_a_vector_store_is_filled_and_searched(client: openai.OpenAI) -> None:
    store = client.vector_stores.create(name="foods", metadata={"kind": "menu"})
    batch = client.vector_stores.file_batches.upload_and_poll(
        vector_store_id=store.id, files=[("a.txt", b"Travis likes pizza."), ("b.txt", b"Anna likes soup.")]
    )

    page = client.vector_stores.search(store.id, query="soup")
    files = [file.status for file in client.vector_stores.files.list(store.id)]
    changed = client.vector_stores.update(store.id, name="menu")

    assert (batch.status, batch.file_counts.completed) == ("completed", 2)
    assert [hit.filename for hit in page.data] == ["b.txt"]
    assert (files, changed.name) == (["completed", "completed"], "menu")


def test_a103_a_store_expires_after_a_year_at_most(client: openai.OpenAI) -> None:
    kept = client.vector_stores.create(expires_after={"anchor": "last_active_at", "days": 365})

    with pytest.raises(openai.BadRequestError) as refused:
        client.vector_stores.create(expires_after={"anchor": "last_active_at", "days": 366})

    assert (kept.status, kept.expires_after and kept.expires_after.days) == ("completed", 365)
    assert refused.value.code == "integer_above_max_value"


def test_vector_stores_answer_as_they_did_when_they_were_beta(client: openai.OpenAI) -> None:
    """openai 1.x calls them `beta.vector_stores`, with the header of the Assistants API."""
    made: Any = client.post("/vector_stores", body={"name": "old"}, cast_to=object, options={"headers": _BETA})

    listed: Any = client.get("/vector_stores", cast_to=object, options={"headers": _BETA})

    assert (made["object"], [store["name"] for store in listed["data"]]) == ("vector_store", ["old"])


def test_a_file_is_uploaded_in_parts(client: openai.OpenAI) -> None:
    upload = client.uploads.upload_file_chunked(
        file=_LARGE, filename="big.jsonl", bytes=len(_LARGE), mime_type="text/jsonl", purpose="batch", part_size=10**6
    )
    assert upload.file is not None

    fetched = client.files.content(upload.file.id)

    assert fetched.content == _LARGE


def test_a_container_takes_and_gives_files(client: openai.OpenAI) -> None:
    container = client.containers.create(name="mine")
    sent = client.containers.files.create(container.id, file=("x.txt", b"abc"))
    client.responses.create(
        model="gpt-4o-mini",
        input="PYTHON 1\nWRITES a.csv x",
        tools=[{"type": "code_interpreter", "container": container.id}],
    )

    paths = [file.path for file in client.containers.files.list(container.id, order="asc")]
    fetched = client.containers.files.content.retrieve(sent.id, container_id=container.id)
    client.containers.delete(container.id)

    assert paths == [sent.path, "/mnt/data/a.csv"]
    assert fetched.content == b"abc"


def test_responses_stream_through(client: openai.OpenAI) -> None:
    stream = client.responses.create(model="gpt-4o-mini", input="hello there", stream=True)

    told = [event.type for event in stream]

    assert (told[0], told[-1]) == ("response.created", "response.completed")


def test_a_stream_that_breaks_off_breaks_for_the_client(client: openai.OpenAI) -> None:
    stream = client.responses.create(model="gpt-4o-mini", input="hello there\nBREAK 4", stream=True)

    with pytest.raises(Exception, match="(?i)incomplete|closed|connection error"):
        list(stream)


def test_what_nobody_knows_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match=r"Invalid URL \(GET /v1/nothing\)"):
        client.get("/nothing", cast_to=object)


async def test_an_asynchronous_client_uploads_and_fetches(async_client: openai.AsyncOpenAI) -> None:
    file = await async_client.files.create(file=("large.bin", io.BytesIO(_LARGE)), purpose="vision")

    fetched = await async_client.files.content(file.id)
    listed = [each.id async for each in async_client.files.list()]
    await async_client.files.delete(file.id)
    with pytest.raises(openai.NotFoundError, match="No such File object"):
        await async_client.files.retrieve(file.id)

    assert fetched.content == _LARGE
    assert listed == [file.id]


async def test_an_asynchronous_client_fills_and_searches_a_store(async_client: openai.AsyncOpenAI) -> None:
    store = await async_client.vector_stores.create()
    await async_client.vector_stores.files.upload_and_poll(
        vector_store_id=store.id, file=("a.txt", b"Travis likes pizza.")
    )

    page = await async_client.vector_stores.search(store.id, query="pizza")

    assert [hit.filename for hit in page.data] == ["a.txt"]


async def test_an_asynchronous_client_uploads_in_parts(async_client: openai.AsyncOpenAI) -> None:
    upload = await async_client.uploads.upload_file_chunked(
        file=_LARGE, filename="big.jsonl", bytes=len(_LARGE), mime_type="text/jsonl", purpose="batch", part_size=10**6
    )

    assert (upload.status, upload.file is not None) == ("completed", True)


async def test_an_asynchronous_client_works_with_a_container(async_client: openai.AsyncOpenAI) -> None:
    container = await async_client.containers.create(name="mine")
    sent = await async_client.containers.files.create(container.id, file=("x.txt", b"abc"))

    fetched = await async_client.containers.files.content.retrieve(sent.id, container_id=container.id)

    assert fetched.content == b"abc"

"""Files that code made, through the doors: with the SDK in the process, and over HTTP."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Literal

import openai
import pytest

from tests.asgi_server import serve_app
from threadbridge.settings import Settings
from threadbridge_adapters.gateway.application import open_gateway
from threadbridge_adapters.sdk import async_openai_client

Order = Literal["asc", "desc"]
Opened = Callable[[], AbstractAsyncContextManager[openai.AsyncOpenAI]]

CODE = "PYTHON save()\nWRITES sums.csv 1,2\nDRAWS chart.png"


@asynccontextmanager
async def in_process() -> AsyncGenerator[openai.AsyncOpenAI]:
    async with async_openai_client(simulate=True) as client:
        yield client


@asynccontextmanager
async def over_http() -> AsyncGenerator[openai.AsyncOpenAI]:
    async with (
        open_gateway(Settings(simulate=True)) as application,
        serve_app(application) as url,
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="sk-test", max_retries=0) as client,
    ):
        yield client


@pytest.fixture(params=[in_process, over_http])
def opened(request: pytest.FixtureRequest) -> Opened:
    door: Opened = request.param
    return door


async def made(client: openai.AsyncOpenAI) -> dict[str, str]:
    """The ids of the files a run made, by name."""
    assistant = await client.beta.assistants.create(model="gpt-4o", tools=[{"type": "code_interpreter"}])
    thread = await client.beta.threads.create(messages=[{"role": "user", "content": CODE}])
    run = await client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    assert run.status == "completed"
    files = await client.files.list(purpose="assistants_output")
    return {file.filename: file.id for file in files.data}


async def test_a_file_can_be_looked_at_and_fetched(opened: Opened) -> None:
    async with opened() as client:
        file_id = (await made(client))["sums.csv"]

        file = await client.files.retrieve(file_id)
        content = await client.files.content(file_id)

    assert (file.filename, file.bytes, file.purpose, file.status) == ("sums.csv", 3, "assistants_output", "processed")
    assert content.content == b"1,2"


async def test_a_file_that_is_deleted_is_gone(opened: Opened) -> None:
    async with opened() as client:
        file_id = (await made(client))["sums.csv"]

        deleted = await client.files.delete(file_id)

        with pytest.raises(openai.NotFoundError, match=f"No such File object: {file_id}"):
            await client.files.retrieve(file_id)
        assert (deleted.deleted, deleted.object) == (True, "file")
        assert "sums.csv" not in {file.filename for file in (await client.files.list(purpose="assistants_output")).data}


async def test_files_of_the_service_are_the_services(opened: Opened) -> None:
    async with opened() as client:
        uploaded = await client.files.create(file=("a.txt", b"Alpha"), purpose="assistants")

        file = await client.files.retrieve(uploaded.id)
        files = await client.files.list()

    assert file.filename == "a.txt"
    assert [file.id for file in files.data] == [uploaded.id]


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_files_of_both_are_one_list_however_it_is_paged(opened: Opened, order: Order) -> None:
    async with opened() as client:
        uploaded = [
            await client.files.create(file=(name, b"Alpha"), purpose="assistants") for name in ("a.txt", "b.txt")
        ]
        own = await made(client)

        paged = {
            limit: [file.id async for file in client.files.list(limit=limit, order=order)] for limit in range(1, 8)
        }

    every = sorted([*own.values(), *(file.id for file in uploaded)])
    places = [paged[1].index(file.id) for file in uploaded]
    assert len(own) == 3
    assert {limit: sorted(ids) for limit, ids in paged.items()} == dict.fromkeys(range(1, 8), every)
    assert places == ([0, 1] if order == "asc" else [4, 3])


async def test_a_list_of_another_purpose_is_the_services(opened: Opened) -> None:
    async with opened() as client:
        own = await made(client)
        uploaded = await client.files.create(file=("a.txt", b"Alpha"), purpose="assistants")

        asked = [file.id async for file in client.files.list(purpose="assistants")]
        theirs = [file.id async for file in client.files.list(purpose="assistants_output")]

    assert asked == [uploaded.id]
    assert set(theirs) == set(own.values())


@pytest.mark.parametrize("limit", [0, 10_001])
async def test_a_list_that_is_asked_for_wrongly_is_refused_in_the_services_words(opened: Opened, limit: int) -> None:
    async with opened() as client:
        await made(client)

        with pytest.raises(openai.BadRequestError, match="Invalid 'limit'"):
            await client.files.list(limit=limit)


async def test_a_chart_of_a_message_can_be_fetched(opened: Opened) -> None:
    async with opened() as client:
        await made(client)
        files = await client.files.list(purpose="assistants_output")
        chart = next(file for file in files.data if "png" in file.filename)

        content = await client.files.content(chart.id)

    assert content.content.startswith(b"\x89PNG")


async def test_a_file_that_code_made_can_be_attached_again(opened: Opened) -> None:
    async with opened() as client:
        file_id = (await made(client))["sums.csv"]
        assistant = await client.beta.assistants.create(model="gpt-4o", tools=[{"type": "code_interpreter"}])
        thread = await client.beta.threads.create(
            messages=[
                {
                    "role": "user",
                    "content": "PYTHON load()\nPRINTS 3",
                    "attachments": [{"file_id": file_id, "tools": [{"type": "code_interpreter"}]}],
                }
            ]
        )

        run = await client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)

    assert run.status == "completed"

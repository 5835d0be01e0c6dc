"""An asynchronous client with a store in memory, used on several event loops."""

# pyright: reportDeprecated=false
# The SDK marks every Assistants method as deprecated; being called all the same is the point of these tests.

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest

from threadbridge_adapters.sdk import async_openai_client, wrap
from threadbridge_adapters.stores.sqlite import shared_memory

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")

CHART = "PYTHON 1\nWRITES table.csv 1,2"


@pytest.fixture(params=[{"simulate": True}, {"simulate": True, "store": ":memory:"}, {"store": "sqlite://"}])
def client(request: pytest.FixtureRequest) -> openai.AsyncOpenAI:
    configuration: Mapping[str, Any] = {"simulate": True, **request.param}
    return async_openai_client(**configuration)


async def create_thread(client: openai.AsyncOpenAI, text: str) -> str:
    return (await client.beta.threads.create(messages=[{"role": "user", "content": text}])).id


async def run_thread(client: openai.AsyncOpenAI, thread_id: str) -> str:
    assistant = await client.beta.assistants.create(model="gpt-4.1", tools=[{"type": "code_interpreter"}])
    run = await client.beta.threads.runs.create_and_poll(thread_id=thread_id, assistant_id=assistant.id)
    return run.status


async def read_texts(client: openai.AsyncOpenAI, thread_id: str) -> list[str]:
    messages = await client.beta.threads.messages.list(thread_id)
    return [part.text.value for message in messages.data for part in message.content if part.type == "text"]


def test_a_thread_of_one_loop_is_found_on_the_next(client: openai.AsyncOpenAI) -> None:
    thread_id = asyncio.run(create_thread(client, "SAY first"))

    assert asyncio.run(run_thread(client, thread_id)) == "completed"
    assert asyncio.run(read_texts(client, thread_id)) == ["first", "SAY first"]


def test_a_generated_file_of_one_loop_is_read_on_the_next(client: openai.AsyncOpenAI) -> None:
    async def read_file() -> bytes:
        messages = await client.beta.threads.messages.list(thread_id)
        part: Any = messages.data[0].content[0]
        return (await client.files.content(part.text.annotations[0].file_path.file_id)).content

    thread_id = asyncio.run(create_thread(client, CHART))
    asyncio.run(run_thread(client, thread_id))

    assert asyncio.run(read_file()) == b"1,2"


def test_loops_that_run_at_the_same_time_share_the_store(client: openai.AsyncOpenAI) -> None:
    def use(number: int) -> list[str]:
        async def create() -> list[str]:
            return [await create_thread(client, f"SAY {number}.{each}") for each in range(5)]

        return asyncio.run(create())

    with ThreadPoolExecutor(4) as pool:
        thread_ids = [each for ids in pool.map(use, range(4)) for each in ids]

    async def count_found() -> int:
        return len([each for each in thread_ids if await read_texts(client, each)])

    assert asyncio.run(count_found()) == len(set(thread_ids)) == 20


def test_two_clients_do_not_share(client: openai.AsyncOpenAI) -> None:
    thread_id = asyncio.run(create_thread(client, "SAY mine"))
    other = async_openai_client(simulate=True)

    with pytest.raises(openai.NotFoundError):
        asyncio.run(read_texts(other, thread_id))


async def close_after_use(client: openai.AsyncOpenAI) -> None:
    async with client:
        await create_thread(client, "SAY hello")


def test_a_closed_client_leaves_no_store(client: openai.AsyncOpenAI) -> None:
    before = set(shared_memory._opened)  # pyright: ignore[reportPrivateUsage]
    asyncio.run(create_thread(client, "SAY hello"))

    asyncio.run(close_after_use(client))

    assert set(shared_memory._opened) <= before  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize("wrapped", [False, True])
def test_clients_that_nobody_closed_leave_no_store_and_no_thread(wrapped: bool) -> None:
    def use() -> None:
        client = async_openai_client(simulate=True)
        if wrapped:
            client = wrap(openai.AsyncOpenAI(api_key="any"), simulate=True)
        asyncio.run(create_thread(client, "SAY hello"))

    use()
    gc.collect()
    before, threads = set(shared_memory._opened), threading.active_count()  # pyright: ignore[reportPrivateUsage]
    for _ in range(10):
        use()
    gc.collect()

    for _ in range(200):
        if threading.active_count() <= threads:
            break
        threading.Event().wait(0.01)
    assert set(shared_memory._opened) <= before  # pyright: ignore[reportPrivateUsage]
    assert threading.active_count() <= threads

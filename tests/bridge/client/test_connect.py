"""From settings to a client and back, over the real `responses` backend on its simulator."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import threadbridge
from tests.bridge.client.stub_backend import StubBackend, make_sync_variant
from threadbridge.errors import ConfigurationError, NotFound

SIMULATED: dict[str, Any] = {"simulate": True, "store": ":memory:"}
ADD = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Add two numbers.",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            "required": ["a", "b"],
        },
    },
}


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration but the test's."""
    for name in [name for name in os.environ if name.startswith("THREADBRIDGE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_a_program_written_for_client_beta_runs() -> None:
    with threadbridge.connect(**SIMULATED) as client:
        assistant = client.assistants.create(model="gpt-4o", instructions="Answer.")
        thread = client.threads.create()
        client.threads.messages.create(thread_id=thread.id, role="user", content="Hello")
        run = client.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
        newest = client.threads.messages.list(thread_id=thread.id).data[0]

    block = newest.content[0]
    assert run.status == "completed"
    assert run.usage is not None
    assert run.usage.total_tokens > 0
    assert block.type == "text"
    assert block.text.value == "ECHO: Hello"


async def test_the_same_program_runs_asynchronously() -> None:
    async with threadbridge.aconnect(**SIMULATED) as client:
        assistant = await client.assistants.create(model="gpt-4o")
        thread = await client.threads.create(messages=[{"role": "user", "content": "Hello"}])
        async with client.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
            said = [piece async for piece in stream.text_deltas]
            run = await stream.get_final_run()
        messages = [message async for message in client.threads.messages.list(thread.id, limit=1)]

    assert run.status == "completed"
    assert "".join(said) == "ECHO: Hello"
    assert [message.role for message in messages] == ["assistant", "user"]


def add(a: int, b: int) -> int:
    return a + b


def test_the_whole_loop_runs_over_the_responses_backend() -> None:
    heard = list[str]()
    with threadbridge.connect(**SIMULATED) as client:
        assistant = client.assistants.create(model="gpt-4o", tools=[ADD])
        thread = client.threads.create(
            messages=[{"role": "user", "content": 'CALL add {"a": 1, "b": 2}\nCALL add {"a": 3, "b": 4}'}]
        )
        run = client.threads.runs.execute(
            thread.id, assistant.id, tools={"add": add}, on_event=lambda event: heard.append(event.event)
        )
        steps = list(client.threads.runs.steps.list(run.id, thread_id=thread.id, order="asc"))

    details = steps[0].step_details
    assert run.status == "completed"
    assert details.type == "tool_calls"
    assert [call.function.output for call in details.tool_calls if call.type == "function"] == ["3", "7"]
    assert heard.count("thread.run.requires_action") == 1
    assert heard[-1] == "thread.run.completed"


async def test_a_client_can_be_awaited_and_closed() -> None:
    client = await threadbridge.aconnect(**SIMULATED)

    created = await client.threads.create()
    await client.close()
    await client.close()

    assert created.id.startswith("thread_")


def test_closing_twice_closes_the_backend_once() -> None:
    backend = StubBackend()
    client = make_sync_variant(backend).client

    with client:
        pass
    client.close()

    assert backend.close_count == 1


async def test_a_synchronous_client_works_inside_a_running_loop() -> None:
    with threadbridge.connect(**SIMULATED) as client:
        assert client.threads.create().object == "thread"


def test_one_client_serves_many_threads() -> None:
    with threadbridge.connect(**SIMULATED) as client, ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(client.threads.create) for _ in range(32)]
        created = [future.result().id for future in futures]

        assert len({client.threads.retrieve(one).id for one in created}) == 32


def test_an_unknown_object_raises_the_legacy_text() -> None:
    with (
        threadbridge.connect(**SIMULATED) as client,
        pytest.raises(NotFound, match=r"^No thread found with id 'thread_abc'\.$"),
    ):
        client.threads.retrieve("thread_abc")


def test_an_unknown_backend_is_refused_with_the_known_names() -> None:
    with pytest.raises(
        ConfigurationError, match=r"^argument backend is 'assistant', but must be one of 'assistants', "
    ):
        threadbridge.connect("assistant")


def test_the_backend_is_the_first_argument() -> None:
    with pytest.raises(ConfigurationError, match="'nowhere'"):
        threadbridge.connect("nowhere", store=":memory:")


async def test_wrong_settings_are_refused_before_anything_is_awaited() -> None:
    with pytest.raises(ConfigurationError, match="argument colour is not a setting"):
        threadbridge.aconnect(colour="blue")


def run_python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60, check=False
    )


def test_a_program_that_forgets_to_close_ends_quietly() -> None:
    done = run_python(
        "import threadbridge\n"
        "client = threadbridge.connect(simulate=True, store=':memory:')\n"
        "print(client.threads.create().object)\n"
    )

    assert (done.stdout, done.stderr, done.returncode) == ("thread\n", "", 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_client_goes_on_after_a_fork_in_parent_and_child(tmp_path: Path) -> None:
    store = tmp_path / "threads.db"

    done = run_python(
        "import os, threadbridge\n"
        f"client = threadbridge.connect(simulate=True, store={f'sqlite:///{store}'!r})\n"
        "thread = client.threads.create()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    print(client.threads.retrieve(thread.id).id == thread.id, flush=True)\n"
        "    client.close()\n"
        "    os._exit(0)\n"
        "os.waitpid(child, 0)\n"
        "print(client.threads.retrieve(thread.id).id == thread.id)\n"
        "client.close()\n"
    )

    assert (done.stdout, done.stderr) == ("True\nTrue\n", "")


def test_a_backend_opened_by_hand_does_not_survive_a_fork_silently(monkeypatch: pytest.MonkeyPatch) -> None:
    client = make_sync_variant(StubBackend()).client
    monkeypatch.setattr("threadbridge.runtime.blocking_portal._portals", {})

    with pytest.raises(RuntimeError, match="opened before the process forked"):
        client.threads.retrieve("thread_1")


def test_the_openai_doors_give_genuine_clients() -> None:
    with threadbridge.openai_client(**SIMULATED) as client:
        thread = client.beta.threads.create()  # pyright: ignore[reportDeprecated]  # the API this is all about

    assert thread.object == "thread"


async def test_the_asynchronous_openai_door_gives_a_genuine_client() -> None:
    async with threadbridge.async_openai_client(**SIMULATED) as client:
        thread = await client.beta.threads.create()  # pyright: ignore[reportDeprecated]  # the API this is all about

    assert thread.object == "thread"
    await asyncio.sleep(0)

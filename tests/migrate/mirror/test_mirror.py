"""Threads in conversations: complete, in order, nothing twice, and gone after a reversal."""

from __future__ import annotations

import asyncio
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from tests.asgi_server import serve_app
from tests.migrate.load.quirky_threads import (
    QUIRKS,
    ThreadParts,
    make_message,
    make_thread,
    write_archive,
)
from tests.migrate.mirror.unreliable_upstream import UnreliableUpstream
from threadbridge.api_types import JsonObject
from threadbridge.errors import UpstreamError
from threadbridge.ports import Entry, Store
from threadbridge_adapters.simulator import Simulator
from threadbridge_adapters.simulator import app as build_app
from threadbridge_adapters.stores import open_store
from threadbridge_migrate.archive.reader import Archive
from threadbridge_migrate.cli.application import app
from threadbridge_migrate.errors import ArchiveError
from threadbridge_migrate.load.loader import LoadOptions, load_archive
from threadbridge_migrate.mirror.conversation_ledger import open_ledger
from threadbridge_migrate.mirror.thread_mirror import MirrorOptions, MirrorReport, ThreadMirror

TENANT = "default"


async def wait_no_time(_seconds: float) -> None:
    """Instead of pauses."""


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A store with all quirks and a thread of 70 messages."""
    archive = write_archive(tmp_path / "archive", [*QUIRKS.values(), make_long_thread()])
    opened = await open_store(f"sqlite:///{tmp_path}/threads.db")
    await load_archive(Archive.open(archive), opened, LoadOptions(tenant=TENANT))
    try:
        yield opened
    finally:
        await opened.aclose()


def make_long_thread(thread_id: str = "thread_long", count: int = 70) -> ThreadParts:
    messages = [make_message(thread_id, n, f"line {n}", role="user" if n % 2 else "assistant") for n in range(count)]
    return make_thread(thread_id), messages, [], []


async def mirror(
    store: Store, upstream: UnreliableUpstream, ledger: Path, *, revert: bool = False, only: list[str] | None = None
) -> MirrorReport:
    with open_ledger(ledger) as opened:
        options = MirrorOptions(tenant=TENANT, only=only, attempts=50)
        thread_mirror = ThreadMirror(store, upstream, opened, options, wait=wait_no_time)
        return await (thread_mirror.revert() if revert else thread_mirror.write())


async def read_conversation(upstream: UnreliableUpstream, ledger: Path, thread_id: str) -> list[JsonObject]:
    with open_ledger(ledger) as opened:
        conversation = opened.records[thread_id].conversation
    items: list[JsonObject] = []
    after = ""
    while True:
        path = f"/conversations/{conversation}/items?limit=100&order=asc{after}"
        page = await upstream.request("GET", path)
        items += page["data"]
        if not page["has_more"]:
            return items
        after = f"&after={items[-1]['id']}"


def list_lines(items: list[JsonObject]) -> list[str]:
    return [item["content"][0]["text"] for item in items]


async def test_a_thread_becomes_a_conversation_of_twenty_items_a_call(store: Store, tmp_path: Path) -> None:
    upstream = UnreliableUpstream(Simulator())

    report = await mirror(store, upstream, tmp_path / "ledger", only=["thread_long"])

    assert [size for method, _, size in upstream.calls if method == "POST"] == [0, 20, 20, 20, 10]
    assert (report.threads, report.items) == ({"written": 1}, 70)
    items = await read_conversation(upstream, tmp_path / "ledger", "thread_long")
    assert list_lines(items) == [f"line {n}" for n in range(70)]


async def test_calls_are_written_with_their_outputs(store: Store, tmp_path: Path) -> None:
    upstream = UnreliableUpstream(Simulator())

    await mirror(store, upstream, tmp_path / "ledger", only=["thread_weather"])

    items = await read_conversation(upstream, tmp_path / "ledger", "thread_weather")
    assert [item.get("call_id") or item["role"] for item in items] == [
        "user",
        "call_0",
        "call_1",
        "call_0",
        "call_1",
        "assistant",
    ]


@pytest.mark.parametrize("seed", range(5))
async def test_nothing_is_lost_or_doubled_by_a_service_that_fails(store: Store, tmp_path: Path, seed: int) -> None:
    upstream = UnreliableUpstream(Simulator(), share=0.4, seed=seed)

    report = await mirror(store, upstream, tmp_path / "ledger")

    upstream.share = 0.0
    assert report.threads == {"written": len(QUIRKS) + 1}, report.failures
    items = await read_conversation(upstream, tmp_path / "ledger", "thread_long")
    assert list_lines(items) == [f"line {n}" for n in range(70)]


async def test_a_repetition_sends_nothing_and_a_thread_that_has_grown_is_extended(store: Store, tmp_path: Path) -> None:
    upstream = UnreliableUpstream(Simulator())
    await mirror(store, upstream, tmp_path / "ledger")
    sent = len(upstream.calls)
    again = await mirror(store, upstream, tmp_path / "ledger")
    calls_of_repetition = len(upstream.calls) - sent
    message = make_message("thread_long", 99, "line 70")
    await store.write(
        lambda session: session.append_entries("thread_long", [Entry(message=message)]),  # type: ignore[arg-type]
        tenant=TENANT,
    )

    grown = await mirror(store, upstream, tmp_path / "ledger")

    assert (again.threads, calls_of_repetition) == ({"unchanged": len(QUIRKS) + 1}, 0)
    assert (grown.threads["extended"], grown.items) == (1, 1)
    items = await read_conversation(upstream, tmp_path / "ledger", "thread_long")
    assert list_lines(items) == [f"line {n}" for n in range(71)]


async def test_a_reversal_deletes_every_conversation_and_can_be_repeated(store: Store, tmp_path: Path) -> None:
    simulator = Simulator()
    upstream = UnreliableUpstream(simulator)
    await mirror(store, upstream, tmp_path / "ledger")
    with open_ledger(tmp_path / "ledger") as opened:
        conversations = [record.conversation for record in opened.records.values()]
    await upstream.request("DELETE", f"/conversations/{conversations[0]}")

    report = await mirror(store, upstream, tmp_path / "ledger", revert=True)
    again = await mirror(store, upstream, tmp_path / "ledger", revert=True)

    assert (report.threads, again.threads) == ({"deleted": len(QUIRKS) + 1}, {})
    for conversation in conversations:
        with pytest.raises(UpstreamError):
            await upstream.request("GET", f"/conversations/{conversation}")


async def test_a_conversation_that_another_program_changed_is_left_alone(store: Store, tmp_path: Path) -> None:
    upstream = UnreliableUpstream(Simulator())
    await mirror(store, upstream, tmp_path / "ledger", only=["thread_weather"])
    with open_ledger(tmp_path / "ledger") as opened:
        conversation = opened.records["thread_weather"].conversation
    foreign = {"type": "message", "role": "user", "content": "Hello"}
    await upstream.request("POST", f"/conversations/{conversation}/items", {"items": [foreign]})
    message = make_message("thread_weather", 99, "More")
    await store.write(
        lambda session: session.append_entries("thread_weather", [Entry(message=message)]),  # type: ignore[arg-type]
        tenant=TENANT,
    )

    report = await mirror(store, upstream, tmp_path / "ledger", only=["thread_weather"])

    assert report.threads == {"failed": 1}
    assert "was changed by another program" in report.failures[0]


async def test_an_unknown_thread_is_named_and_does_not_stop_the_others(store: Store, tmp_path: Path) -> None:
    upstream = UnreliableUpstream(Simulator())

    report = await mirror(store, upstream, tmp_path / "ledger", only=["thread_never", "thread_weather"])

    assert report.threads == {"failed": 1, "written": 1}
    assert report.failures == ["thread_never: The store has no thread of this id."]


def test_two_mirrors_do_not_share_a_ledger(tmp_path: Path) -> None:
    with (
        open_ledger(tmp_path / "ledger"),
        pytest.raises(ArchiveError, match="Another mirror"),
        open_ledger(tmp_path / "ledger"),
    ):
        pass


def test_a_torn_line_of_the_ledger_is_dropped(tmp_path: Path) -> None:
    line = orjson.dumps({"thread": "thread_a", "conversation": "conv_a", "items": 1, "state": "done"})
    (tmp_path / "ledger").write_bytes(line + b"\n" + line[:20])

    with open_ledger(tmp_path / "ledger") as opened:
        assert list(opened.records) == ["thread_a"]

    assert (tmp_path / "ledger").read_bytes() == line + b"\n"


async def test_after_kills_the_same_command_completes_the_conversations(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "archive", [make_long_thread(f"thread_{n}", 50) for n in range(12)])
    store = f"sqlite:///{tmp_path}/threads.db"
    opened = await open_store(store)
    await load_archive(Archive.open(archive), opened, LoadOptions(tenant=TENANT))
    await opened.aclose()
    simulator = Simulator()
    main = "from threadbridge_migrate.cli.application import main; main()"

    async with serve_app(build_app(simulator)) as url:
        command = [sys.executable, "-c", main, "mirror", "--store", store, "--upstream", f"{url}/v1"]
        ledger = tmp_path / "threads.db.mirror.jsonl"
        for lines in (3, 9, 16):
            process = await start(command)
            await wait_for_lines(process, ledger, lines)
            if process.returncode is None:
                process.kill()
            await process.communicate()
        last = await start(command)
        output, _ = await last.communicate()

    assert last.returncode in (0, 5), output.decode()
    upstream = UnreliableUpstream(simulator)
    for n in range(12):
        items = await read_conversation(upstream, ledger, f"thread_{n}")
        assert list_lines(items) == [f"line {m}" for m in range(50)]


async def start(command: list[str]) -> Process:
    environment = {"THREADBRIDGE_UPSTREAM__API_KEY": "sk-test-0123456789", "PATH": "/usr/bin:/bin"}
    return await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )


def count_lines(ledger: Path) -> int:
    return ledger.read_bytes().count(b"\n") if ledger.exists() else 0


async def wait_for_lines(process: Process, ledger: Path, lines: int) -> None:
    deadline = time.monotonic() + 30
    while process.returncode is None and time.monotonic() < deadline:
        if count_lines(ledger) >= lines:
            return
        await asyncio.sleep(0.002)


def test_a_store_that_does_not_exist_is_explained(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["mirror", "--store", f"sqlite:///{tmp_path}/none.db"])

    assert result.exit_code == 2
    assert "There is no store" in result.output

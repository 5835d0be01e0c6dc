"""Numbered differences: what becomes of threads that `migrate load` brings in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emulated_service import open_service
from tests.migrate.load.quirky_threads import make_calls, make_message, make_run, make_step, make_thread, write_archive
from tests.request_context import CONTEXT
from threadbridge_migrate.archive.reader import Archive
from threadbridge_migrate.load.loader import LoadOptions, load_archive


@pytest.mark.parametrize(
    ("status", "end"),
    [
        ("queued", "expired"),
        ("in_progress", "expired"),
        ("requires_action", "expired"),
        ("cancelling", "cancelled"),
        (None, "expired"),
    ],
)
async def test_d118_a_run_that_was_active_at_the_source_has_ended(tmp_path: Path, status: str | None, end: str) -> None:
    run = make_run(
        "thread_a", 1, status=status, expires_at=1700000601, completed_at=None, required_action={"type": "x"}
    )
    step = make_step(run, 1, make_calls({"name": "f", "arguments": "{}", "output": None}), status="in_progress")
    question = make_message("thread_a", 0, "Hi")
    archive = write_archive(tmp_path / "archive", [(make_thread("thread_a"), [question], [run], [step])])

    async with open_service() as service:
        report = await load_archive(Archive.open(archive), service.store, LoadOptions(tenant=CONTEXT.tenant))
        loaded = (await service.get(f"/threads/thread_a/runs/{run['id']}")).body
        (loaded_step,) = (await service.get(f"/threads/thread_a/runs/{run['id']}/steps")).body["data"]
        accepted = await service.post("/threads/thread_a/messages", role="user", content="Still there?")

    assert (loaded["status"], loaded_step["status"], loaded["required_action"]) == (end, end, None)
    assert report.losses == [f"{run['id']}: was {status or 'without a status'} in thread_a, is now {end}"]
    assert accepted.status == 200


async def test_d119_fields_that_a_source_left_out_have_the_defaults_of_the_api(tmp_path: Path) -> None:
    thread = make_thread("thread_a", metadata=None, tool_resources=None)
    assistant = {"id": "asst_a", "object": "assistant", "created_at": 1, "model": "gpt-4o", "tools": None}
    archive = write_archive(tmp_path / "archive", [(thread, [], [], [])], assistants=[assistant])

    async with open_service() as service:
        await load_archive(Archive.open(archive), service.store, LoadOptions(tenant=CONTEXT.tenant))
        loaded_thread = (await service.get("/threads/thread_a")).body
        loaded = (await service.get("/assistants/asst_a")).body

    assert loaded_thread["metadata"] == {}
    assert (loaded["tools"], loaded["temperature"], loaded["reasoning_effort"]) == ([], 1.0, None)
    assert list(loaded)[:4] == ["id", "object", "created_at", "model"]

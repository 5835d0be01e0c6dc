"""A process that only reads threads: no key, no upstream, and no run of anybody's is touched."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.bridge.engine.backend_process import has_status, queue_run, run_backend, wait_until
from tests.manual_clock import ManualClock
from tests.request_context import CONTEXT
from threadbridge.ports import ListQuery
from threadbridge.settings import Settings
from threadbridge_adapters.composition import open_backend


async def test_it_opens_without_a_key_and_leaves_runs_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    async with run_backend(tmp_path, ManualClock()) as life:
        run = await queue_run(life, "SLOW 1000\nSAY later")
        await wait_until(life, run, has_status("in_progress"))

    reader = await open_backend(Settings(store=f"sqlite:///{tmp_path / 'threads.db'}", performs_runs=False))
    listed = await reader.list_runs(CONTEXT, run["thread_id"], ListQuery())
    await asyncio.sleep(0.05)
    found = await reader.retrieve_run(CONTEXT, run["thread_id"], run["id"])
    await reader.aclose()

    assert [row["id"] for row in listed["data"]] == [run["id"]]
    assert found.run["status"] in ("in_progress", "expired")
    assert found.run["last_error"] is None


async def test_a_run_started_there_by_mistake_fails_and_says_why(tmp_path: Path) -> None:
    reader = await open_backend(Settings(store=f"sqlite:///{tmp_path / 'threads.db'}", performs_runs=False))
    assistant = await reader.create_assistant(CONTEXT, {"model": "gpt-4o", "instructions": "Be brief."})
    run = await reader.create_thread_and_run(CONTEXT, {"assistant_id": assistant["id"]})
    found = run
    for _ in range(100):
        found = (await reader.retrieve_run(CONTEXT, run["thread_id"], run["id"])).run
        await asyncio.sleep(0.005)
    await reader.aclose()

    assert found["status"] == "failed"
    assert "performs_runs" in str(found["last_error"])

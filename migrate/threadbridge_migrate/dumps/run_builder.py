"""Runs that a dump does not have, or has in a state in which nothing can continue them."""

from __future__ import annotations

from collections.abc import Sequence

from threadbridge.api_types import JsonObject
from threadbridge_migrate.dumps.values import derive_id, parse_time
from threadbridge_migrate.load.timeline import end_active_run, end_open_step, is_active


def build_run(run_id: str, thread_id: str, created: int, *, assistant_id: str | None = None) -> JsonObject:
    """A completed run of which only the calls are known."""
    times: JsonObject = {"started_at": created, "expires_at": None, "cancelled_at": None, "failed_at": None}
    return {
        "id": run_id,
        "object": "thread.run",
        "created_at": created,
        "assistant_id": assistant_id or derive_id("run", thread_id).replace("run_", "asst_"),
        "thread_id": thread_id,
        "status": "completed",
        **times,
        "completed_at": created,
        "required_action": None,
        "last_error": None,
        "model": "unknown",
        "instructions": "",
        "tools": [],
        "metadata": {},
        "temperature": 1.0,
        "top_p": 1.0,
        "max_completion_tokens": None,
        "max_prompt_tokens": None,
        "truncation_strategy": {"type": "auto", "last_messages": None},
        "incomplete_details": None,
        "usage": None,
        "response_format": "auto",
        "tool_choice": "auto",
        "parallel_tool_calls": True,
    }


def build_missing_runs(thread_id: str, runs: Sequence[JsonObject], steps: Sequence[JsonObject]) -> list[JsonObject]:
    """A run for each one that steps name and the dump lacks: steps can be listed by their run only."""
    known = {run["id"] for run in runs}
    missing: dict[str, JsonObject] = {}
    for step in steps:
        run_id, assistant_id = step.get("run_id"), step.get("assistant_id")
        if isinstance(run_id, str) and run_id not in known | missing.keys():
            named = assistant_id if isinstance(assistant_id, str) else None
            missing[run_id] = build_run(run_id, thread_id, parse_time(step.get("created_at")) or 0, assistant_id=named)
    return list(missing.values())


def end_run(run: JsonObject, answered_at: int | None) -> JsonObject:
    """The run with the status in which it must have ended; a finished one as it is.

    A run that was recorded while it was active is completed if it wrote a message (`answered_at`), else expired.
    """
    if not is_active(run) or answered_at is None:
        return end_active_run(run)
    ended: JsonObject = {"status": "completed", "completed_at": answered_at}
    return {**run, **ended, "required_action": None, "expires_at": None}


def end_step(step: JsonObject) -> JsonObject:
    """The step of a run that was active, with the status in which it must have ended."""
    return end_open_step(step, {"status": "expired", "created_at": step.get("created_at")})

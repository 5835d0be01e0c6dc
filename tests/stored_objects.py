"""Objects with only the keys that a store reads."""

from __future__ import annotations

import sqlite3
from typing import cast

from threadbridge.api_types import (
    AssistantObject,
    JsonObject,
    MessageObject,
    RunObject,
    RunStepObject,
    ThreadObject,
)
from threadbridge.ports import Entry, ObjectKind, Session
from threadbridge_adapters.stores.sql.session import SqlSession
from threadbridge_adapters.stores.sqlite.connection import SqliteConnection


def get_driver(session: Session) -> sqlite3.Connection:
    """The driver's connection under a session of the SQLite store."""
    return cast(SqliteConnection, cast(SqlSession, session).connection).driver


def assistant(id_: str = "asst_1") -> AssistantObject:
    return cast("AssistantObject", {"id": id_, "object": "assistant", "created_at": 1, "name": None})


def thread(id_: str = "thread_1") -> ThreadObject:
    return cast("ThreadObject", {"id": id_, "object": "thread", "created_at": 1, "metadata": {}})


def message(
    id_: str = "msg_1", thread_id: str = "thread_1", *, run_id: str | None = None, text: str = "Hi"
) -> MessageObject:
    return cast(
        "MessageObject",
        {
            "id": id_,
            "object": "thread.message",
            "created_at": 1,
            "thread_id": thread_id,
            "role": "user",
            "content": [{"type": "text", "text": {"value": text, "annotations": []}}],
            "run_id": run_id,
        },
    )


def run(id_: str = "run_1", thread_id: str = "thread_1", *, status: str = "queued") -> RunObject:
    return cast(
        "RunObject", {"id": id_, "object": "thread.run", "created_at": 1, "thread_id": thread_id, "status": status}
    )


def step(id_: str = "step_1", thread_id: str = "thread_1", run_id: str = "run_1") -> RunStepObject:
    return cast(
        "RunStepObject",
        {
            "id": id_,
            "object": "thread.run.step",
            "created_at": 1,
            "run_id": run_id,
            "thread_id": thread_id,
            "status": "completed",
        },
    )


def call(call_id: str = "call_1", *, arguments: str = "{}", run_id: str = "run_1") -> Entry:
    return Entry(item={"type": "function_call", "call_id": call_id, "name": "f", "arguments": arguments}, run_id=run_id)


#: One object of every kind, all of one thread.
ONE_OF_EACH: dict[ObjectKind, JsonObject] = {
    ObjectKind.ASSISTANT: {**assistant()},
    ObjectKind.THREAD: {**thread()},
    ObjectKind.MESSAGE: {**message()},
    ObjectKind.RUN: {**run()},
    ObjectKind.STEP: {**step()},
    ObjectKind.FILE: {"id": "file-1", "created_at": 1, "blob": "blob_1", "file": {"object": "file"}},
    ObjectKind.CONTAINER: {"id": "thread_1", "created_at": 1, "container_id": "cntr_1"},
    ObjectKind.UPSTREAM_STATE: {"id": "thread_1", "created_at": 1, "upstream_id": "resp_1"},
    ObjectKind.CLEANUP_INTENT: {"id": "errand_1", "created_at": 1},
}

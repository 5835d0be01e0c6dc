"""Threads with everything that production archives have and the API's documentation does not, written as archives."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from threadbridge.api_types import JsonObject, is_json_object
from threadbridge_migrate.archive.reader import Part
from threadbridge_migrate.archive.record_buffer import RecordBuffer
from threadbridge_migrate.archive.writer import ArchiveWriter

ThreadParts = tuple[JsonObject, list[JsonObject], list[JsonObject], list[JsonObject]]


def make_thread(thread_id: str, **changes: object) -> JsonObject:
    fields: JsonObject = {"id": thread_id, "object": "thread", "created_at": 1700000000, "metadata": {"a": "1"}}
    return {**fields, "tool_resources": {"code_interpreter": {"file_ids": []}}, **changes}


def make_message(thread_id: str, number: int, content: object, *, role: str = "user", **changes: object) -> JsonObject:
    """A message as the service sent it; a string as content becomes a text part."""
    text: JsonObject = {"type": "text", "text": {"value": content, "annotations": []}}
    parts: object = [text] if isinstance(content, str) else content
    return {
        "id": f"msg_{thread_id}_{number}",
        "object": "thread.message",
        "created_at": 1700000000 + number,
        "assistant_id": None,
        "thread_id": thread_id,
        "run_id": None,
        "role": role,
        "content": parts,
        "attachments": [],
        "metadata": {},
        **changes,
    }


def make_run(thread_id: str, number: int, *, status: object = "completed", **changes: object) -> JsonObject:
    return {
        "id": f"run_{thread_id}_{number}",
        "object": "thread.run",
        "created_at": 1700000000 + number,
        "assistant_id": "asst_old",
        "thread_id": thread_id,
        "status": status,
        "started_at": 1700000001,
        "expires_at": None,
        "cancelled_at": None,
        "failed_at": None,
        "completed_at": 1700000002,
        "required_action": None,
        "last_error": None,
        "model": "gpt-4o",
        "instructions": "Be brief.",
        "tools": [],
        "tool_resources": {},
        "metadata": {},
        "temperature": 1.0,
        "top_p": 1.0,
        "max_completion_tokens": None,
        "max_prompt_tokens": None,
        "truncation_strategy": {"type": "auto", "last_messages": None},
        "incomplete_details": None,
        "response_format": "auto",
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
        **changes,
    }


def make_step(run: JsonObject, number: int, details: object, **changes: object) -> JsonObject:
    kind: str = details["type"] if is_json_object(details) else "tool_calls"
    return {
        "id": f"step_{run['id']}_{number}",
        "object": "thread.run.step",
        "created_at": run["created_at"] + number,
        "run_id": run["id"],
        "assistant_id": "asst_old",
        "thread_id": run["thread_id"],
        "type": kind,
        "status": "completed",
        "cancelled_at": None,
        "completed_at": run["created_at"] + number,
        "expires_at": None,
        "failed_at": None,
        "last_error": None,
        "step_details": details,
        "metadata": {},
        "usage": None,
        **changes,
    }


def make_calls(*functions: JsonObject | None) -> JsonObject:
    """The details of a step that calls functions, with the ids call_0, call_1, …"""
    calls = [{"id": f"call_{n}", "type": "function", "function": each} for n, each in enumerate(functions)]
    return {"type": "tool_calls", "tool_calls": calls}


def make_creation(message: JsonObject) -> JsonObject:
    return {"type": "message_creation", "message_creation": {"message_id": message["id"]}}


def weather_thread(thread_id: str = "thread_weather") -> ThreadParts:
    """A question, a round of two calls with outputs, and the answer."""
    run = make_run(thread_id, 1)
    question = make_message(thread_id, 0, "Weather in Rome and Oslo?")
    answer = make_message(thread_id, 9, "Warm, and cold.", role="assistant", run_id=run["id"], assistant_id="asst_old")
    calls = make_calls(
        {"name": "get_weather", "arguments": '{"city":"Rome"}', "output": "31"},
        {"name": "get_weather", "arguments": '{"city":"Oslo"}', "output": "-3"},
    )
    steps = [make_step(run, 1, calls), make_step(run, 2, make_creation(answer))]
    return make_thread(thread_id), [question, answer], [run], steps


def _messages_only(thread_id: str, *contents: tuple[str, object]) -> ThreadParts:
    messages = [make_message(thread_id, n, content, role=role) for n, (role, content) in enumerate(contents)]
    return make_thread(thread_id), messages, [], []


def _with_step(thread_id: str, details: object) -> ThreadParts:
    run = make_run(thread_id, 1)
    answer = make_message(thread_id, 5, "Done.", role="assistant", run_id=run["id"])
    steps = [make_step(run, 1, details), make_step(run, 2, make_creation(answer))]
    return make_thread(thread_id), [make_message(thread_id, 0, "Do it."), answer], [run], steps


def _annotated(thread_id: str) -> ThreadParts:
    """A citation, an attachment and tool resources that name files which were deleted."""
    citation = {
        "type": "file_citation",
        "text": "【4:0†source】",
        "start_index": 0,
        "end_index": 12,
        "file_citation": {"file_id": "file-gone"},
    }
    content = [{"type": "text", "text": {"value": "【4:0†source】 says so", "annotations": [citation]}}]
    attachments = [{"file_id": "file-gone", "tools": [{"type": "file_search"}]}]
    resources: JsonObject = {"code_interpreter": {"file_ids": []}, "file_search": {"vector_store_ids": ["vs_old"]}}
    thread = make_thread(thread_id, tool_resources=resources)
    question = make_message(thread_id, 0, "Read it.", attachments=attachments, metadata={"file": "file-gone"})
    return thread, [question, make_message(thread_id, 1, content, role="assistant")], [], []


def _unlinked(thread_id: str) -> ThreadParts:
    """A run with calls and a message that no step names."""
    run = make_run(thread_id, 1)
    calls = make_step(run, 1, make_calls({"name": "f", "arguments": "{}", "output": "4"}))
    answer = make_message(thread_id, 8, "Four.", role="assistant", run_id=run["id"])
    return make_thread(thread_id), [make_message(thread_id, 0, "2+2?"), answer], [run], [calls]


#: One thread for every quirk, by name.
QUIRKS: dict[str, ThreadParts] = {
    "null_function": _with_step("thread_null_function", make_calls(None)),
    "null_tool_calls": _with_step("thread_null_tool_calls", {"type": "tool_calls", "tool_calls": None}),
    "null_step_details": _with_step("thread_null_step_details", None),
    "null_file_search": _with_step(
        "thread_null_file_search",
        {"type": "tool_calls", "tool_calls": [{"id": "call_f", "type": "file_search", "file_search": None}]},
    ),
    "null_code_interpreter": _with_step(
        "thread_null_code",
        {"type": "tool_calls", "tool_calls": [{"id": "call_c", "type": "code_interpreter", "code_interpreter": None}]},
    ),
    "null_output": _with_step("thread_null_output", make_calls({"name": "f", "arguments": "{}", "output": None})),
    "image_without_file": _messages_only(
        "thread_image_null", ("user", [{"type": "image_file", "image_file": {"file_id": None}}]), ("assistant", "Nice.")
    ),
    "image_file_null": _messages_only("thread_image_none", ("user", [{"type": "image_file", "image_file": None}])),
    "image_only_assistant": _messages_only(
        "thread_image_only",
        ("user", "Draw."),
        ("assistant", [{"type": "image_file", "image_file": {"file_id": "assistant-png"}}]),
    ),
    "null_text": _messages_only("thread_null_text", ("user", [{"type": "text", "text": None}])),
    "null_content": _messages_only("thread_null_content", ("user", None)),
    "empty_content": _messages_only("thread_empty_content", ("user", "Hi"), ("assistant", [])),
    "unknown_part": _messages_only("thread_unknown_part", ("user", [{"type": "hologram", "hologram": None}])),
    "null_status": (
        make_thread("thread_null_status"),
        [make_message("thread_null_status", 0, "Hi", status=None, completed_at=None, incomplete_details=None)],
        [],
        [],
    ),
    "empty_thread": (make_thread("thread_empty"), [], [], []),
    "null_resources": (make_thread("thread_null_resources", tool_resources=None, metadata=None), [], [], []),
    "deleted_files": _annotated("thread_deleted_files"),
    "message_without_step": _unlinked("thread_unlinked"),
    "one_page_of_many": _messages_only("thread_one_page", ("assistant", "…as I said."), ("user", "Go on.")),
    "calls": weather_thread(),
}


def write_archive(path: Path, threads: Iterable[ThreadParts], *, assistants: Iterable[JsonObject] = ()) -> Path:
    """A sealed archive of these threads."""
    with ArchiveWriter(path, source={"backend": "test"}, options={}) as writer, ExitStack() as opened:
        buffers: list[RecordBuffer] = []
        for assistant in assistants:
            buffers.append(opened.enter_context(RecordBuffer("assistant", str(assistant["id"]))))
            buffers[-1].add(Part.ASSISTANTS, [assistant])
        for thread, messages, runs, steps in threads:
            buffers.append(opened.enter_context(RecordBuffer("thread", str(thread["id"]))))
            buffers[-1].add(Part.THREADS, [thread])
            buffers[-1].add(Part.MESSAGES, messages)
            buffers[-1].add(Part.RUNS, runs)
            buffers[-1].add(Part.STEPS, steps)
        writer.commit(buffers)
        writer.finish()
    return path

"""Responses of the API that were saved: pages, arrays, objects of all kinds, whole threads, recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.migrate.dumps.import_command import import_content, import_files, make_lines, make_message
from threadbridge.api_types import JsonObject
from threadbridge_migrate.archive.reader import Part

QUESTION = make_message("msg_1", "When?", 1700000000)
ANSWER = make_message("msg_2", "Tuesday.", 1700000060, role="assistant")
THANKS = make_message("msg_3", "Thanks", 1700000060)
THREAD: JsonObject = {
    "id": "thread_a",
    "object": "thread",
    "created_at": 1699999999,
    "metadata": {},
    "tool_resources": {},
}
RUN: JsonObject = {
    "id": "run_a",
    "object": "thread.run",
    "created_at": 1700000001,
    "assistant_id": "asst_a",
    "thread_id": "thread_a",
    "status": "completed",
    "model": "gpt-4o",
    "instructions": "",
    "tools": [],
}
STEP: JsonObject = {
    "id": "step_a",
    "object": "thread.run.step",
    "created_at": 1700000002,
    "run_id": "run_a",
    "thread_id": "thread_a",
    "type": "message_creation",
    "status": "completed",
    "step_details": {"type": "message_creation", "message_creation": {"message_id": "msg_2"}},
}


def make_page(*newest_first: JsonObject, has_more: bool = False) -> JsonObject:
    ids = [each["id"] for each in newest_first] or [None]
    return {"object": "list", "data": [*newest_first], "first_id": ids[0], "last_id": ids[-1], "has_more": has_more}


def test_a_page_is_newest_first_and_stays_as_sent(tmp_path: Path) -> None:
    imported = import_content(tmp_path, make_page(THANKS, ANSWER, QUESTION))

    assert imported.exit_code == 0
    assert imported.read(Part.MESSAGES) == [QUESTION, ANSWER, THANKS]
    assert imported.read(Part.THREADS) == [{**THREAD, "created_at": 1700000000}]
    assert (imported.provenance["grade"], imported.provenance["missing"]) == ("messages", ["runs"])


def test_a_page_of_many_is_said_to_miss_messages(tmp_path: Path) -> None:
    imported = import_content(tmp_path, make_page(THANKS, ANSWER, has_more=True))

    assert imported.provenance["missing"] == ["messages", "runs"]


def test_pages_of_several_files_are_merged_without_doubles(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_bytes(orjson.dumps(make_page(THANKS, ANSWER, has_more=True)))
    (tmp_path / "a.txt").write_bytes(orjson.dumps(make_page(ANSWER, QUESTION)))

    imported = import_files(tmp_path, tmp_path / "b.json", tmp_path / "a.txt")

    assert imported.read(Part.MESSAGES) == [QUESTION, ANSWER, THANKS]
    assert "messages" not in imported.provenance["missing"]


def test_an_array_of_model_dumps_keeps_its_nulls(tmp_path: Path) -> None:
    dumped: JsonObject = {
        "id": "msg_b1",
        "assistant_id": None,
        "attachments": [],
        "completed_at": None,
        "content": [{"text": {"annotations": [], "value": "Hello"}, "type": "text"}],
        "created_at": 1700000100,
        "incomplete_at": None,
        "role": "user",
        "status": None,
        "thread_id": "thread_b",
    }

    imported = import_content(tmp_path, [dumped])

    assert imported.read(Part.MESSAGES) == [{**dumped, "object": "thread.message"}]
    assert imported.provenance["grade"] == "messages"


def test_files_of_v1_messages_become_attachments(tmp_path: Path) -> None:
    old = {key: value for key, value in QUESTION.items() if key != "attachments"}

    imported = import_content(tmp_path, [{**old, "file_ids": ["file-c"]}, {**old, "id": "msg_0", "file_ids": []}])

    by_id = {each["id"]: each for each in imported.read(Part.MESSAGES)}
    assert [each["file_id"] for each in by_id["msg_1"]["attachments"]] == ["file-c"]
    assert by_id["msg_0"] == {**old, "id": "msg_0", "file_ids": []}
    assert imported.provenance["derived"] == ["attachments", "thread"]


@pytest.mark.parametrize("form", ["bundle", "fields of the thread", "pages"])
def test_a_file_of_one_thread_is_full(tmp_path: Path, form: str) -> None:
    lists: Any = {"messages": [QUESTION, ANSWER], "runs": [RUN], "run_steps": {"run_a": [STEP]}}
    if form == "pages":
        lists = {"messages": make_page(ANSWER, QUESTION), "runs": make_page(RUN), "steps": make_page(STEP)}
    bundle = {**THREAD, **lists} if form == "fields of the thread" else {"thread": THREAD, **lists}

    imported = import_content(tmp_path, {"format": "assistants-thread-export/v1", **bundle})

    assert imported.read(Part.THREADS) == [THREAD]
    assert imported.read(Part.MESSAGES) == [QUESTION, ANSWER]
    assert (imported.read(Part.RUNS), imported.read(Part.STEPS)) == ([RUN], [STEP])
    assert imported.provenance["grade"] == "full"


def test_lines_of_mixed_objects_may_have_any_order(tmp_path: Path) -> None:
    assistant = {"id": "asst_a", "object": "assistant", "model": "gpt-4o"}
    step = {key: value for key, value in STEP.items() if key != "thread_id"}

    imported = import_content(tmp_path, make_lines(step, RUN, ANSWER, assistant, QUESTION, THREAD))

    assert imported.exit_code == 0
    assert imported.read(Part.MESSAGES) == [QUESTION, ANSWER]
    assert imported.read(Part.STEPS) == [{**step, "thread_id": "thread_a"}]
    assert imported.read(Part.ASSISTANTS) == [assistant]
    assert imported.provenance["grade"] == "full"


def test_threads_by_id_name_the_thread_of_their_messages(tmp_path: Path) -> None:
    bare = {key: value for key, value in QUESTION.items() if key != "thread_id"}

    imported = import_content(tmp_path, {"exported": "today", "threads": {"thread_x": [bare]}})

    assert imported.ids(Part.THREADS) == ["thread_x"]
    assert imported.read(Part.MESSAGES)[0]["thread_id"] == "thread_x"


def test_ids_of_another_service_stay(tmp_path: Path) -> None:
    message = {**QUESTION, "id": "f-77", "thread_id": "foundry-9"}

    imported = import_content(tmp_path, make_page(message))

    assert imported.read(Part.MESSAGES) == [message]
    assert imported.ids(Part.THREADS) == ["foundry-9"]


def test_what_has_no_place_is_named_and_the_rest_imported(tmp_path: Path) -> None:
    imported = import_content(
        tmp_path, make_lines(QUESTION, {**QUESTION, "id": "msg_9", "role": "critic"}, {"a": 1}) + b'{"half'
    )

    assert imported.exit_code == 1
    assert imported.ids(Part.MESSAGES) == ["msg_1"]
    assert [each["id"].rpartition(":")[2] for each in imported.read(Part.ERRORS)] == ["line 2", "line 3", "line 4"]
    assert {each["kind"] for each in imported.read(Part.ERRORS)} == {"dump"}


def test_repeating_an_import_adds_nothing(tmp_path: Path) -> None:
    import_content(tmp_path, make_page(ANSWER, QUESTION))
    before = {path.name: path.read_bytes() for path in (tmp_path / "archive").iterdir()}

    again = import_files(tmp_path, tmp_path / "dump")

    assert again.exit_code == 5
    assert {path.name: path.read_bytes() for path in (tmp_path / "archive").iterdir()} == before


def test_a_changed_dump_is_another_source(tmp_path: Path) -> None:
    import_content(tmp_path, make_page(QUESTION))

    again = import_content(tmp_path, make_page(ANSWER, QUESTION))

    assert again.exit_code == 2
    assert "choose another --out" in again.stderr


@pytest.mark.parametrize("content", ["just words\n", '{"name": "package", "version": "1"}', b"\x7fELF\x00\x01\x02", ""])
def test_nothing_is_written_of_what_is_not_recognised(tmp_path: Path, content: str | bytes) -> None:
    imported = import_content(tmp_path, content)

    assert imported.exit_code == 4
    assert imported.stderr.startswith("migrate: Nothing was recognised")
    assert imported.stderr.count("\n") == 1
    assert not imported.archive.exists()


def test_steps_of_a_run_that_is_missing_get_one(tmp_path: Path) -> None:
    imported = import_content(tmp_path, make_lines(THREAD, QUESTION, {**STEP, "run_id": "run_lost"}))

    (run,) = imported.read(Part.RUNS)
    assert (run["id"], run["status"], run["created_at"]) == ("run_lost", "completed", 1700000002)
    assert imported.provenance["derived"] == ["runs"]


def test_a_step_without_thread_and_run_is_named(tmp_path: Path) -> None:
    step = {key: value for key, value in STEP.items() if key != "thread_id"}

    imported = import_content(tmp_path, make_lines(QUESTION, step))

    assert imported.exit_code == 1
    assert "step_a names no thread" in imported.report["problems"][0]["reason"]


@pytest.mark.parametrize(("messages", "status"), [([QUESTION], "expired"), ([QUESTION, ANSWER], "completed")])
def test_runs_that_were_active_are_ended(tmp_path: Path, messages: list[JsonObject], status: str) -> None:
    run = {**RUN, "status": "in_progress"}
    step = {**STEP, "status": "in_progress"}

    imported = import_content(tmp_path, {"thread": THREAD, "messages": messages, "runs": [run], "steps": [step]})

    assert imported.read(Part.RUNS)[0]["status"] == status
    assert imported.read(Part.STEPS)[0]["status"] == "expired"
    assert imported.provenance["derived"] == ["status"]


def test_a_har_file_names_threads_by_url(tmp_path: Path) -> None:
    bare = {key: value for key, value in STEP.items() if key not in ("thread_id", "run_id")}
    bodies = {
        "/v1/threads/thread_a/messages?order=asc": make_page(QUESTION, ANSWER, THANKS),
        "/v1/threads/thread_a/runs/run_a/steps": make_page(bare),
        "/v1/threads/thread_a/runs": make_page(RUN),
        "/v1/threads/thread_a": THREAD,
        "/v1/models": {"object": "list", "data": [{"id": "gpt-4o", "object": "model"}]},
    }
    entries = [
        {
            "request": {"method": "GET", "url": f"https://api.example{url}"},
            "response": {"status": 200, "content": {"text": orjson.dumps(body).decode()}},
        }
        for url, body in bodies.items()
    ]
    failed = {"request": {"url": "https://api.example/v1/threads/thread_b"}, "response": {"status": 404}}

    imported = import_content(tmp_path, {"log": {"version": "1.2", "entries": [*entries, failed]}})

    assert imported.exit_code == 0
    assert imported.ids(Part.MESSAGES) == ["msg_1", "msg_2", "msg_3"]
    assert imported.read(Part.STEPS)[0]["run_id"] == "run_a"
    assert imported.provenance["grade"] == "full"


def test_a_large_document_is_streamed_and_equal(tmp_path: Path) -> None:
    text = "x" * 2000
    messages = [make_message(f"msg_{number}", text, 1700000000 + number) for number in range(6000, 0, -1)]

    imported = import_content(tmp_path, make_page(*messages, has_more=False))

    assert (tmp_path / "dump").stat().st_size > 8 << 20
    assert imported.exit_code == 0
    assert imported.read(Part.MESSAGES) == messages[::-1]

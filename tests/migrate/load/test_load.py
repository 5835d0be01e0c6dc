"""What a load puts into a store: the same bytes, a conversation that continues, and nothing twice."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from tests.emulated_service import EmulatedService, open_service
from tests.migrate.load.quirky_threads import (
    QUIRKS,
    ThreadParts,
    make_message,
    make_run,
    make_step,
    make_thread,
    weather_thread,
    write_archive,
)
from tests.request_context import CONTEXT
from threadbridge.api_types import JsonObject
from threadbridge_migrate.archive.reader import Archive
from threadbridge_migrate.cli.application import app
from threadbridge_migrate.load.loader import LoadOptions, LoadReport, load_archive

ASSISTANT: JsonObject = {
    "id": "asst_old",
    "object": "assistant",
    "created_at": 1,
    "name": None,
    "description": None,
    "model": "gpt-4o",
    "instructions": "Be brief.",
    "tools": [],
    "metadata": {},
    "top_p": 1.0,
    "temperature": 1.0,
    "response_format": "auto",
}


def migrate(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


async def load_into(service: EmulatedService, archive: Path, **options: Any) -> LoadReport:
    chosen = LoadOptions(tenant=CONTEXT.tenant, **options)
    return await load_archive(Archive.open(archive), service.store, chosen)


async def list_all(service: EmulatedService, path: str) -> list[JsonObject]:
    objects: list[JsonObject] = []
    query: dict[str, str] = {}
    while True:
        page = await service.get(path, limit="100", order="asc", **query)
        assert page.status == 200, page.body
        objects += page.body["data"]
        if not page.body["has_more"]:
            return objects
        query = {"after": objects[-1]["id"]}


@pytest.mark.parametrize("quirk", QUIRKS)
async def test_every_list_answers_the_bytes_of_the_archive(tmp_path: Path, quirk: str) -> None:
    thread, messages, runs, steps = QUIRKS[quirk]
    archive = write_archive(tmp_path / "archive", [QUIRKS[quirk]])

    async with open_service() as service:
        report = await load_into(service, archive)
        path = f"/threads/{thread['id']}"
        found = (await service.get(path)).body
        found_messages = await list_all(service, f"{path}/messages")
        found_runs = await list_all(service, f"{path}/runs")
        found_steps = [step for run in runs for step in await list_all(service, f"{path}/runs/{run['id']}/steps")]

    assert report.losses == []
    filled: JsonObject = {"metadata": {}, "tool_resources": {"code_interpreter": {"file_ids": []}}}  # D119
    expected = {**thread, **{name: value for name, value in filled.items() if thread[name] is None}}
    assert orjson.dumps(found) == orjson.dumps(expected)
    assert orjson.dumps(found_messages) == orjson.dumps(messages)
    assert orjson.dumps(found_runs) == orjson.dumps(runs)
    assert orjson.dumps(found_steps) == orjson.dumps(steps)


@pytest.mark.parametrize("quirk", QUIRKS)
async def test_the_next_run_continues_every_thread(tmp_path: Path, quirk: str) -> None:
    archive = write_archive(tmp_path / "archive", [QUIRKS[quirk]], assistants=[ASSISTANT])

    async with open_service() as service:
        await load_into(service, archive)
        path = f"/threads/{QUIRKS[quirk][0]['id']}"
        await service.post(f"{path}/messages", role="user", content="And now?")
        started = await service.post(f"{path}/runs", assistant_id="asst_old")
        ended = await service.wait_until_rest(started.body)

    assert ended["status"] == "completed", ended["last_error"]


async def test_calls_are_replayed_with_their_outputs_before_the_answer(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "archive", [weather_thread()], assistants=[ASSISTANT])

    async with open_service() as service:
        await load_into(service, archive)
        path = "/threads/thread_weather"
        await service.post(f"{path}/messages", role="user", content="And tomorrow?")
        await service.wait_until_rest((await service.post(f"{path}/runs", assistant_id="asst_old")).body)
        sent = service.model_requests[-1]["input"]

    summary = [(item.get("call_id") and f"{item['type']} {item['call_id']}") or item["role"] for item in sent]
    assert summary == [
        "user",
        "function_call call_0",
        "function_call call_1",
        "function_call_output call_0",
        "function_call_output call_1",
        "assistant",
        "user",
    ]
    assert [item["output"] for item in sent if item.get("type") == "function_call_output"] == ["31", "-3"]


async def test_calls_that_no_message_step_follows_stay_in_their_run(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "archive", [QUIRKS["message_without_step"]], assistants=[ASSISTANT])

    async with open_service() as service:
        await load_into(service, archive)
        entries = await service.store.read(
            lambda session: session.list_entries("thread_unlinked"), tenant=CONTEXT.tenant
        )

    kinds = [entry.item["type"] if entry.item else entry.message and entry.message["role"] for entry in entries]
    assert kinds == ["user", "function_call", "function_call_output", "assistant"]


async def test_a_repeated_load_adds_nothing(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "archive", QUIRKS.values(), assistants=[ASSISTANT])

    async with open_service() as service:
        first = await load_into(service, archive)
        second = await load_into(service, archive)
        messages = await list_all(service, "/threads/thread_weather/messages")

    assert (first.threads, second.threads) == ({"added": len(QUIRKS)}, {"unchanged": len(QUIRKS)})
    assert (second.messages, second.assistants) == (0, 0)
    assert [message["id"] for message in messages] == ["msg_thread_weather_0", "msg_thread_weather_9"]


async def test_a_thread_that_has_grown_is_replaced_and_one_continued_here_is_kept(tmp_path: Path) -> None:
    thread, messages, runs, steps = weather_thread()
    early = write_archive(tmp_path / "early", [(thread, messages[:1], [], [])], assistants=[ASSISTANT])
    whole = write_archive(tmp_path / "whole", [(thread, messages, runs, steps)])

    async with open_service() as service:
        await load_into(service, early)
        grown = await load_into(service, whole)
        await service.post("/threads/thread_weather/messages", role="user", content="And tomorrow?")
        again = await load_into(service, whole)
        found = await list_all(service, "/threads/thread_weather/messages")

    assert (grown.threads, again.threads) == ({"extended": 1}, {"continued": 1})
    assert len(found) == 3


async def test_only_chosen_threads_are_loaded_and_unknown_ones_are_named(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "archive", QUIRKS.values())

    async with open_service() as service:
        report = await load_into(service, archive, only=frozenset({"thread_empty", "thread_never"}))
        missing = await service.get("/threads/thread_weather")

    assert report.threads == {"added": 1, "failed": 1}
    assert report.losses == ["thread_never: the archive has no thread of this id"]
    assert missing.status == 404


async def test_the_model_of_an_assistant_is_mapped_and_the_model_of_its_runs_is_history(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "archive", [weather_thread()], assistants=[ASSISTANT])

    async with open_service() as service:
        await load_into(service, archive, models={"gpt-4o": "gpt-5"})
        assistant = (await service.get("/assistants/asst_old")).body
        run = (await service.get("/threads/thread_weather/runs/run_thread_weather_1")).body

    assert (assistant["model"], run["model"]) == ("gpt-5", "gpt-4o")


async def test_uploaded_files_are_named_by_their_new_ids_except_in_metadata(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "archive", [QUIRKS["deleted_files"]])

    async with open_service() as service:
        await load_into(service, archive, ids={"file-gone": "file-new", "vs_old": "vs_new"})
        thread = (await service.get("/threads/thread_deleted_files")).body
        question, answer = await list_all(service, "/threads/thread_deleted_files/messages")

    assert thread["tool_resources"]["file_search"] == {"vector_store_ids": ["vs_new"]}
    assert question["attachments"][0]["file_id"] == "file-new"
    assert question["metadata"] == {"file": "file-gone"}
    assert answer["content"][0]["text"]["annotations"][0]["file_citation"] == {"file_id": "file-new"}


async def test_objects_that_a_resumed_export_appended_later_find_their_thread(tmp_path: Path) -> None:
    from threadbridge_migrate.archive.reader import Part
    from threadbridge_migrate.archive.record_buffer import RecordBuffer
    from threadbridge_migrate.archive.writer import ArchiveWriter

    thread, messages, runs, steps = weather_thread()
    with ArchiveWriter(tmp_path / "archive", source={"backend": "test"}, options={}) as writer:
        for subject, part, objects in (
            ("thread", Part.THREADS, [thread]),
            ("thread", Part.THREADS, [make_thread("thread_other")]),
            ("thread", Part.MESSAGES, [make_message("thread_other", 1, "Hi"), *messages]),
            ("runs", Part.RUNS, runs),
            ("steps", Part.STEPS, [{name: value for name, value in steps[0].items() if name != "thread_id"}, steps[1]]),
        ):
            with RecordBuffer("thread", f"{subject}_{part}_{objects[0]['id']}") as buffer:
                buffer.add(part, objects)
                writer.commit([buffer])
        writer.finish()

    async with open_service() as service:
        report = await load_into(service, tmp_path / "archive")
        found = await list_all(service, "/threads/thread_weather/messages")

    assert (report.messages, report.runs, report.steps) == (3, 1, 2)
    assert found == messages
    assert report.losses == ["thread_weather: 1 of its steps named no thread and name it now"]


# -- The command ---------------------------------------------------------------------------------------------------


def many_threads(count: int) -> list[ThreadParts]:
    threads: list[ThreadParts] = []
    for n in range(count):
        thread_id = f"thread_{n:04}"
        runs = [make_run(thread_id, m) for m in range(3)]
        messages = [make_message(thread_id, m, f"message {m}") for m in range(20)]
        steps = [make_step(run, 1, {"type": "tool_calls", "tool_calls": []}) for run in runs]
        threads.append((make_thread(thread_id), messages, runs, steps))
    return threads


def test_after_kills_at_any_moment_the_same_command_completes_the_load(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "archive", many_threads(1200))
    store = f"sqlite:///{tmp_path}/threads.db"
    main = "from threadbridge_migrate.cli.application import main; main()"
    command = [sys.executable, "-c", main, "load", str(archive), "--store", store]
    for seconds in (0.4, 0.7, 1.0):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()

    last = migrate("load", str(archive), "--store", store)
    checked = migrate("check", str(archive), store)

    assert last.exit_code in (0, 5), last.output
    assert checked.exit_code == 0, checked.output


def test_a_damaged_archive_changes_nothing(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "archive", [weather_thread()])
    with (archive / "messages.jsonl").open("r+b") as file:
        file.truncate(40)

    result = migrate("load", str(archive), "--store", f"sqlite:///{tmp_path}/threads.db")

    assert result.exit_code == 4
    assert "messages.jsonl is not what the manifest describes" in result.output
    assert not (tmp_path / "threads.db").exists()


def test_an_archive_of_a_newer_version_is_rejected(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "archive", [weather_thread()])
    manifest = orjson.loads((archive / "manifest.json").read_bytes())
    (archive / "manifest.json").write_bytes(orjson.dumps({**manifest, "version": 99}))

    result = migrate("load", str(archive), "--store", f"sqlite:///{tmp_path}/threads.db")

    assert result.exit_code == 4
    assert "please update ThreadBridge" in result.output


def test_an_archive_that_is_not_sealed_is_only_taken_on_request(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "archive", [weather_thread()])
    manifest = orjson.loads((archive / "manifest.json").read_bytes())
    (archive / "manifest.json").write_bytes(orjson.dumps({**manifest, "state": "exporting", "files": {}}))
    store = f"sqlite:///{tmp_path}/threads.db"

    refused = migrate("load", str(archive), "--store", store)
    taken = migrate("load", str(archive), "--store", store, "--unsealed")

    assert (refused.exit_code, taken.exit_code) == (2, 0)
    assert "--unsealed" in refused.output


def test_a_message_id_of_another_thread_fails_that_thread_alone(tmp_path: Path) -> None:
    stolen = {**make_message("thread_thief", 0, "Hi"), "id": "msg_thread_weather_0"}
    thief: ThreadParts = (make_thread("thread_thief"), [stolen], [], [])
    archive = write_archive(tmp_path / "archive", [weather_thread(), thief, QUIRKS["empty_thread"]])

    result = migrate("load", str(archive), "--store", f"sqlite:///{tmp_path}/threads.db", "--json")

    report = orjson.loads(result.stdout)
    assert result.exit_code == 1
    assert report["threads"] == {"added": 2, "failed": 1}
    assert "thread_thief" in report["losses"][0]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--store", "https://example.com/v1"], "is not a store"),
        (["--store", "sqlite:///t.db", "--map-model", "gpt-4o"], "--map-model takes OLD=NEW"),
        (["--store", "sqlite:///t.db", "--only", "not an id"], "neither a file nor a thread id"),
    ],
)
def test_wrong_usage_is_explained(tmp_path: Path, words: list[str], sentence: str) -> None:
    archive = write_archive(tmp_path / "archive", [weather_thread()])

    result = migrate("load", str(archive), *words)

    assert result.exit_code == 2
    assert sentence in result.output

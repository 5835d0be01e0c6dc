"""Every shape of a dump becomes the threads that are in it, with a grade, and can be loaded."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from tests.migrate.dumps.dump_shapes import (
    DUMPS,
    TALK,
    Dump,
    Talk,
    make_message,
    make_messages,
    write_json,
    write_lines,
)
from threadbridge.api_types import JsonObject
from threadbridge_migrate.archive.reader import Archive, Part
from threadbridge_migrate.cli.application import app


def import_dump(*words: str) -> Result:
    return CliRunner().invoke(app, ["import-dump", *words])


def read_talks(path: Path) -> dict[str, Talk]:
    """The conversations of an archive by thread id."""
    archive = Archive.open(path)
    talks: dict[str, list[tuple[str, str]]] = {thread["id"]: [] for thread in archive.read_part(Part.THREADS)}
    for message in archive.read_part(Part.MESSAGES):
        talks[message["thread_id"]].append((message["role"], message["content"][0]["text"]["value"]))
    return {**talks}


def read_provenance(path: Path) -> list[JsonObject]:
    return list(Archive.open(path).read_part(Part.PROVENANCE))


def assert_talks(actual: dict[str, Talk], expected: Dump) -> None:
    """The expected threads; derived ids are not compared, but have the form of ids."""
    if any("*" in thread_id for thread_id in expected.threads):
        assert sorted(map(repr, actual.values())) == sorted(map(repr, map(list, expected.threads.values())))
        assert all(len(thread_id) == len("thread_") + 24 for thread_id in actual)
    else:
        assert actual == {thread_id: list(talk) for thread_id, talk in expected.threads.items()}


@pytest.mark.parametrize("name", DUMPS)
def test_a_dump_becomes_its_threads(tmp_path: Path, name: str) -> None:
    dump = DUMPS[name]
    dump.write(tmp_path / "saved")

    result = import_dump(str(tmp_path / "saved"), "--out", str(tmp_path / "archive"), "--json")

    assert result.exit_code == (1 if dump.problems else 0), result.output
    assert_talks(read_talks(tmp_path / "archive"), dump)
    provenance = read_provenance(tmp_path / "archive")
    assert [each["grade"] for each in provenance] == [dump.grade] * len(dump.threads)
    assert all(set(dump.missing) <= set(each["missing"]) for each in provenance)
    assert len(orjson.loads(result.stdout)["problems"]) == dump.problems


@pytest.mark.parametrize("name", DUMPS)
def test_an_imported_dump_is_loaded_and_check_is_clean(tmp_path: Path, name: str) -> None:
    DUMPS[name].write(tmp_path / "saved")
    archive, store = str(tmp_path / "archive"), f"sqlite:///{tmp_path}/threads.db"
    import_dump(str(tmp_path / "saved"), "--out", archive)

    loaded = CliRunner().invoke(app, ["load", archive, "--store", store])
    checked = CliRunner().invoke(app, ["check", archive, store])

    assert (loaded.exit_code, checked.exit_code) == (0, 0), loaded.output + checked.output


@pytest.mark.parametrize("name", DUMPS)
def test_ids_are_the_same_whenever_and_wherever_a_dump_is_imported(tmp_path: Path, name: str) -> None:
    for number in range(2):
        DUMPS[name].write(tmp_path / "saved")
        import_dump(str(tmp_path / "saved"), "--out", str(tmp_path / f"archive-{number}"))
        (tmp_path / "saved").unlink()

    first, second = ((tmp_path / f"archive-{number}" / "messages.jsonl").read_bytes() for number in range(2))
    assert first == second


def test_pages_of_one_thread_are_merged_in_any_order_and_overlap(tmp_path: Path) -> None:
    messages = [make_message("thread_a", n, "user", f"line {n}", created_at=1700000000) for n in range(10)]
    folder = tmp_path / "pages"
    folder.mkdir()
    for number, part in enumerate((messages[5:], messages[2:6], messages[:3])):
        page = {"object": "list", "data": part[::-1], "has_more": number < 2}
        (folder / f"{number}.json").write_bytes(orjson.dumps(page))

    result = import_dump(str(folder), "--out", str(tmp_path / "archive"))

    assert result.exit_code == 0, result.output
    assert read_talks(tmp_path / "archive") == {"thread_a": [("user", f"line {n}") for n in range(10)]}
    assert read_provenance(tmp_path / "archive")[0]["missing"] == []


def test_objects_as_the_service_sent_them_are_not_changed(tmp_path: Path) -> None:
    DUMPS["one JSON a thread"].write(tmp_path / "saved")
    import_dump(str(tmp_path / "saved"), "--out", str(tmp_path / "archive"))

    lines = (tmp_path / "archive" / "messages.jsonl").read_bytes().splitlines()

    assert lines == [orjson.dumps(message) for message in make_messages("thread_e")]


def test_columns_of_other_names_are_named_by_map(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("gespraech,wer,was\nthread_x,user,Is it Tuesday?\nthread_x,assistant,It is.\n")
    words = [str(tmp_path / "a.csv"), "--out", str(tmp_path / "archive")]

    refused = import_dump(*words)
    result = import_dump(*words, "--map", "thread_id=gespraech,role=wer", "--map", "content=was")

    assert refused.exit_code == 4
    assert "--map thread_id=COLUMN" in refused.output
    assert result.exit_code == 0, result.output
    assert read_talks(tmp_path / "archive") == {"thread_x": TALK}


def test_a_wrong_map_names_the_fields(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n")

    result = import_dump(str(tmp_path / "a.csv"), "--map", "colour=b")

    assert result.exit_code == 2
    assert "thread_id, id, role, content" in result.output


def test_a_dry_run_says_what_is_there_and_writes_nothing(tmp_path: Path) -> None:
    DUMPS["list page"].write(tmp_path / "saved")

    result = import_dump(str(tmp_path / "saved"), "--out", str(tmp_path / "archive"), "--dry-run")

    assert result.exit_code == 0
    assert "Threads: 1 messages, with 2 messages" in result.output
    assert not (tmp_path / "archive").exists()


def test_a_second_import_adds_nothing(tmp_path: Path) -> None:
    DUMPS["list page"].write(tmp_path / "saved")
    words = [str(tmp_path / "saved"), "--out", str(tmp_path / "archive")]

    assert [import_dump(*words).exit_code for _ in range(2)] == [0, 5]


def test_lines_that_cannot_be_placed_are_in_the_errors(tmp_path: Path) -> None:
    lines = [orjson.dumps(each) for each in make_messages("thread_a")] + [b'{"x":1}', b"broken", b'{"id":"msg_']
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines))

    result = import_dump(str(tmp_path / "a.jsonl"), "--out", str(tmp_path / "archive"))

    assert result.exit_code == 1
    errors = list(Archive.open(tmp_path / "archive").read_part(Part.ERRORS))
    assert [error["id"].rpartition(":")[2] for error in errors] == ["line 3", "line 4", "line 5"]
    assert read_talks(tmp_path / "archive") == {"thread_a": TALK}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "Nothing was recognised"),
        (b"Dear diary, today I went home.", "Nothing was recognised"),
        (b"", "Nothing was recognised"),
        (b'{"a": 1}', "Nothing was recognised"),
        (b'{"object":"chat.completion","id":"chatcmpl-1","choices":[]}', "Nothing was recognised"),
    ],
)
def test_another_products_files_are_refused_in_one_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "saved").write_bytes(content)

    result = import_dump(str(tmp_path / "saved"), "--out", str(tmp_path / "archive"))

    assert result.exit_code == 4
    assert message in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "archive").exists()


def test_a_missing_path_is_wrong_usage(tmp_path: Path) -> None:
    result = import_dump(str(tmp_path / "none"))

    assert (result.exit_code, "There is no file" in result.output) == (2, True)


def zip_folder(folder: Path) -> Path:
    return Path(shutil.make_archive(str(folder), "zip", folder))


@pytest.mark.parametrize("packed", [False, True])
def test_folders_and_zip_archives_are_read_file_by_file(tmp_path: Path, packed: bool) -> None:
    folder = tmp_path / "all"
    folder.mkdir()
    names: Sequence[str] = ["list page", "CSV of messages", "SQLite with text and roles", "VCR cassette"]
    for number, name in enumerate(names):
        DUMPS[name].write(folder / f"{number}.bin")
    (folder / ".hidden").write_text("x")

    result = import_dump(str(zip_folder(folder) if packed else folder), "--out", str(tmp_path / "archive"))

    assert result.exit_code == 0, result.output
    assert sorted(read_talks(tmp_path / "archive")) == ["thread_a", "thread_j", "thread_m", "thread_q"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_encodings_of_other_systems(tmp_path: Path, encoding: str) -> None:
    text = "thread_id,role,content\nthread_u,user,Où est-il né?\n"
    (tmp_path / "a.csv").write_bytes(text.encode(encoding))

    import_dump(str(tmp_path / "a.csv"), "--out", str(tmp_path / "archive"))

    assert read_talks(tmp_path / "archive") == {"thread_u": [("user", "Où est-il né?")]}


def test_calls_of_a_simplified_export_become_a_run(tmp_path: Path) -> None:
    DUMPS["simplified export"].write(tmp_path / "saved")
    import_dump(str(tmp_path / "saved"), "--out", str(tmp_path / "archive"))

    (step,) = Archive.open(tmp_path / "archive").read_part(Part.STEPS)

    (call,) = step["step_details"]["tool_calls"]
    assert call["function"] == {"name": "lookup", "arguments": '{"day":1}', "output": "Tuesday"}


def test_a_deleted_message_of_a_recording_is_not_imported(tmp_path: Path) -> None:
    messages = make_messages("thread_a")
    deletion = {"id": messages[0]["id"], "object": "thread.message.deleted", "deleted": True}
    write_json([*messages, deletion])(tmp_path / "a.json")

    import_dump(str(tmp_path / "a.json"), "--out", str(tmp_path / "archive"))

    assert read_talks(tmp_path / "archive") == {"thread_a": TALK[1:]}


def test_calls_and_their_outputs_precede_the_answer(tmp_path: Path) -> None:
    turns = [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
        {"role": "assistant", "content": "Sunny."},
        {"role": "user", "content": "Thanks"},
    ]
    write_lines({"messages": turns})(tmp_path / "saved")

    result = import_dump(str(tmp_path / "saved"), "--out", str(tmp_path / "archive"))

    archive = Archive.open(tmp_path / "archive")
    (run,), (step,) = archive.read_part(Part.RUNS), archive.read_part(Part.STEPS)
    assert result.exit_code == 0, result.output
    assert [each["run_id"] for each in archive.read_part(Part.MESSAGES)] == [None, run["id"], None]
    assert [each["function"] for each in step["step_details"]["tool_calls"]] == [
        {"name": "weather", "arguments": "{}", "output": "sunny"}
    ]


CALL: JsonObject = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}


@pytest.mark.parametrize("form", ["csv", "lines"])
def test_messages_without_ids_are_neither_lost_nor_doubled(tmp_path: Path, form: str) -> None:
    """Two files of one conversation that overlap by a row: each has another message in its first row."""
    rows = [
        ("user", "One?", 1),
        ("assistant", "ok", 2),
        ("assistant", "ok", 2),
        ("user", "Two?", 3),
        ("user", "Three?", 4),
    ]
    folder = tmp_path / "saved"
    folder.mkdir()
    for number, part in enumerate((rows[:4], rows[3:])):
        objects = [{"thread_id": "thread_a", "role": r, "content": t, "created_at": at} for r, t, at in part]
        if form == "lines":
            write_lines(*objects)(folder / str(number))
        else:
            lines = [",".join(objects[0]), *(",".join(map(str, each.values())) for each in objects)]
            (folder / str(number)).write_text("\n".join(lines))

    result = import_dump(str(folder), "--out", str(tmp_path / "archive"))

    assert result.exit_code == 0, result.output
    assert read_talks(tmp_path / "archive") == {"thread_a": [(role, text) for role, text, _ in rows]}


def test_a_thread_without_a_time_begins_with_its_first_message(tmp_path: Path) -> None:
    thread: JsonObject = {"id": "thread_a", "object": "thread", "metadata": {}}
    write_json([thread, *make_messages("thread_a")])(tmp_path / "saved")

    import_dump(str(tmp_path / "saved"), "--out", str(tmp_path / "archive"))

    (imported,) = Archive.open(tmp_path / "archive").read_part(Part.THREADS)
    assert imported["created_at"] == 1700000000
    assert "timestamps" in read_provenance(tmp_path / "archive")[0]["derived"]

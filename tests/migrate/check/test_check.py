"""What a check finds: every difference, by symbol, grade and name."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from tests.legacy_service import InjectedFault, LegacyService, add_threads, make_error_body
from tests.migrate.load.quirky_threads import (
    QUIRKS,
    ThreadParts,
    weather_thread,
    write_archive,
)
from threadbridge_migrate.cli.application import app
from threadbridge_migrate.load.id_ledger import append_to_ledger, get_ledger_path


def migrate(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def check_pair(tmp_path: Path, source: list[ThreadParts], destination: list[ThreadParts]) -> tuple[Result, list[str]]:
    one, other = write_archive(tmp_path / "one", source), write_archive(tmp_path / "other", destination)
    result = migrate("check", str(one), str(other), "--combined", str(tmp_path / "lines"))
    return result, (tmp_path / "lines").read_text().splitlines()


def test_a_loaded_store_is_equal_to_its_archive_in_both_directions(tmp_path: Path) -> None:
    archive = str(write_archive(tmp_path / "archive", QUIRKS.values()))
    store = f"sqlite:///{tmp_path}/threads.db"

    assert migrate("load", archive, "--store", store).exit_code == 0

    for places in ((archive, store), (store, archive), (store, store), (archive, archive)):
        result = migrate("check", *places, "--json")
        assert result.exit_code == 0, result.output
        assert orjson.loads(result.stdout)["symbols"]["="] == len(QUIRKS)


def test_a_service_is_asked_for_the_threads_of_an_archive(tmp_path: Path, service: LegacyService, url: str) -> None:
    ids = add_threads(service, 5)
    exported = migrate("export-threads", "--base-url", url, "--out", str(tmp_path / "archive"), "--ids", *ids)
    assert exported.exit_code == 0, exported.output
    service.messages[ids[1]].pop()
    del service.threads[ids[2]]

    result = migrate("check", str(tmp_path / "archive"), url, "--combined", str(tmp_path / "lines"))

    assert result.exit_code == 1, result.output
    symbols = [line[0] for line in (tmp_path / "lines").read_text().splitlines()]
    assert symbols == ["=", "*", "-", "=", "="]


def test_symbols_say_on_which_side_a_thread_is(tmp_path: Path) -> None:
    result, lines = check_pair(
        tmp_path,
        [weather_thread("thread_a"), weather_thread("thread_b")],
        [weather_thread("thread_b"), weather_thread("thread_c")],
    )

    assert result.exit_code == 1
    assert lines == [
        "- thread_a: the destination does not have it",
        "= thread_b",
        "+ thread_c: the source does not have it",
    ]


def _change_time(parts: ThreadParts) -> None:
    parts[1][0]["created_at"] = 5


def _change_text(parts: ThreadParts) -> None:
    parts[1][0]["content"][0]["text"]["value"] = "Something else"


def _change_thread(parts: ThreadParts) -> None:
    parts[0]["metadata"] = {}


def _reverse_messages(parts: ThreadParts) -> None:
    parts[1].reverse()


def _remove_message(parts: ThreadParts) -> None:
    parts[1].pop()


def _remove_run(parts: ThreadParts) -> None:
    parts[2].pop()


def _remove_step(parts: ThreadParts) -> None:
    parts[3].pop()


@pytest.mark.parametrize(
    ("change", "grade", "sentence"),
    [
        (_reverse_messages, "none", "the messages have another order"),
        (_remove_message, "none", "message msg_thread_weather_9 is missing"),
        (_remove_run, "messages", "run run_thread_weather_1 is missing"),
        (_remove_step, "messages", "step step_run_thread_weather_1_2 is missing"),
        (_change_thread, "messages", "the thread object differs"),
        (_change_time, "text", "message msg_thread_weather_0 differs"),
        (_change_text, "none", "message msg_thread_weather_0 differs"),
    ],
)
def test_each_difference_is_named_and_graded(
    tmp_path: Path, change: Callable[[ThreadParts], None], grade: str, sentence: str
) -> None:
    changed = deepcopy(weather_thread())
    change(changed)

    result, lines = check_pair(tmp_path, [weather_thread()], [changed])

    assert result.exit_code == 1
    assert lines[0].startswith("* thread_weather: ")
    assert sentence in lines[0]
    assert f"* thread_weather [{grade}]" in result.output


def test_the_order_of_keys_does_not_matter(tmp_path: Path) -> None:
    thread, messages, runs, steps = weather_thread()
    turned = [dict(reversed(message.items())) for message in messages]

    result, _ = check_pair(tmp_path, [(thread, messages, runs, steps)], [(thread, turned, runs, steps)])

    assert result.exit_code == 0, result.output


def test_only_the_ids_of_the_ledger_may_differ(tmp_path: Path) -> None:
    old = QUIRKS["deleted_files"]
    new: ThreadParts = orjson.loads(
        orjson.dumps(old).replace(b'"file_id":"file-gone"', b'"file_id":"file-new"').replace(b"vs_old", b"vs_new")
    )
    unexplained, _ = check_pair(tmp_path, [old], [new])
    ledger = get_ledger_path(tmp_path / "one")
    append_to_ledger(ledger, kind="file", old="file-gone", new="file-new", destination="x")
    append_to_ledger(ledger, kind="vector_store", old="vs_old", new="vs_new", destination="x")

    explained = migrate("check", str(tmp_path / "one"), str(tmp_path / "other"))

    assert (unexplained.exit_code, explained.exit_code) == (1, 0)


def test_a_rejected_key_has_its_own_exit_code(tmp_path: Path, service: LegacyService, url: str) -> None:
    archive = write_archive(tmp_path / "archive", [weather_thread("thread_a")])
    service.faults.append(InjectedFault("thread_a", 401, make_error_body("Incorrect API key provided"), times=99))

    result = migrate("check", str(archive), url)

    assert result.exit_code == 3, result.output
    assert "Incorrect API key provided" in result.output


def test_two_places_that_cannot_list_need_ids(url: str, service: LegacyService) -> None:
    result = migrate("check", url, url)

    assert result.exit_code == 2
    assert "--only" in result.output

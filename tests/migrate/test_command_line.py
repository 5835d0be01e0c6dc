"""The command itself: help, usage, configuration, and the place under `threadbridge`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from typer.testing import CliRunner

from tests.legacy_service import LegacyService, add_threads
from tests.migrate.conftest import Migrate
from threadbridge.api_types import JsonValue
from threadbridge.errors import NotFound
from threadbridge.ports import Backend, BackendCapabilities, ListQuery, RequestContext
from threadbridge.settings import Settings
from threadbridge_migrate.cli.application import app
from threadbridge_migrate.export import exporter


def python(program: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=False)


def test_help_documents_the_exit_codes_and_does_not_import_the_sdk() -> None:
    program = """
import atexit, sys
atexit.register(lambda: print("openai" in sys.modules))
from threadbridge_migrate.cli.application import main
main()
"""

    done = python(program, "export-threads", "--help")

    text = " ".join(done.stdout.split())
    assert done.returncode == 0
    assert "0 the archive is complete; 1 it is complete but for objects that failed" in text
    assert "2 wrong usage or configuration" in text
    assert text.endswith("False")


def test_migrate_is_also_a_command_of_threadbridge() -> None:
    done = python("from threadbridge_adapters.cli import main; main()", "migrate", "export-threads", "--help")

    assert done.returncode == 0
    assert "--ids" in done.stdout


def test_errors_under_threadbridge_are_one_sentence_too() -> None:
    words = ("migrate", "export-threads", "--out", "archive", "--ids", "no/such/file")

    done = python("from threadbridge_adapters.cli import main; main()", *words)

    assert done.returncode == 2
    assert done.stderr == "migrate: 'no/such/file' is neither a file nor a thread id.\n"


def test_an_archive_is_required() -> None:
    assert CliRunner().invoke(app, ["export-threads", "--ids", "thread_1"]).exit_code == 2


USAGE: dict[str, tuple[Sequence[str], str]] = {
    "unknown backend": (["--backend", "nonsense"], "backend is 'nonsense', but must be one of"),
    "unknown setting": (["--set", "assistants.nonsense=1"], "assistants.nonsense is not a setting"),
    "setting without value": (["--set", "assistants.azure"], "--set takes KEY=VALUE, not 'assistants.azure'"),
    "setting below a value": (["--set", "backend.x=1"], "--set backend.x: the settings have no section backend"),
    "key": (["--set", "assistants.api_key=hidden"], "set THREADBRIDGE_ASSISTANTS__API_KEY instead"),
    "header": (["--set", "assistants.headers.x-key=hidden"], "set THREADBRIDGE_ASSISTANTS__HEADERS instead"),
    "signature": (["--set", "assistants.query.sig=hidden"], "set THREADBRIDGE_ASSISTANTS__QUERY instead"),
    "password": (["--base-url", "http://ann:hidden@localhost/v1"], "--base-url: other users of this machine can read"),
}


@pytest.mark.parametrize(("words", "message"), USAGE.values(), ids=USAGE.keys())
def test_wrong_usage_is_one_sentence_and_exit_code_2(migrate: Migrate, words: Sequence[str], message: str) -> None:
    result = migrate("--ids", "thread_1", "--out", "archive", *words)

    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not Path("archive").exists()


def test_a_source_that_lists_no_threads_is_refused_before_anything_is_announced_or_made(migrate: Migrate) -> None:
    result = migrate("--out", "archive")

    assert result.exit_code == 2
    assert result.stderr.startswith("migrate: This source cannot list its threads")
    assert not Path("archive").exists()


def test_configuration_comes_from_the_environment_too(
    migrate: Migrate, service: LegacyService, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = add_threads(service, 1)
    monkeypatch.setenv("THREADBRIDGE_ASSISTANTS", '{"query": {"api-version": "v1"}}')

    migrate("--ids", *ids, "--out", "archive")

    assert {pair for seen in service.requests for pair in seen.query} >= {("api-version", "v1")}


def test_progress_goes_to_stderr_and_the_summary_to_stdout(migrate: Migrate, service: LegacyService) -> None:
    ids = add_threads(service, 2)

    result = migrate("--ids", *ids, "--out", "archive")

    assert result.stderr.splitlines() == ["Exporting 2 threads"]
    assert result.stdout.splitlines()[0].startswith("Archive archive (complete), from backend assistants")
    assert result.stdout.splitlines()[-1].startswith("This export: 2 exported, 0 skipped, 0 failed, in ")


def test_an_archive_is_summed_up_by_a_command_of_its_own(migrate: Migrate, service: LegacyService) -> None:
    migrate("--ids", *add_threads(service, 2), "--out", "archive")

    text = CliRunner().invoke(app, ["summary", "archive"])
    data = CliRunner().invoke(app, ["summary", "archive", "--json"])
    nothing = CliRunner().invoke(app, ["summary", "elsewhere"])

    assert "  threads                   2" in text.stdout.splitlines()
    assert orjson.loads(data.stdout)["counts"]["messages"] == 6
    assert (nothing.exit_code, nothing.stderr) == (
        4,
        "migrate: elsewhere is not an archive: it has no manifest.json.\n",
    )


class TwoThreads:
    """As much of a backend as an export needs, without any HTTP."""

    capabilities = BackendCapabilities(lists_threads=True)
    closed = False

    async def list_threads(self, context: RequestContext, query: ListQuery) -> JsonValue:
        return {"data": [{"id": "thread_1"}, {"id": "thread_2"}], "has_more": False}

    async def retrieve_thread(self, context: RequestContext, thread_id: str) -> JsonValue:
        return {"id": thread_id}

    async def retrieve_assistant(self, context: RequestContext, assistant_id: str) -> JsonValue:
        raise NotFound(f"No assistant found with id '{assistant_id}'.")

    async def list_messages(self, context: RequestContext, thread_id: str, query: ListQuery) -> JsonValue:
        return {"data": [{"id": f"msg_of_{thread_id}", "assistant_id": "asst_1"}], "has_more": False}

    async def list_runs(self, context: RequestContext, thread_id: str, query: ListQuery) -> JsonValue:
        return {"data": [], "has_more": False}

    async def aclose(self) -> None:
        self.closed = True


def test_any_backend_can_be_exported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    backend = TwoThreads()
    opened: list[Settings] = []

    async def open_backend(settings: Settings) -> Backend:
        opened.append(settings)
        return cast(Backend, cast(Any, backend))

    monkeypatch.setattr(exporter, "open_backend", open_backend)

    result = CliRunner().invoke(app, ["export-threads", "--out", "archive", "--store", ":memory:"])

    assert result.exit_code == 0
    assert (opened[0].backend, opened[0].store) == ("responses", ":memory:")
    assert backend.closed
    assert (tmp_path / "archive/threads.jsonl").read_text().count("\n") == 2
    assert (tmp_path / "archive/messages.jsonl").read_text().count("\n") == 2

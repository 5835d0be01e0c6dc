"""The commands as a person or a script runs them: in processes of their own."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import pytest

CLI = "import sys; from threadbridge_adapters.cli import main; sys.argv[0] = 'threadbridge'; main()"


def command(*arguments: str, program: str = CLI) -> list[str]:
    return [sys.executable, "-c", program, *arguments]


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Nothing configured, in an empty directory."""
    monkeypatch.chdir(tmp_path)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "THREADBRIDGE_"))}
    return {**kept, "COLUMNS": "200", "NO_COLOR": "1"}


def run(environment: dict[str, str], *arguments: str, program: str = CLI) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments, program=program), env=environment, capture_output=True, text=True, timeout=30, check=False
    )


@contextmanager
def started(environment: dict[str, str], *arguments: str) -> Generator[subprocess.Popen[str]]:
    with subprocess.Popen(
        command(*arguments), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_help_lists_every_command_and_imports_nothing_heavy(environment: dict[str, str]) -> None:
    program = f"import atexit, sys\natexit.register(lambda: print(sorted(sys.modules), file=sys.stderr))\n{CLI}"

    result = run(environment, "--help", program=program)

    assert result.returncode == 0
    assert all(name in result.stdout for name in ("serve", "simulate", "migrate"))
    assert not any(f"'{name}'" in result.stderr for name in ("openai", "starlette", "sqlalchemy", "aiohttp"))


def test_the_version_is_the_installed_one(environment: dict[str, str]) -> None:
    assert run(environment, "--version").stdout == f"{version('threadbridge')}\n"


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_serve_says_where_answers_and_ends_in_good_order(environment: dict[str, str], end: signal.Signals) -> None:
    options = ("--port", "0", "--simulate", "--store", ":memory:", "--log-level", "info")
    with started(environment, "serve", *options) as process:
        line = first_line(process)
        url = line.removeprefix("Listening on ").strip()
        headers = {"OpenAI-Beta": "assistants=v2", "Content-Type": "application/json"}
        request = urllib.request.Request(  # noqa: S310 - the address comes from our own process
            f"{url}/threads?key=secret", data=b"{}", headers=headers
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            status = answer.status
        process.send_signal(end)
        rest, log = process.communicate(timeout=10)

    assert line.startswith("Listening on http://127.0.0.1:")
    assert line.endswith("/v1\n")
    assert (status, process.returncode, rest) == (200, 0, "")
    assert "path='/v1/threads'" in log
    assert "secret" not in log
    assert "Traceback" not in log


def test_simulate_serves_the_responses_side(environment: dict[str, str]) -> None:
    with started(environment, "simulate", "--port", "0") as process:
        url = first_line(process).removeprefix("Listening on ").strip()
        with urllib.request.urlopen(f"{url}/models", timeout=10) as answer:  # noqa: S310 - our own process
            status = answer.status
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)

    assert (status, process.returncode) == (200, 0)


@pytest.mark.parametrize(
    ("arguments", "statuses"),
    [
        ((), [403, 403]),
        (("--allowed-host", "simulator"), [200, 403]),
        (("--host", "0.0.0.0"), [200, 200]),  # noqa: S104 - what is tested
        (("--host", "0.0.0.0", "--allowed-host", "simulator"), [200, 403]),  # noqa: S104 - what is tested
    ],
)
def test_simulate_accepts_loopback_and_allowed_hosts(
    environment: dict[str, str], arguments: tuple[str, ...], statuses: list[int]
) -> None:
    found: list[int] = []
    with started(environment, "simulate", "--port", "0", *arguments) as process:
        port = first_line(process).rpartition(":")[2].partition("/")[0]
        for host in ("simulator:8000", "page.example"):
            connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=10)
            connection.request("GET", "/v1/models", headers={"Host": host})
            found.append(connection.getresponse().status)
            connection.close()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)

    assert found == statuses


def test_what_is_no_host_is_wrong_usage(environment: dict[str, str]) -> None:
    result = run(environment, "simulate", "--allowed-host", "http://simulator")

    assert result.returncode == 2
    assert "--allowed-host: it must be * or a host without scheme and port" in " ".join(result.stderr.split())


def test_a_port_in_use_is_one_sentence_with_the_next_step(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = run(environment, "serve", "--port", port, "--simulate", "--store", ":memory:")

    assert result.returncode == 1
    assert result.stderr.startswith(f"Error: Cannot listen on 127.0.0.1 port {port}")
    assert "--port" in result.stderr
    assert result.stdout == ""


def test_other_addresses_are_refused_without_a_key(environment: dict[str, str]) -> None:
    result = run(environment, "serve", "--host", "0.0.0.0", "--port", "0", "--simulate")  # noqa: S104

    assert result.returncode == 2
    assert "THREADBRIDGE_GATEWAY__API_KEY" in result.stderr


def test_other_addresses_are_served_with_a_key_and_a_warning(environment: dict[str, str]) -> None:
    keyed = {**environment, "THREADBRIDGE_GATEWAY__API_KEY": "tb-0123456789abcdef"}
    arguments = ("serve", "--host", "0.0.0.0", "--port", "0", "--simulate", "--store", ":memory:")  # noqa: S104

    with started(keyed, *arguments) as process:
        line = first_line(process)
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=10)

    assert line.startswith("Listening on http://0.0.0.0:")
    assert log.startswith("Warning: 0.0.0.0 can be reached from other machines")
    assert "tb-0123456789abcdef" not in log


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("serve", "--backend", "respnses"), "must be one of 'assistants', 'responses'"),
        (("serve", "--simulate", "--upstream", "http://127.0.0.1:9"), "exclude each other"),
        (("simulate", "--manner", "rude"), "rude: unknown manner"),
        (("serve", "--upstream", "http://ann:hidden@127.0.0.1:9/v1"), "set THREADBRIDGE_UPSTREAM__BASE_URL instead"),
        (("doctor", "--upstream", "http://ann:hidden@127.0.0.1:9/v1"), "set THREADBRIDGE_UPSTREAM__BASE_URL instead"),
        (("serve", "--port", "many"), "--port"),
        (("demo", "--live"), "needs a key: set OPENAI_API_KEY"),
        (("serv",), "serv"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_never_a_traceback(
    environment: dict[str, str], arguments: tuple[str, ...], said: str
) -> None:
    result = run(environment, *arguments)

    assert result.returncode == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_a_malformed_file_is_named_with_the_key(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "threadbridge.toml").write_text("[gateway]\nprot = 8080\n")

    result = run(environment, "serve")

    assert result.returncode == 2
    assert "threadbridge.toml: gateway.prot is not a setting" in result.stderr


def test_without_the_extra_the_command_names_it(environment: dict[str, str]) -> None:
    result = run(environment, "serve", program=f"import sys\nsys.modules['uvicorn'] = None\n{CLI}")

    assert result.returncode == 2
    assert "pip install 'threadbridge[gateway]'" in result.stderr


def test_models_lists_what_becomes_of_each_as_a_table_and_as_json(environment: dict[str, str]) -> None:
    table = run(environment, "models")
    lines = run(environment, "models", "--json")

    assert (table.returncode, lines.returncode) == (0, 0)
    assert re.search(r"^gpt-4-0613 +retired +2026-10-23 +gpt-5.6-sol ", table.stdout, re.MULTILINE)
    rows = {row["model"]: row for row in map(json.loads, lines.stdout.splitlines())}
    assert rows["gpt-4-0613"]["replacement"] == "gpt-5.6-sol"


def test_models_lists_nothing_of_openais_for_another_service(environment: dict[str, str]) -> None:
    elsewhere = {**environment, "THREADBRIDGE_UPSTREAM__BASE_URL": "http://127.0.0.1:11434/v1"}

    unnamed = run(elsewhere, "models", "--json")
    named = run({**elsewhere, "THREADBRIDGE_UPSTREAM__PROFILE": "openai"}, "models", "--json")

    assert (unnamed.returncode, unnamed.stdout.strip()) == (0, "")
    assert "are not OpenAI's" in unnamed.stderr
    assert '"gpt-4-0613"' in named.stdout


def test_models_refresh_keeps_what_the_service_says(environment: dict[str, str], tmp_path: Path) -> None:
    here = {**environment, "THREADBRIDGE_MODEL_CATALOG": str(tmp_path / "models.json")}

    refreshed = run({**here, "THREADBRIDGE_SIMULATE": "true"}, "models", "refresh")
    listed = run(here, "models")

    assert (refreshed.returncode, refreshed.stdout) == (0, "")
    assert f"models written to {tmp_path / 'models.json'}" in refreshed.stderr
    assert listed.returncode == 0
    assert json.loads((tmp_path / "models.json").read_text())["models"]


def test_models_refresh_says_why_the_service_could_not_be_asked(environment: dict[str, str], tmp_path: Path) -> None:
    nowhere = {"THREADBRIDGE_UPSTREAM": '{"base_url": "http://127.0.0.1:9", "api_key": "sk-test", "max_retries": 0}'}

    result = run({**environment, **nowhere}, "models", "refresh")

    assert result.returncode == 1
    assert result.stderr.startswith("Error: The Responses service at 127.0.0.1:9 could not be reached")

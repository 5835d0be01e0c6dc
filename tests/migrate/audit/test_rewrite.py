"""`migrate rewrite`: safe edits as a diff or in the files, everything else listed and left."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.migrate.audit.corpus_files import list_projects, write_project
from threadbridge_migrate.audit.rewrite import plan_rewrite, write_edit
from threadbridge_migrate.audit.scanner import audit
from threadbridge_migrate.cli.application import app

EXAMPLES = Path(__file__).parents[3] / "examples"
CALLS = "client.beta.threads.create()\n"


def run_rewrite(*words: str | Path) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["rewrite", *map(str, words)])
    return result.exit_code, result.stdout, result.stderr


def execute(folder: Path, source: str, name: str = "a.py") -> tuple[int, str, str]:
    """The exit code, the new content of a file and what was listed."""
    (folder / name).write_text(source)
    code, _, stderr = run_rewrite(folder, "--execute")
    return code, (folder / name).read_text(), stderr


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "from openai import OpenAI\nclient = OpenAI()\n",
            "from openai import OpenAI\nimport threadbridge\n\nclient = threadbridge.wrap(OpenAI())\n",
        ),
        (
            "import openai as ai\nclient = (ai.AsyncOpenAI(  # the key\n    api_key='x',\n))\n",
            "import openai as ai\nimport threadbridge\n\n"
            "client = (threadbridge.wrap(ai.AsyncOpenAI(  # the key\n    api_key='x',\n)))\n",
        ),
        (
            "from openai import AzureOpenAI as Client\nclient = trace(Client(azure_endpoint='x', api_key='k'))\n",
            "from openai import AzureOpenAI as Client\nimport threadbridge\n\n"
            "client = trace(threadbridge.wrap(Client(azure_endpoint='x', api_key='k')))\n",
        ),
        (
            "from openai import OpenAI\nclient = OpenAI(base_url='https://api.openai.com/v1/')\n",
            "from openai import OpenAI\nimport threadbridge\n\n"
            "client = threadbridge.wrap(OpenAI(base_url='https://api.openai.com/v1/'))\n",
        ),
    ],
)
def test_clients_are_wrapped_and_a_second_run_has_nothing_to_do(before: str, after: str, tmp_path: Path) -> None:
    code, content, _ = execute(tmp_path, before + CALLS)

    assert (code, content) == (0, after + CALLS)
    assert run_rewrite(tmp_path, "--execute")[0] == 5
    assert (tmp_path / "a.py").read_text() == content


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ("from openai import OpenAI\nclient = OpenAI(base_url=URL)\n", "it has a base_url of its own"),
        ("from openai import OpenAI\nclient = OpenAI(**options)\n", "its options are not visible"),
        ("from openai import AzureOpenAI\nclient = AzureOpenAI(azure_ad_token_provider=p)\n", "it has no plain key"),
        ("from openai import OpenAI\nclass Mine(OpenAI): ...\nclient = Mine()\n", "a class of its own is derived"),
        ("import openai\nopenai.beta.threads.create()\nclient = openai\n", "the SDK's global client"),
        ("from openai import OpenAI\nclient = OpenAI(\n", "it is not valid Python"),
    ],
)
def test_what_is_not_safe_is_listed_and_left(before: str, reason: str, tmp_path: Path) -> None:
    code, content, stderr = execute(tmp_path, before + CALLS)

    assert (code, content) == (1, before + CALLS)
    assert reason in stderr


def test_a_client_that_another_file_uses_is_wrapped_where_it_is_made(tmp_path: Path) -> None:
    (tmp_path / "clients.py").write_text("from openai import OpenAI\ndef get():\n    return OpenAI()\n")
    (tmp_path / "chat.py").write_text("from clients import get\nget().beta.threads.create()\n")

    code, stdout, _ = run_rewrite(tmp_path)

    assert code == 0
    assert "+    return threadbridge.wrap(OpenAI())\n" in stdout
    assert "chat.py" not in stdout


def test_a_client_without_assistants_stays(tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text("from openai import OpenAI\nOpenAI().responses.create()\n")

    code, _, _ = execute(tmp_path, "from openai import OpenAI\nclient = OpenAI()\n" + CALLS)

    assert code == 0
    assert "wrap" not in (tmp_path / "other.py").read_text()


def test_raw_requests_get_the_address_of_the_gateway(tmp_path: Path) -> None:
    before = (
        "// see https://api.openai.com/v1/threads\n"
        'const base = "https://api.openai.com/v1";\n'
        'const headers = { "OpenAI-Beta": "assistants=v2" };\n'
        'await fetch("https://api.openai.com/v1/threads", { method: "POST", headers });\n'
    )
    (tmp_path / "a.js").write_text(before)

    code, _, _ = run_rewrite(tmp_path, "--execute", "--base-url", "https://bridge.test/v1/")

    changed = before.replace('"https://api.openai.com/v1', '"https://bridge.test/v1')
    assert (code, (tmp_path / "a.js").read_text()) == (0, changed)


def test_other_languages_are_advised(tmp_path: Path) -> None:
    source = 'const OpenAI = require("openai");\nnew OpenAI().beta.threads.create();\n'

    code, content, stderr = execute(tmp_path, source, "a.js")

    assert (code, content) == (1, source)
    assert "left a.js:2: run threadbridge serve, and give the client the base URL http://127.0.0.1:8000/v1" in stderr


def test_line_endings_encoding_and_mode_stay(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    source = "#!/usr/bin/env python\r\n# coding: latin-1\r\nfrom openai import OpenAI\r\n# é\r\nclient = OpenAI()\r\n"
    file.write_bytes((source + CALLS.replace("\n", "\r\n")).encode("latin-1"))
    file.chmod(0o751)

    assert run_rewrite(tmp_path, "--execute")[0] == 0

    content = file.read_bytes()
    assert content.count(b"\r\n") == content.count(b"\n") == 8
    assert b"# \xe9\r\nclient = threadbridge.wrap(OpenAI())\r\n" in content
    assert file.stat().st_mode & 0o777 == 0o751
    assert [path.name for path in tmp_path.iterdir()] == ["a.py"]


@pytest.mark.parametrize("ending", ["\n", "", "\r\n"])
def test_the_diff_applies_with_git(ending: str, tmp_path: Path) -> None:
    source = "from openai import OpenAI\nclient = OpenAI()\nclient.beta.threads.create()" + ending
    (tmp_path / "a.py").write_bytes(source.encode())
    diff = CliRunner().invoke(app, ["rewrite", str(tmp_path)]).stdout_bytes
    assert (tmp_path / "a.py").read_bytes() == source.encode()

    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=diff, check=True)

    applied = (tmp_path / "a.py").read_bytes()
    (tmp_path / "a.py").write_bytes(source.encode())
    run_rewrite(tmp_path, "--execute")
    assert applied == (tmp_path / "a.py").read_bytes() != source.encode()


def test_the_rewritten_examples_run(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES, tmp_path / "programs", ignore=shutil.ignore_patterns("__pycache__"))
    assert run_rewrite(tmp_path / "programs", "--execute")[0] == 0
    environment = {"PATH": "", "THREADBRIDGE_SIMULATE": "true", "OPENAI_API_KEY": "any"}

    done = subprocess.run(
        [sys.executable, "agent_loop.py"],
        cwd=tmp_path / "programs",
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "assistant: " in done.stdout


def test_bad_input_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_rewrite(tmp_path / "missing")[0] == 2
    code, _, stderr = run_rewrite(tmp_path, "--base-url", "127.0.0.1:8000")
    assert (code, stderr) == (
        2,
        "migrate: --base-url 127.0.0.1:8000 is not a URL; use one such as http://127.0.0.1:8000/v1.\n",
    )
    monkeypatch.setitem(sys.modules, "libcst", None)
    code, _, stderr = run_rewrite(tmp_path)
    assert (code, stderr) == (2, "migrate: The rewrite needs two parsers: pip install 'threadbridge[audit]'.\n")


@pytest.mark.parametrize("name", ["python", "script", "compiled", "dynamic", "look_alikes"])
def test_the_rewritten_corpus_has_no_further_edits_and_the_same_call_sites(name: str, tmp_path: Path) -> None:
    for project in list_projects(name):
        write_project(name, project, tmp_path)
        before = audit(tmp_path / project)

        first = plan_rewrite(tmp_path / project, base_url="http://127.0.0.1:8000/v1")
        for edit in first.edits:
            write_edit(edit)

        second = plan_rewrite(tmp_path / project, base_url="http://127.0.0.1:8000/v1")
        after = audit(tmp_path / project)
        # A raw request to the gateway without the API's header is no longer known as one.
        sites = [
            [site.kind for file in report.files for site in file.call_sites if site.client != "http"]
            for report in (before, after)
        ]
        assert (project, second.edits) == (project, [])

        assert (project, sites[0]) == (project, sites[1])
        for edit in first.edits:
            if edit.name.endswith(".py"):
                compile(edit.after, edit.name, "exec")

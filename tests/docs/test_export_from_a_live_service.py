"""Every export of the page runs, on a gateway in place of the services it names."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import openai

from tests.clients.client_kinds import simulated_gateway
from tests.docs.code_blocks import list_blocks

#: Commands that need the network, or a key of the reader's.
NOT_RUN = ("pip install", "az login", "export THREADBRIDGE")
SECONDS = 120


def add_threads(url: str) -> list[str]:
    with openai.OpenAI(base_url=url, api_key="sk-mine") as client:
        return [client.beta.threads.create(messages=[{"role": "user", "content": f"{n}"}]).id for n in range(3)]


def test_every_export_of_the_page_ends_with_success(tmp_path: Path) -> None:
    commands = [
        line
        for block in list_blocks("how-to/export-threads.md")
        for line in block.text.splitlines()
        if not line.startswith(NOT_RUN)
    ]
    with simulated_gateway() as gateway:
        ids = add_threads(gateway.url)
        (tmp_path / "ids.txt").write_text("\n".join(ids))
        (tmp_path / "chats.csv").write_text("thread_id\n" + "\n".join(ids))
        with sqlite3.connect(tmp_path / "app.db") as database:
            database.execute("create table chats (thread_id text)")
            database.executemany("insert into chats values (?)", [(each,) for each in ids])
        database.close()
        root = gateway.url.removesuffix("/v1")
        codes: list[int] = []
        for command in commands:
            words = (
                command.replace("https://assistants.example/v1", gateway.url)
                .replace("https://RESOURCE.services.ai.azure.com", root)
                .replace("sqlite:////var/lib/threadbridge/threads.db", "sqlite:///threads.db")
            )
            program = f"{sys.executable} -c 'from threadbridge_migrate.cli.application import main; main()'"
            result = subprocess.run(  # noqa: S602 - commands of our own page
                words.replace("migrate", program, 1),
                shell=True,
                cwd=tmp_path,
                env={**os.environ, "THREADBRIDGE_ASSISTANTS__API_KEY": "sk-mine"},
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
            codes.append(result.returncode)
            assert result.returncode in (0, 5), result.stderr

    # The exports with ids from a table find everything in the archive.
    assert codes == [0, 0, 5, 5, codes[4], 5, 0]
    assert codes[4] in (0, 5)

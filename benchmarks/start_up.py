"""The start of a program with an in-process client: CPU of its first run beyond the SDK's own imports and calls.

The program runs in new processes, alternately with our client and with a client of the SDK that is answered from memory
with what ours answered.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import _processes
from benchmarks._results import Row, make_delay_row
from benchmarks._sample_sizes import Effort

#: Milliseconds of CPU that the first run of a program may cost beyond the SDK's own.
BOUND = 800.0


def _settings(url: str, store: Path) -> dict[str, Any]:
    return {"store": f"sqlite:///{store}", "upstream": {"base_url": url, "api_key": "sk-benchmark"}}


def _run_first(client: Any) -> None:
    from benchmarks.transport import run_polled

    run_polled(client, client.beta.assistants.create(model="gpt-4o", instructions="Be brief.").id)


def _record_responses(url: str, directory: Path) -> None:
    """The responses of our client to the program, for the other side."""
    import threadbridge
    from benchmarks.transport import record_responses

    with threadbridge.openai_client(**_settings(url, directory / "recorded.db")) as client:
        created = client.beta.assistants.with_raw_response.create(model="gpt-4o", instructions="Be brief.")
        answers = record_responses(client, created.parse().id, stream=False)
    rows = [[method, path, headers, body.decode()] for (method, path), (headers, body) in answers.items()]
    rows.append(["POST", "/assistants", dict(created.headers), created.text])
    (directory / "responses.json").write_text(json.dumps(rows))


def _run_ours(url: str, directory: Path) -> None:
    import threadbridge

    with threadbridge.openai_client(**_settings(url, directory / "first.db")) as client:
        _run_first(client)


def _run_floor(url: str, directory: Path) -> None:
    from openai import OpenAI

    from benchmarks.transport import make_http_client, make_memory_transport

    rows = json.loads((directory / "responses.json").read_text())
    answers = {(method, path): (headers, body.encode()) for method, path, headers, body in rows}
    transport = make_memory_transport(answers)
    with OpenAI(api_key="sk-benchmark", base_url=url, http_client=make_http_client(transport)) as client:
        _run_first(client)


def _measure_process(side: str, url: str, directory: Path) -> float:
    """CPU milliseconds of a new process from its start to the end of its first run."""
    (directory / "first.db").unlink(missing_ok=True)
    command = [sys.executable, "-m", "benchmarks.start_up", side, url, str(directory)]
    completed = subprocess.run(command, cwd=_processes.ROOT, capture_output=True, text=True, check=True)
    return float(completed.stdout)


def measure(effort: Effort, directory: Path, log: Callable[[str], None]) -> list[Row]:
    """The row for a program's first run."""
    with _processes.run_upstream() as upstream:
        log("a new process for every run")
        _record_responses(upstream.url, directory)
        sides = [
            (_measure_process("ours", upstream.url, directory), _measure_process("floor", upstream.url, directory))
            for _ in range(effort.repeats + 1)
        ]
    # The first pair compiled modules and filled the cache of files.
    return [
        make_delay_row("in process, first run of a program, CPU", sides[1:] or sides, beside="the SDK", bound=BOUND)
    ]


if __name__ == "__main__":
    _, side_name, upstream_url, path = sys.argv
    {"ours": _run_ours, "floor": _run_floor}[side_name](upstream_url, Path(path))
    print(time.process_time() * 1e3)

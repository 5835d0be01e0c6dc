"""A large file through the gateway: what its process takes beside what it has anyway.

The service behind reads and forgets. Memory is the most the gateway ever had resident, before and after.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from openai import OpenAI

from benchmarks import _processes
from benchmarks._effort import Effort
from benchmarks._rows import Row

#: Megabytes that an upload may add to the gateway's process.
ADDED_BOUND_MB = 64.0
SINK = (sys.executable, "-m", "benchmarks._sink")


def _upload(url: str, path: Path) -> None:
    with OpenAI(base_url=url, api_key="sk-benchmark", max_retries=0) as client, path.open("rb") as opened:
        client.files.create(file=opened, purpose="user_data")


def _file(path: Path, megabytes: int) -> Path:
    """A file of that size that takes no room on disk."""
    with path.open("wb") as opened:
        opened.truncate(megabytes * 1024 * 1024)
    return path


def measure(effort: Effort, directory: Path, say: Callable[[str], None]) -> list[Row]:
    """The row on memory."""
    with _processes.server(SINK) as sink, _processes.gateway(sink.url, directory / "store.db") as gateway:
        _upload(gateway.url, _file(directory / "small", 1))
        before = _processes.peak_resident_bytes(gateway.pid)
        _upload(gateway.url, _file(directory / "large", effort.upload_megabytes))
        after = _processes.peak_resident_bytes(gateway.pid)
    say(f"uploaded {effort.upload_megabytes} MB; the gateway had {before / 1e6:.1f} MB before")
    name = f"upload of {effort.upload_megabytes} MB, memory"
    return [Row(name, "MB", after / 1e6, before / 1e6, "before", "difference", ADDED_BOUND_MB)]

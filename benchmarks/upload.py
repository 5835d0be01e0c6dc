"""A large file, sent and fetched, through the gateway and in a program's own process: the memory it takes.

The service behind reads and forgets, and sends as many bytes again. Memory is the most the process that carries them
ever had resident, before and after.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from openai import OpenAI

from benchmarks import _processes
from benchmarks._carrying import download, upload
from benchmarks._effort import Effort
from benchmarks._rows import Row

#: Megabytes that a file may add to the process, however large it is.
ADDED_BOUND_MB = 64.0
SINK = (sys.executable, "-m", "benchmarks._sink")


def _file(path: Path, megabytes: int) -> Path:
    """A file of that size that takes no room on disk."""
    with path.open("wb") as opened:
        opened.truncate(megabytes * 1024 * 1024)
    return path


def _through_gateway(url: str, small: Path, large: Path) -> list[int]:
    """The peaks of the gateway's process: at first, after the large upload, after the large download."""
    with (
        _processes.gateway(url, small.parent / "store.db") as gateway,
        OpenAI(base_url=gateway.url, api_key="sk-benchmark", max_retries=0) as client,
    ):
        download(client, upload(client, small))
        peaks = [_processes.peak_resident_bytes(gateway.pid)]
        file_id = upload(client, large)
        peaks.append(_processes.peak_resident_bytes(gateway.pid))
        download(client, file_id)
        return [*peaks, _processes.peak_resident_bytes(gateway.pid)]


def _in_process(url: str, small: Path, large: Path) -> list[int]:
    """The same of a program with a client of ours."""
    command = [sys.executable, "-m", "benchmarks._carrying", url, str(small), str(large)]
    printed = subprocess.run(command, cwd=_processes.ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    return [int(peak) for peak in printed.split()]


def _rows(where: str, megabytes: int, peaks: Sequence[int]) -> list[Row]:
    first, uploaded, downloaded = (peak / 1e6 for peak in peaks)
    return [
        Row(f"{what} of {megabytes} MB {where}, memory", "MB", after, first, "before", "difference", ADDED_BOUND_MB)
        for what, after in (("upload", uploaded), ("download", downloaded))
    ]


def measure(effort: Effort, directory: Path, say: Callable[[str], None]) -> list[Row]:
    """The rows on memory."""
    megabytes = effort.upload_megabytes
    small, large = _file(directory / "small", 1), _file(directory / "large", megabytes)
    with _processes.server(SINK) as sink:
        say(f"carrying {megabytes} MB through the gateway and in process")
        gateway, own = _through_gateway(sink.url, small, large), _in_process(sink.url, small, large)
    return [*_rows("through the gateway", megabytes, gateway), *_rows("in process", megabytes, own)]

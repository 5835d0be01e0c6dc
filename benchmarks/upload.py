"""Memory for uploading and downloading a large file, through the gateway and in a program's own process.

The upstream service reads and discards the bytes, and sends the same number back. Memory is the peak resident memory
of the process that transfers them, before and after.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from openai import OpenAI

from benchmarks import _processes
from benchmarks._file_transfer import download, upload
from benchmarks._results import Row
from benchmarks._sample_sizes import Effort

#: Megabytes that a file may add to the process, however large it is.
ADDED_BOUND_MB = 64.0
SINK = (sys.executable, "-m", "benchmarks._file_service")


def _make_sparse_file(path: Path, megabytes: int) -> Path:
    """A sparse file of that size, which uses no disk space."""
    with path.open("wb") as opened:
        opened.truncate(megabytes * 1024 * 1024)
    return path


def _measure_gateway_peaks(url: str, small: Path, large: Path) -> list[int]:
    """Peak memory of the gateway's process: initially, after the large upload, and after the large download."""
    with (
        _processes.run_gateway(url, small.parent / "store.db") as gateway,
        OpenAI(base_url=gateway.url, api_key="sk-benchmark", max_retries=0) as client,
    ):
        download(client, upload(client, small))
        peaks = [_processes.read_peak_resident_bytes(gateway.pid)]
        file_id = upload(client, large)
        peaks.append(_processes.read_peak_resident_bytes(gateway.pid))
        download(client, file_id)
        return [*peaks, _processes.read_peak_resident_bytes(gateway.pid)]


def _measure_process_peaks(url: str, small: Path, large: Path) -> list[int]:
    """The same values for a program with our client."""
    command = [sys.executable, "-m", "benchmarks._file_transfer", url, str(small), str(large)]
    printed = subprocess.run(command, cwd=_processes.ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    return [int(peak) for peak in printed.split()]


def _make_rows(where: str, megabytes: int, peaks: Sequence[int]) -> list[Row]:
    first, uploaded, downloaded = (peak / 1e6 for peak in peaks)
    return [
        Row(f"{what} of {megabytes} MB {where}, memory", "MB", after, first, "before", "difference", ADDED_BOUND_MB)
        for what, after in (("upload", uploaded), ("download", downloaded))
    ]


def measure(effort: Effort, directory: Path, log: Callable[[str], None]) -> list[Row]:
    """Rows for memory."""
    megabytes = effort.upload_megabytes
    small, large = _make_sparse_file(directory / "small", 1), _make_sparse_file(directory / "large", megabytes)
    with _processes.run_server(SINK) as sink:
        log(f"carrying {megabytes} MB through the gateway and in process")
        gateway, own = _measure_gateway_peaks(sink.url, small, large), _measure_process_peaks(sink.url, small, large)
    return [*_make_rows("through the gateway", megabytes, gateway), *_make_rows("in process", megabytes, own)]

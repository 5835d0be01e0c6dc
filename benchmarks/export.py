"""`migrate export-threads` compared with a simple loop of sequential SDK calls.

Both read the same service, whose response time is 50 ms. The loop runs on a few threads and its time is scaled; the
export runs completely. Memory is the peak resident memory of the export's process.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from openai import OpenAI

from benchmarks import _processes
from benchmarks._legacy_source import COMMAND, MESSAGES_PER_THREAD, RUNS_PER_THREAD, format_thread_id
from benchmarks._processes import ROOT, find_script
from benchmarks._results import Row
from benchmarks._sample_sizes import Effort

RESIDENT_BOUND_MB = 120.0
SPEEDUP_BOUND = 60.0
POLL_SECONDS = 0.05
EXPORT_SECONDS = 900.0


def _time_naive_loop(url: str, count: int) -> float:
    """Seconds to read `count` threads completely with sequential requests."""
    with OpenAI(base_url=url, api_key="sk-benchmark") as client:
        started = time.perf_counter()
        for number in range(count):
            thread = client.beta.threads.retrieve(format_thread_id(number))
            messages = list(client.beta.threads.messages.list(thread.id, limit=100))
            runs = list(client.beta.threads.runs.list(thread.id, limit=100))
            steps = [step for run in runs for step in client.beta.threads.runs.steps.list(run.id, thread_id=thread.id)]
            if (len(messages), len(runs), len(steps)) != (MESSAGES_PER_THREAD, RUNS_PER_THREAD, RUNS_PER_THREAD):
                raise RuntimeError(f"the source gave {len(messages)} messages, {len(runs)} runs, {len(steps)} steps")
        return time.perf_counter() - started


def _time_export(url: str, count: int, directory: Path) -> tuple[float, float]:
    """Seconds of the whole command, and its peak resident megabytes."""
    ids = directory / "ids.txt"
    ids.write_text("".join(f"{format_thread_id(number)}\n" for number in range(count)))
    started = time.perf_counter()
    command = [find_script("migrate"), "export-threads", "--backend", "assistants", "--json"]
    process = subprocess.Popen(
        [*command, "--ids", str(ids), "--out", str(directory / "archive")],
        cwd=ROOT,
        env={
            **os.environ,
            "THREADBRIDGE_ASSISTANTS__BASE_URL": url,
            "THREADBRIDGE_ASSISTANTS__API_KEY": "sk-benchmark",
        },
        stdout=subprocess.DEVNULL,
    )
    try:
        peak = _measure_peak_memory(process)
    finally:
        process.kill()
        process.wait()
    return time.perf_counter() - started, peak / 1e6


def _measure_peak_memory(process: subprocess.Popen[bytes]) -> int:
    """The peak resident memory of the process. Raises RuntimeError if it fails or does not end in time."""
    peak = 0
    deadline = time.monotonic() + EXPORT_SECONDS
    while process.poll() is None:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the export was not over after {EXPORT_SECONDS:.0f} s")
        peak = max(peak, _processes.read_peak_resident_bytes(process.pid))
        time.sleep(POLL_SECONDS)
    if process.returncode != 0:
        raise RuntimeError(f"the export ended with exit code {process.returncode}")
    return peak


def _check_archive(archive: Path, count: int) -> None:
    """Check that every message is in the archive exactly once."""
    with (archive / "messages.jsonl").open() as lines:
        ids = [(message["thread_id"], message["id"]) for message in map(json.loads, lines)]
    if len(ids) != count * MESSAGES_PER_THREAD or len(set(ids)) != len(ids):
        raise RuntimeError(f"{len(set(ids))} different messages in {len(ids)} lines, not {count * MESSAGES_PER_THREAD}")


def measure(effort: Effort, directory: Path, log: Callable[[str], None]) -> list[Row]:
    """Rows for the export."""
    with _processes.run_server(COMMAND) as source:
        naive = _time_naive_loop(source.url, effort.naive_threads) / effort.naive_threads
        seconds, megabytes = _time_export(source.url, effort.export_threads, directory)
    _check_archive(directory / "archive", effort.export_threads)
    size = f"{effort.export_threads} threads of {MESSAGES_PER_THREAD} messages"
    log(f"exported {size} in {seconds:.1f} s; the loop was measured on {effort.naive_threads} threads and scaled")
    return [
        Row(
            f"export, {size}",
            "threads/s",
            effort.export_threads / seconds,
            1 / naive,
            "SDK loop",
            "ratio",
            SPEEDUP_BOUND,
            at_least=True,
        ),
        Row("export, memory", "MB", megabytes, None, "", "value", RESIDENT_BOUND_MB),
    ]

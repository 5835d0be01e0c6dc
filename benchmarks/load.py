"""`migrate load` into SQLite and `migrate check` of the result, as commands: messages per second and peak memory.

Every second message has a run with one step. Memory is compared with that for a tenth of the threads.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.migrate.load.quirky_threads import (
    ThreadParts,
    make_creation,
    make_message,
    make_run,
    make_step,
    make_thread,
    write_archive,
)

from benchmarks import _processes
from benchmarks._processes import ROOT, find_script
from benchmarks._results import Row
from benchmarks._sample_sizes import Effort
from threadbridge.api_types import JsonObject

LOAD_BOUND, CHECK_BOUND, MEMORY_BOUND = 20_000.0, 50_000.0, 1.2
MESSAGES_PER_THREAD = 20
TEXT = "Some words of a conversation that is about nothing in particular. " * 3
POLL_SECONDS = 0.02


def _make_thread(number: int) -> ThreadParts:
    thread_id = f"thread_{number:024}"
    messages: list[JsonObject] = []
    runs: list[JsonObject] = []
    steps: list[JsonObject] = []
    for n in range(0, MESSAGES_PER_THREAD, 2):
        run = make_run(thread_id, n)
        answer = make_message(thread_id, n + 1, TEXT, role="assistant", run_id=run["id"])
        messages += [make_message(thread_id, n, TEXT), answer]
        runs.append(run)
        steps.append(make_step(run, 1, make_creation(answer)))
    return make_thread(thread_id), messages, runs, steps


def _time_command(*words: str) -> tuple[float, float]:
    """Seconds of the work, as the command reports them, and its peak resident megabytes."""
    process = subprocess.Popen([find_script("migrate"), *words, "--json"], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    peak = 0
    while process.poll() is None:
        peak = max(peak, _processes.read_peak_resident_bytes(process.pid))
        time.sleep(POLL_SECONDS)
    report = json.loads(process.stdout.read())
    if process.returncode != 0:
        raise RuntimeError(f"migrate {words[0]} ended with exit code {process.returncode}: {report}")
    return float(report["seconds"]), peak / 1e6


def measure(effort: Effort, directory: Path, log: Callable[[str], None]) -> list[Row]:
    """Rows for load and check."""
    rates: dict[str, list[float]] = {"load": [], "check": []}
    peaks: dict[str, list[float]] = {"load": [], "check": []}
    counts = (effort.loaded_threads // 10, effort.loaded_threads)
    for count in counts:
        archive = str(write_archive(directory / f"archive_{count}", map(_make_thread, range(count))))
        store = f"sqlite:///{directory}/store_{count}.db"
        for name, words, copies in (("load", (archive, "--store", store), 1), ("check", (archive, store), 2)):
            seconds, megabytes = _time_command(name, *words)
            rates[name].append(count * MESSAGES_PER_THREAD * copies / seconds)
            peaks[name].append(megabytes)
            log(f"{name} of {count} threads: {rates[name][-1]:.0f} messages/s, {megabytes:.0f} MB")
    size = f"{counts[1]} threads of {MESSAGES_PER_THREAD} messages"
    rows: list[Row] = []
    for name, bound in (("load", LOAD_BOUND), ("check", CHECK_BOUND)):
        rows.append(Row(f"{name}, {size}", "messages/s", rates[name][1], None, "", "value", bound, at_least=True))
        small, large = peaks[name]
        rows.append(Row(f"{name}, memory", "MB", large, small, "a tenth of it", "ratio", MEMORY_BOUND))
    return rows

"""`migrate audit` of a generated code base: lines per second of the whole command, and its peak memory.

The code is the corpus of the tests in nine languages, each program repeated; between them are files of this project
without a call.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.migrate.audit.corpus_files import list_projects, write_project

from benchmarks import _processes
from benchmarks._processes import ROOT, find_script
from benchmarks._results import Row
from benchmarks._sample_sizes import Effort

SPEED_BOUND, RESIDENT_BOUND_MB = 20_000.0, 120.0
CORPUS = ("python", "script", "compiled", "dynamic", "look_alikes")
POLL_SECONDS = 0.02


def _write_code(folder: Path, lines: int) -> None:
    """Programs with at least this number of lines; about every second one uses the API."""
    projects = [(name, project) for name in CORPUS for project in list_projects(name)]
    sources = sorted((ROOT / "bridge").rglob("*.py"))
    written = number = 0
    while written < lines:
        copy = folder / f"copy_{number:05}"
        write_project(*projects[number % len(projects)], copy)
        source = sources[number % len(sources)]
        (copy / f"plain_{source.name}").write_bytes(source.read_bytes())
        written += sum(path.read_bytes().count(b"\n") for path in copy.rglob("*") if path.is_file())
        number += 1


def _time_audit(folder: Path) -> tuple[float, float, int]:
    """Lines per second of the command, start-up included, its peak resident megabytes, and the call sites it found."""
    report = folder.with_suffix(".json")
    started = time.perf_counter()
    process = subprocess.Popen(
        [find_script("migrate"), "audit", str(folder), "--json", "--out", str(report), "--fail-on", "never"], cwd=ROOT
    )
    peak = 0
    while process.poll() is None:
        peak = max(peak, _processes.read_peak_resident_bytes(process.pid))
        time.sleep(POLL_SECONDS)
    seconds = time.perf_counter() - started
    if process.returncode != 0:
        raise RuntimeError(f"migrate audit ended with exit code {process.returncode}")
    result = json.loads(report.read_text())
    return result["scanned"]["lines"] / seconds, peak / 1e6, result["call_sites"]


def measure(effort: Effort, directory: Path, log: Callable[[str], None]) -> list[Row]:
    """Rows for the audit."""
    _write_code(directory / "code", effort.audited_lines)
    rate, megabytes, call_sites = _time_audit(directory / "code")
    size = f"{effort.audited_lines} lines"
    log(f"audited {size} with {call_sites} call sites")
    return [
        Row(f"audit, {size}", "lines/s", rate, None, "", "value", SPEED_BOUND, at_least=True),
        Row("audit, memory", "MB", megabytes, None, "", "value", RESIDENT_BOUND_MB),
    ]

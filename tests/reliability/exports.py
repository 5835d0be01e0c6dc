"""Exports that are killed or interrupted, and whose archive is damaged before they are resumed. Meanwhile the source
answers a tenth of the requests with 429, 500, a body that is not JSON, or late.
"""

from __future__ import annotations

import random
import signal
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.legacy_service import InjectedFault, LegacyService, LegacyServiceServer, make_error_body
from tests.migrate.archive_contents import collect_source_lines, load_manifest, read_archive_lines
from tests.migrate.export_command import make_export_command
from tests.migrate.test_files import add_files
from tests.reliability.scenario import Evidence, Fault
from threadbridge_migrate.cli.error_report import ExitCode

THREADS = 40
INTERRUPTIONS = 2
#: Exports after the interruptions, until one has no failures.
RESUMPTIONS = 4
#: The share of requests that fail or are answered late.
FAULT_SHARE = 0.1
DAMAGED_PARTS = ("threads.jsonl", "messages.jsonl", "runs.jsonl", "steps.jsonl")


def interrupt_exports(evidence: Evidence, exports: int, seed: int) -> None:
    """Export 40 threads `exports` times, each interrupted twice, and compare the archive with the source."""
    rng, service = random.Random(seed), LegacyService()
    with LegacyServiceServer(service) as server:
        for _ in range(exports):
            service.reset()
            ids = add_files(service, THREADS)
            service.latency = 0.005
            service.choose_fault = lambda path: _choose_fault(rng, path)
            with tempfile.TemporaryDirectory() as folder:
                _export(
                    evidence,
                    rng,
                    make_export_command(server.url, ids, Path(folder) / "archive"),
                    Path(folder) / "archive",
                )
                _compare(evidence, service, ids, Path(folder) / "archive")
            evidence.tried += 1


def _export(evidence: Evidence, rng: random.Random, arguments: list[str], archive: Path) -> None:
    for _ in range(INTERRUPTIONS):
        process = _start(arguments)
        _wait_for_lines(process, archive / "journal.jsonl", rng.randint(0, THREADS))
        process.send_signal(rng.choice([signal.SIGKILL, signal.SIGINT, signal.SIGTERM]))
        process.wait()
        part = archive / rng.choice(DAMAGED_PARTS)
        if rng.random() < 0.5 and part.exists():
            with part.open("r+b") as file:
                file.truncate(rng.randint(0, part.stat().st_size))
            evidence.amounts["damaged parts"] += 1
    for _ in range(RESUMPTIONS):
        last = _start(arguments)
        if last.wait() in (ExitCode.DONE, ExitCode.NOTHING_TO_DO):
            return
    evidence.report(Fault.UNFINISHED, "no export after the interruptions ends without failures")


def _choose_fault(rng: random.Random, path: str) -> InjectedFault | None:
    if rng.random() > FAULT_SHARE:
        return None
    busy = {"retry-after": "0.02"}
    return rng.choice(
        [
            InjectedFault(path, 429, make_error_body("Slow down."), headers=busy),
            InjectedFault(path, 500, make_error_body("Oops."), headers=busy),
            InjectedFault(path, 503, b"<html>", headers=busy, delay=0.05),
            # Half of a JSON object; the bytes of a file could be anything.
            InjectedFault(path, 502 if path.endswith("/content") else 200, b'{"object":"list","data":[{"id":'),
        ]
    )


def _start(arguments: list[str]) -> subprocess.Popen[bytes]:
    environment = {"THREADBRIDGE_ASSISTANTS__API_KEY": "sk-test-0123456789", "PATH": "/usr/bin:/bin"}
    return subprocess.Popen(arguments, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _wait_for_lines(process: subprocess.Popen[bytes], journal: Path, lines: int) -> None:
    while process.poll() is None and (not journal.exists() or journal.read_bytes().count(b"\n") < lines):
        time.sleep(0.002)


def _compare(evidence: Evidence, service: LegacyService, ids: list[str], archive: Path) -> None:
    if load_manifest(archive)["state"] != "complete":
        evidence.report(Fault.UNFINISHED, "the archive is not complete")
        return
    source, exported = collect_source_lines(service, ids), read_archive_lines(archive)
    for part, lines in source.items():
        expected, present = Counter(lines), Counter(exported[part])
        for line in expected - present:
            evidence.report(Fault.LOST, f"{part}: {line.decode()}")
        for line in present - expected:
            evidence.report(Fault.DOUBLED if line in expected else Fault.UNEXPECTED, f"{part}: {line[:200]!r}")
    for file_id, (_, content) in service.files.items():
        path = archive / "contents" / file_id
        if (path.read_bytes() if path.exists() else None) != content:
            evidence.report(Fault.LOST, f"the content of {file_id}")

"""Server processes of a benchmark: start, address, CPU time, memory, end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_LISTENING_PREFIX = "Listening on "
#: Seconds for a server to print its address, and to end after a signal.
START_SECONDS = 60.0
STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Server:
    """A running server process."""

    pid: int
    url: str

    def read_cpu_seconds(self) -> float:
        """User and system time of the process and of its children, so far."""
        return sum(_read_cpu_seconds(pid) for pid in _list_process_tree(self.pid))


def _read_cpu_seconds(pid: int) -> float:
    """The CPU clock of another process, with a resolution of nanoseconds (/proc/PID/stat counts 10 ms).

    The clock id is the one that clock_getcpuclockid(3) returns on Linux.
    """
    return time.clock_gettime((~pid << 3) | 2)


def _list_process_tree(pid: int) -> list[int]:
    """A process and its descendants."""
    children = [
        int(child)
        for task in os.listdir(f"/proc/{pid}/task")
        for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split()
    ]
    return [pid, *(member for child in children for member in _list_process_tree(child))]


def read_peak_resident_bytes(pid: int) -> int:
    """The peak resident memory of the process in bytes (VmHWM); 0 after it has ended."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def stop_process(process: subprocess.Popen[str]) -> None:
    """End a process: close its standard input, then terminate it, then kill it."""
    if process.stdin is not None:
        process.stdin.close()
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


@contextmanager
def run_server(command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> Generator[Server]:
    """Start one of our servers, which prints its address on the first line of stdout; stop it with the context."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        if not line.startswith(_LISTENING_PREFIX):
            raise RuntimeError(f"{command[0]} said {line!r} where an address was expected")
        yield Server(process.pid, line.removeprefix(_LISTENING_PREFIX))
    finally:
        stop_process(process)


def find_script(name: str) -> str:
    """The path of a command in this environment."""
    return str(Path(sys.executable).with_name(name))


@contextmanager
def run_upstream() -> Generator[Server]:
    """The fast Responses service."""
    with run_server([sys.executable, "-m", "benchmarks._upstream"]) as running:
        yield running


@contextmanager
def run_gateway(upstream_url: str, store: Path, *, script: Path | None = None) -> Generator[Server]:
    """`threadbridge serve` with its own store, in front of `upstream_url`; `script` is that of another environment."""
    command = [str(script or find_script("threadbridge")), "serve", "--port", "0", "--log-level", "warning"]
    options = ["--upstream", upstream_url, "--store", f"sqlite:///{store}"]
    with run_server([*command, *options], environment={"OPENAI_API_KEY": "sk-benchmark"}) as running:
        yield running

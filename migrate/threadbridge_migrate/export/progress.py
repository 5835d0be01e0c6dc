"""Progress on stderr: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import timedelta

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from threadbridge.api_types import JsonObject
from threadbridge_migrate.archive.journal import SubjectOutcome
from threadbridge_migrate.export.exporter import ProgressListener

#: Failures printed individually; later ones are only recorded in the archive.
MAX_PRINTED_FAILURES = 10

#: Seconds between two plain lines.
LINE_SECONDS = 2.0


class SilentListener:
    """Prints warnings and no progress."""

    def __init__(self, print_line: Callable[[str], None]) -> None:
        self._print_line = print_line

    def record_outcome(self, thread_id: str, outcome: SubjectOutcome, error_message: str | None) -> None: ...

    def warn(self, sentence: str) -> None:
        """Print a warning about the whole archive."""
        self._print_line(sentence)


class Speed:
    """Threads per second since the start, and the time that is left."""

    def __init__(self, total: int | None) -> None:
        self._total = total
        self._started_at = time.monotonic()

    def measure(self, done: int) -> tuple[float, float | None]:
        """Threads per second, and the seconds until all are done if their number is known."""
        per_second = done / max(time.monotonic() - self._started_at, 0.001)
        left = None if self._total is None or not per_second else max(self._total - done, 0) / per_second
        return per_second, left

    def format_rate(self, done: int) -> str:
        """`42/s`; empty during the first second, in which it would jump."""
        return f"{self.measure(done)[0]:.0f}/s" if time.monotonic() - self._started_at > 1 else ""

    def format(self, done: int) -> tuple[str, ...]:
        """The rate and the time left in words, as far as they are known."""
        left = self.measure(done)[1]
        rate = self.format_rate(done)
        return () if not rate else (rate,) if left is None else (rate, f"{timedelta(seconds=round(left))} left")


class JsonProgressReporter:
    """Writes progress as JSON lines, for programs."""

    def __init__(self, console: Console, total: int | None) -> None:
        self._console = console
        self._total = total
        self._speed = Speed(total)
        self._counts: Counter[SubjectOutcome] = Counter()
        self._printed_at = time.monotonic()

    def record_outcome(self, thread_id: str, outcome: SubjectOutcome, error_message: str | None) -> None:
        """Count the thread, and write its error if it failed."""
        self._counts[outcome] += 1
        if error_message is not None:
            self._print({"event": "failure", "id": thread_id, "message": error_message})
        if time.monotonic() - self._printed_at >= LINE_SECONDS:
            self._printed_at = time.monotonic()
            done = self._counts.total()
            per_second, left = self._speed.measure(done)
            self._print(
                {
                    "event": "progress",
                    "done": done,
                    "failed": self._counts["failed"],
                    "total": self._total,
                    "per_second": round(per_second, 1),
                    "seconds_left": None if left is None else round(left, 1),
                }
            )

    def warn(self, sentence: str) -> None:
        """Write a warning about the whole archive."""
        self._print({"event": "warning", "message": sentence})

    def _print(self, event: JsonObject) -> None:
        self._console.print(orjson.dumps(event).decode())


class ProgressReporter:
    """Counts threads, prints the first failures, and passes the counts on."""

    def __init__(
        self, print_line: Callable[[str], None], show_counts: Callable[[Counter[SubjectOutcome]], None]
    ) -> None:
        self._print_line = print_line
        self._show_counts = show_counts
        self._counts: Counter[SubjectOutcome] = Counter()

    def record_outcome(self, thread_id: str, outcome: SubjectOutcome, error_message: str | None) -> None:
        """Count the thread, and print its error if it is one of the first failures."""
        self._counts[outcome] += 1
        if error_message is not None and self._counts[outcome] <= MAX_PRINTED_FAILURES:
            more = "; further failures are only recorded" if self._counts[outcome] == MAX_PRINTED_FAILURES else ""
            self._print_line(f"{thread_id} failed: {error_message}{more}")
        self._show_counts(self._counts)

    def warn(self, sentence: str) -> None:
        """Print a warning about the whole archive."""
        self._print_line(sentence)


@contextmanager
def show_progress(
    *, total: int | None, quiet: bool, as_json: bool = False, console: Console | None = None
) -> Generator[ProgressListener]:
    """A listener that shows progress until the context ends. `total` is None if it is unknown.

    With `as_json`, each line is one JSON object with an `event`: `progress`, `failure` or `warning`.
    """
    console = console or Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    if quiet:
        yield SilentListener(console.print)
    elif as_json:
        yield JsonProgressReporter(console, total)
    elif console.is_terminal:
        yield from _show_bar(console, total)
    else:
        yield from _show_lines(console, total)


def _show_bar(console: Console, total: int | None) -> Iterator[ProgressListener]:
    columns = (TextColumn("Exporting"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    further = (TextColumn("{task.fields[rate]}"), TextColumn("{task.fields[failed]}"))
    with Progress(*columns, *further, console=console) as progress:
        task = progress.add_task("", total=total, failed="", rate="")
        speed = Speed(total)

        def show_counts(counts: Counter[SubjectOutcome]) -> None:
            failed = f"{counts['failed']} failed" if counts["failed"] else ""
            progress.update(task, completed=counts.total(), failed=failed, rate=speed.format_rate(counts.total()))

        yield ProgressReporter(progress.console.print, show_counts)


def _show_lines(console: Console, total: int | None) -> Iterator[ProgressListener]:
    of_all = "" if total is None else f" of {total}"
    threads = "all threads the source lists" if total is None else f"{total} thread{'' if total == 1 else 's'}"
    printed_at = time.monotonic()
    speed = Speed(total)

    def show_counts(counts: Counter[SubjectOutcome]) -> None:
        nonlocal printed_at
        if time.monotonic() - printed_at >= LINE_SECONDS:
            printed_at = time.monotonic()
            words = (f"{counts.total()}{of_all} threads", f"{counts['failed']} failed", *speed.format(counts.total()))
            console.print(", ".join(words))

    console.print(f"Exporting {threads}")
    yield ProgressReporter(console.print, show_counts)

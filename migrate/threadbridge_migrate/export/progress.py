"""Progress on stderr: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

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
def show_progress(*, total: int | None, quiet: bool, console: Console | None = None) -> Generator[ProgressListener]:
    """A listener that shows progress until the context ends. `total` is None if it is unknown."""
    console = console or Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    if quiet:
        yield SilentListener(console.print)
    elif console.is_terminal:
        yield from _show_bar(console, total)
    else:
        yield from _show_lines(console, total)


def _show_bar(console: Console, total: int | None) -> Iterator[ProgressListener]:
    columns = (TextColumn("Exporting"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[failed]}"), console=console) as progress:
        task = progress.add_task("", total=total, failed="")

        def show_counts(counts: Counter[SubjectOutcome]) -> None:
            failed = f"{counts['failed']} failed" if counts["failed"] else ""
            progress.update(task, completed=counts.total(), failed=failed)

        yield ProgressReporter(progress.console.print, show_counts)


def _show_lines(console: Console, total: int | None) -> Iterator[ProgressListener]:
    of_all = "" if total is None else f" of {total}"
    threads = "all threads the source lists" if total is None else f"{total} thread{'' if total == 1 else 's'}"
    printed_at = time.monotonic()

    def show_counts(counts: Counter[SubjectOutcome]) -> None:
        nonlocal printed_at
        if time.monotonic() - printed_at >= LINE_SECONDS:
            printed_at = time.monotonic()
            console.print(f"{counts.total()}{of_all} threads, {counts['failed']} failed")

    console.print(f"Exporting {threads}")
    yield ProgressReporter(console.print, show_counts)

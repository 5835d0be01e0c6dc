"""Progress for people, on stderr: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from threadbridge_migrate._journal import Outcome
from threadbridge_migrate.export import Watch

#: Failures told one by one; the rest only stands in the archive.
FAILURES_SHOWN = 10

#: Seconds between two plain lines.
LINE_SECONDS = 2.0


class Silent:
    """Says nothing."""

    def done(self, thread_id: str, outcome: Outcome, problem: str | None) -> None: ...


class Teller:
    """Counts threads, tells the first failures at once, and hands the counts on."""

    def __init__(self, say: Callable[[str], None], show: Callable[[Counter[Outcome]], None]) -> None:
        self._say = say
        self._show = show
        self._counts: Counter[Outcome] = Counter()

    def done(self, thread_id: str, outcome: Outcome, problem: str | None) -> None:
        """Count it, and say what is wrong with it while that is not too much to read."""
        self._counts[outcome] += 1
        if problem is not None and self._counts[outcome] <= FAILURES_SHOWN:
            more = "; further failures are only recorded" if self._counts[outcome] == FAILURES_SHOWN else ""
            self._say(f"{thread_id} failed: {problem}{more}")
        self._show(self._counts)


@contextmanager
def display(*, total: int | None, quiet: bool, console: Console | None = None) -> Generator[Watch]:
    """A watch that shows progress as long as the context lasts. `total` is None where nobody knows it yet."""
    console = console or Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    if quiet:
        yield Silent()
    elif console.is_terminal:
        yield from _bar(console, total)
    else:
        yield from _lines(console, total)


def _bar(console: Console, total: int | None) -> Iterator[Watch]:
    columns = (TextColumn("Exporting"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[failed]}"), console=console) as progress:
        task = progress.add_task("", total=total, failed="")

        def show(counts: Counter[Outcome]) -> None:
            failed = f"{counts['failed']} failed" if counts["failed"] else ""
            progress.update(task, completed=counts.total(), failed=failed)

        yield Teller(progress.console.print, show)


def _lines(console: Console, total: int | None) -> Iterator[Watch]:
    of_all = "" if total is None else f" of {total}"
    said_at = time.monotonic()

    def show(counts: Counter[Outcome]) -> None:
        nonlocal said_at
        if time.monotonic() - said_at >= LINE_SECONDS:
            said_at = time.monotonic()
            console.print(f"{counts.total()}{of_all} threads, {counts['failed']} failed")

    console.print(f"Exporting {_all_of(total)}")
    yield Teller(console.print, show)


def _all_of(total: int | None) -> str:
    if total is None:
        return "all threads the source lists"
    return f"{total} thread{'' if total == 1 else 's'}"

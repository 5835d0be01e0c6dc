"""Compares two places thread by thread."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple, TypeAlias

from threadbridge.api_types import JsonObject
from threadbridge.settings import Settings
from threadbridge_migrate.archive.reader import Archive
from threadbridge_migrate.check.comparison_table import DigestPair, DigestTable, Side
from threadbridge_migrate.check.normalisation import ThreadDigest, compare
from threadbridge_migrate.check.thread_source import (
    FoundThread,
    iterate_archive,
    iterate_service,
    iterate_store,
)
from threadbridge_migrate.errors import UsageError
from threadbridge_migrate.load.id_ledger import IdMapping

#: A place to compare: an archive, or the settings of a store (backend `responses`) or of a service.
Place: TypeAlias = Archive | Settings


class ThreadComparison(NamedTuple):
    """The outcome of one thread.

    `symbol`: `=` equal, `-` missing in the destination, `+` only there, `*` differs, `!` could not be read.
    """

    symbol: str
    thread_id: str
    grade: str
    losses: list[str]


@dataclass(slots=True)
class CheckReport:
    """The result of a check: how many threads had which symbol and grade, and how many messages were read."""

    symbols: Counter[str] = field(default_factory=Counter[str])
    grades: Counter[str] = field(default_factory=Counter[str])
    messages: int = 0
    seconds: float = 0.0

    @property
    def is_equal(self) -> bool:
        """Whether every thread is equal."""
        return not self.symbols.total() - self.symbols["="]

    def as_json(self) -> JsonObject:
        """The report for programs."""
        return {
            "equal": self.is_equal,
            "symbols": {symbol: self.symbols[symbol] for symbol in "=-+*!"},
            "grades": dict(self.grades),
            "messages": self.messages,
            "seconds": self.seconds,
        }


async def check(
    source: Place,
    destination: Place,
    *,
    ids: IdMapping,
    only: frozenset[str] | None,
    record: Callable[[ThreadComparison], None],
) -> CheckReport:
    """Read both places, then compare them in the order of thread ids; `record` receives each outcome.

    A service that cannot list its threads is asked for those of the other place. Raises UsageError if neither lists
    them, and the errors of a place that cannot be read at all.
    """
    report, started = CheckReport(), time.monotonic()
    with DigestTable() as table:
        sides: list[tuple[Side, Place]] = [("source", source), ("destination", destination)]
        listing = [each for each in sides if _lists_threads(each[1])]
        asked = [each for each in sides if not _lists_threads(each[1])]
        if not listing and only is None:
            raise UsageError("Neither place can list its threads; name them with --only (ids, or @FILE).")
        await asyncio.gather(*(_read(table, side, _iterate(place, ids, only), report) for side, place in listing))
        for side, place in asked:
            wanted = only
            if wanted is None:
                wanted = frozenset(chain.from_iterable(table.iterate_ids(each) for each, _ in listing))
            await _read(table, side, _iterate(place, ids, wanted), report)
        for pair in table.merge():
            comparison = _compare(pair)
            report.symbols[comparison.symbol] += 1
            report.grades[comparison.grade] += 1
            record(comparison)
    report.seconds = time.monotonic() - started
    return report


def _lists_threads(place: Place) -> bool:
    return isinstance(place, Archive) or place.backend == "responses" or bool(place.assistants.list_threads)


def _iterate(place: Place, ids: IdMapping, wanted: frozenset[str] | None) -> AsyncIterator[FoundThread]:
    if isinstance(place, Archive):
        return iterate_archive(place, ids, wanted)
    if place.backend == "responses":
        return iterate_store(place, ids, wanted)
    return iterate_service(place, ids, wanted)


async def _read(table: DigestTable, side: Side, threads: AsyncIterator[FoundThread], report: CheckReport) -> None:
    async for found in threads:
        table.add(side, found.id, found.digest, found.error)
        report.messages += found.messages


def _compare(pair: DigestPair) -> ThreadComparison:
    errors = [error for error in (pair.source_error, pair.destination_error) if error is not None]
    if errors:
        return ThreadComparison("!", pair.thread_id, "none", errors)
    if pair.source is None:
        return ThreadComparison("+", pair.thread_id, "none", ["the source does not have it"])
    if pair.destination is None:
        return ThreadComparison("-", pair.thread_id, "none", ["the destination does not have it"])
    if pair.source == pair.destination:
        return ThreadComparison("=", pair.thread_id, "full", [])
    difference = compare(ThreadDigest.decode(pair.source), ThreadDigest.decode(pair.destination))
    return ThreadComparison("*", pair.thread_id, difference.grade, difference.sentences)

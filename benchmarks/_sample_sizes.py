"""Sample sizes of the benchmarks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Effort:
    """Sample sizes of a comparison; medians are taken over `repeats`."""

    repeats: int = 5
    streams: int = 10
    runs: int = 100
    transport_runs: int = 20
    transport_streams: int = 5
    long_thread: int = 10_000
    long_thread_runs: int = 20
    longest_thread: int = 100_000
    thread_operations: int = 500
    history_selections: int = 100
    items_sent: int = 1_000
    send_repeats: int = 5
    export_threads: int = 2_000
    naive_threads: int = 10
    loaded_threads: int = 10_000
    upload_megabytes: int = 512
    audited_lines: int = 300_000


#: Enough for a smoke test, not enough for reliable numbers.
QUICK = Effort(
    repeats=1,
    streams=2,
    runs=20,
    transport_runs=3,
    transport_streams=1,
    long_thread=500,
    long_thread_runs=3,
    longest_thread=2_000,
    thread_operations=20,
    history_selections=10,
    items_sent=100,
    send_repeats=2,
    export_threads=50,
    loaded_threads=200,
    naive_threads=2,
    upload_megabytes=32,
    audited_lines=20_000,
)

"""Valid and invalid requests, generated from the published schema, against the gateway in this process.

`python -m tests.conformance.fuzz --requests 20000` sends so many, shared out over the processors, and fails on any
answer of 500 and above, any undocumented status, any body or event that the schema does not allow, any error in the
log, and any stream without its end. The same seed makes the same requests.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import random
import sys
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis.strategies import SearchStrategy
from schemathesis import Case, GenerationMode
from starlette.types import ASGIApp

from tests.conformance.fuzzer import Fuzzer, FuzzReport
from tests.conformance.published_schema import ABSENT, SLICE, PublishedSchema, load_published_schema
from threadbridge.ports import Backend
from threadbridge.settings import Settings
from threadbridge.wire import OPERATIONS, Operation
from threadbridge_adapters.composition import assemble_backend
from threadbridge_adapters.gateway import create_app as gateway_app
from threadbridge_adapters.simulator import SimulatedUpstream, Simulator
from threadbridge_adapters.stores import open_store

SETTINGS = Settings(simulate=True)

#: Faults that are printed.
MAX_PRINTED_FAULTS = 20

#: Requests to one service before the next one begins with an empty store.
REQUESTS_PER_SERVICE = 1000

Strategies = list[tuple[Operation, SearchStrategy[Case[Any]]]]


def fuzz(requests: int, *, seed: int) -> FuzzReport:
    """Send at least this number of requests, equally many to each operation, half of them invalid. Needs the schema."""
    schema = load_published_schema()
    if schema is None:
        raise FileNotFoundError(ABSENT)
    rng, report = random.Random(seed), FuzzReport()  # noqa: S311  # luck, not secrecy
    strategies = _make_strategies(schema)
    while report.requests < requests:
        each = -(-min(REQUESTS_PER_SERVICE, requests - report.requests) // len(strategies))
        rng.shuffle(strategies)
        with asyncio.Runner() as runner, _collect_logged_errors(report):
            _fuzz_service(strategies, each, lambda app: Fuzzer(app, schema, rng, report), runner)
    return report


def _make_strategies(schema: PublishedSchema) -> Strategies:
    openapi: Any = schemathesis.openapi  # its types are partially unknown
    document = openapi.from_path(SLICE)
    return [
        (operation, document[operation.path][operation.method].as_strategy(generation_mode=mode))
        for operation in OPERATIONS
        if schema.is_documented(operation)
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    ]


def _fuzz_service(
    strategies: Strategies, each: int, make_fuzzer: Callable[[ASGIApp], Fuzzer], runner: asyncio.Runner
) -> None:
    backend = runner.run(_open_backend())
    try:
        fuzzer = make_fuzzer(gateway_app(backend, SETTINGS))
        runner.run(fuzzer.populate())
        for operation, strategy in strategies:
            _send_all(operation, strategy, each, fuzzer, runner)
    finally:
        runner.run(backend.aclose())


async def _open_backend() -> Backend:
    return assemble_backend(SETTINGS, store=await open_store(":memory:"), upstream=SimulatedUpstream(Simulator()))


def _send_all(
    operation: Operation, strategy: SearchStrategy[Case[Any]], each: int, fuzzer: Fuzzer, runner: asyncio.Runner
) -> None:
    @seeded(fuzzer.rng.getrandbits(64))
    @settings(
        max_examples=each,
        deadline=None,  # the first long text loads the tokenizer
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    @given(strategy)
    def send(case: Case[Any]) -> None:
        runner.run(fuzzer.send(operation, case))

    send()


class _ErrorCollector(logging.Handler):
    """Reports every error in the log as a fault."""

    def __init__(self, report: FuzzReport) -> None:
        super().__init__(logging.ERROR)
        self._report = report

    def emit(self, record: logging.LogRecord) -> None:
        self._report.faults.append(f"logged: {self.format(record)}")


@contextmanager
def _collect_logged_errors(report: FuzzReport) -> Generator[None]:
    handler = _ErrorCollector(report)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: a table of statuses by operation on stdout, faults on stderr, and 1 if there are any."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.fuzz", description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    if load_published_schema() is None:
        print(f"skipped: {ABSENT}")
        return 0
    started = time.monotonic()
    report = _fuzz_in_processes(options.requests, seed=options.seed, processes=options.processes)
    _print_report(report, seconds=time.monotonic() - started)
    return 1 if report.faults else 0


def _fuzz_in_processes(requests: int, *, seed: int, processes: int) -> FuzzReport:
    report = FuzzReport()
    share = -(-requests // processes)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for part in [pool.submit(fuzz, share, seed=seed * 1000 + number) for number in range(processes)]:
            report.add(part.result())
    return report


def _print_report(report: FuzzReport, *, seconds: float) -> None:
    statuses = sorted({status for _, status in report.statuses})
    print("".join([f"{'operation':24}", *(f"{status:>7}" for status in statuses)]))
    for name in sorted({name for name, _ in report.statuses}):
        print("".join([f"{name:24}", *(f"{report.statuses[name, status]:>7}" for status in statuses)]))
    print(f"{report.requests} requests, {len(report.faults)} faults, {seconds:.0f} s")
    for fault in report.faults[:MAX_PRINTED_FAULTS]:
        print(fault, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())

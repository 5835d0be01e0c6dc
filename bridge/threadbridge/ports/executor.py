"""The port of an executor: it has runs advanced, in this process or in another."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class RunReference(NamedTuple):
    """Names one run. An id alone is not enough: two tenants may have imported the same one."""

    tenant: str
    run_id: str


class Executor(Protocol):
    """Has every submitted run advanced: someone calls `engine.turn_runner.advance` for it, soon and at least once.

    The store is the truth about runs and leases. A submission is only a wake-up, so one that comes late, twice or not
    at all does no harm: a run that no process holds a lease on is submitted again by a sweep.
    """

    def submit(self, run: RunReference) -> None:
        """Have the run's next turn performed. Returns at once; a run that is being performed here is left alone."""
        ...

    async def cancel(self, run: RunReference) -> None:
        """Stop the turn of a run whose cancellation the store already holds (A61), and wait for it briefly (C8).

        A turn that another process performs ends there, at its next heartbeat at the latest.
        """
        ...

    async def aclose(self) -> None:
        """Take no more runs. Turns that run in this process are ended by the engine."""
        ...

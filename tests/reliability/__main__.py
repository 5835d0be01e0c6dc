"""Count what is lost when processes are killed, services answer with anything, disks are full and clocks are set.

`python -m tests.reliability` performs every scenario at its usual size, and `python -m tests.reliability kills --kills
1000` one of them at another. It prints a row of counts for each scenario, the first faults on stderr, and ends with 1
if there was any. The same seed gives the same inputs and the same pauses; what a process does meanwhile is its own.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
import warnings
from collections.abc import Mapping, Sequence

from tests.reliability.dropped_clients import drop_clients
from tests.reliability.exports import interrupt_exports
from tests.reliability.full_disk import fill_disk
from tests.reliability.hostile_clients import attack_gateway
from tests.reliability.kills import kill_one_of_two_processes, kill_one_process, kill_with_repeating_clients
from tests.reliability.migrations import kill_loads_and_mirrors
from tests.reliability.processes import fork_at_any_moment, set_clocks
from tests.reliability.scenario import Evidence, Fault, Scenario
from tests.reliability.upstream_faults import answer_with_anything

#: Faults that are printed for each scenario.
MAX_PRINTED_FAULTS = 20

#: Every scenario. The units are options of the command: `--kills 1000`. The doses take less than ten seconds in total;
#: where a dose is 0, other tests do the same: tests/bridge/engine/test_kill.py, test_recovery.py, and
#: tests/migrate/test_resume.py, and the tests of load and mirror.
SCENARIOS: Mapping[str, Scenario] = {
    "kills": Scenario("kills", kill_one_process, size=20, dose=0),
    "kills of one of two processes": Scenario("kills", kill_one_of_two_processes, size=20, dose=0),
    "kills with repeating clients": Scenario("kills", kill_with_repeating_clients, size=20, dose=1),
    "upstream faults": Scenario("faults", answer_with_anything, size=1000, dose=30),
    "hostile clients": Scenario("attacks", attack_gateway, size=1000, dose=40),
    "forks": Scenario("forks", fork_at_any_moment, size=20, dose=1),
    "dropped clients": Scenario("clients", drop_clients, size=200, dose=16),
    "clocks": Scenario("clocks", set_clocks, size=40, dose=2),
    "full disk": Scenario("fillings", fill_disk, size=10, dose=1),
    "interrupted exports": Scenario("exports", interrupt_exports, size=10, dose=1),
    "kills of loads and mirrors": Scenario("kills", kill_loads_and_mirrors, size=200, dose=0),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.reliability", description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"{', '.join(SCENARIOS)}; default: all")
    parser.add_argument("--seed", type=int, default=1)
    for unit in dict.fromkeys(scenario.unit for scenario in SCENARIOS.values()):
        parser.add_argument(f"--{unit}", type=int, help="instead of the usual number")
    options = parser.parse_args(arguments)
    if unknown := set(options.scenarios) - set(SCENARIOS):
        parser.error(f"unknown scenario {', '.join(sorted(unknown))}; the scenarios are {', '.join(SCENARIOS)}")
    warnings.simplefilter("ignore", DeprecationWarning)  # the SDK marks every method of the Assistants API
    logging.disable(logging.CRITICAL)
    print("".join([f"{'scenario':32}{'tried':>7}", *(f"{fault:>14}" for fault in Fault), f"{'seconds':>9}"]))
    total = 0
    for name in options.scenarios or SCENARIOS:
        scenario = SCENARIOS[name]
        started = time.monotonic()
        size: int | None = getattr(options, scenario.unit)
        evidence = scenario.collect(scenario.size if size is None else size, options.seed)
        _print_evidence(name, evidence, seconds=time.monotonic() - started)
        total += evidence.faults.total()
    return 1 if total else 0


def _print_evidence(name: str, evidence: Evidence, *, seconds: float) -> None:
    counts = "".join(f"{evidence.faults[fault]:>14}" for fault in Fault)
    print(f"{name:32}{evidence.tried:>7}{counts}{seconds:>9.0f}")
    if evidence.amounts:
        print(f"  {', '.join(f'{count} {what}' for what, count in sorted(evidence.amounts.items()))}", flush=True)
    for description in evidence.descriptions[:MAX_PRINTED_FAULTS]:
        print(f"  {description[:1000]}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())

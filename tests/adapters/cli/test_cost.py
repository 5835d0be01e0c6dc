"""`threadbridge cost` over a store that others wrote."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from threadbridge.costs.pricing import to_day_number
from threadbridge.ports import Session, SpendScope, SpendTotals
from threadbridge.runtime.clock_and_ids import SystemClock
from threadbridge_adapters.cli.application import application
from threadbridge_adapters.stores import open_store

PRICED = SpendTotals(turns=2, prompt_tokens=1000, cached_tokens=400, completion_tokens=50, nanodollars=1_250_000)
UNPRICED = SpendTotals(turns=1, unpriced=1, prompt_tokens=7, completion_tokens=3)
NOW = 1_790_000_000.0  # in September 2026
TODAY = to_day_number(NOW)


@pytest.fixture(autouse=True)
def _stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    def now(_: SystemClock) -> float:
        return NOW

    monkeypatch.setattr(SystemClock, "now", now)


@pytest.fixture
def store(tmp_path: Path) -> str:
    """Two assistants, of which one has a price, a month apart; and another tenant's."""
    path = str(tmp_path / "threads.db")
    asyncio.run(_fill(path))
    return path


async def _fill(path: str) -> None:
    store = await open_store(path)

    def write(session: Session) -> None:
        session.add_spending(
            TODAY, PRICED, {SpendScope.ASSISTANT: "asst_priced", SpendScope.MODEL: "gpt-4o", SpendScope.TENANT: ""}
        )
        session.add_spending(
            TODAY - 30,
            UNPRICED,
            {SpendScope.ASSISTANT: "asst_unpriced", SpendScope.MODEL: "ours", SpendScope.TENANT: ""},
        )

    await store.write(write, tenant="default")
    await store.write(
        lambda session: session.add_spending(TODAY, PRICED, {SpendScope.ASSISTANT: "asst_other"}), tenant="other"
    )
    await store.aclose()


def cost(store: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Result:
    return CliRunner().invoke(application, ["cost", "--store", store, *arguments], env=environment)


def test_a_table_for_80_columns_has_the_columns_that_fit(store: str) -> None:
    result = cost(store, environment={"COLUMNS": "80"})

    lines = result.stdout.splitlines()
    assert lines[0].split() == ["assistant", "turns", "prompt", "answer", "cost"]
    assert [line.split() for line in lines[1:]] == [
        ["asst_priced", "2", "1,000", "50", "$0.00125"],
        ["asst_unpriced", "1", "7", "3", "unknown"],
        ["all", "3", "1,007", "53", "$0.00125", "+", "unknown"],
    ]
    assert max(map(len, lines)) <= 80


def test_a_table_has_a_line_for_each_and_one_for_all(store: str) -> None:
    result = cost(store, environment={"COLUMNS": "140"})

    lines = [line.split() for line in result.stdout.splitlines()]
    assert (result.exit_code, lines[0][0]) == (0, "assistant")
    assert lines[1:] == [
        ["asst_priced", "2", "1,000", "400", "50", "0", "-", "$0.00125"],
        ["asst_unpriced", "1", "7", "0", "3", "0", "1", "unknown"],
        ["all", "3", "1,007", "400", "53", "0", "1", "$0.00125", "+", "unknown"],
    ]
    said = result.stderr.splitlines()
    assert said[0] == f"Store: {store.removeprefix('sqlite:///')}"
    assert said[1].startswith("The cost of 1 of 3 turns is unknown: ")


def test_json_is_an_object_a_line(store: str) -> None:
    result = cost(store, "--by", "model", "--json")

    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(row["model"], row["usd"], row["cached_tokens"]) for row in rows] == [
        ("gpt-4o", 0.00125, 400),
        ("ours", None, 0),
    ]
    assert result.stderr == ""


def test_csv_leaves_empty_what_is_unknown(store: str) -> None:
    result = cost(store, "--csv")

    rows = list(csv.DictReader(result.stdout.splitlines()))
    assert [(row["assistant"], row["usd"], row["unpriced_turns"]) for row in rows] == [
        ("asst_priced", "0.00125", "0"),
        ("asst_unpriced", "", "1"),
    ]


@pytest.mark.parametrize(
    ("period", "listed"),
    [
        (("--since", "7d"), ["asst_priced"]),
        (("--until", "1d"), ["asst_unpriced"]),
        (("--since", "30d", "--until", "4w"), ["asst_unpriced"]),
        (("--since", "2026-01-01", "--until", "2026-01-01"), []),
    ],
)
def test_days_bound_what_is_counted(store: str, period: tuple[str, ...], listed: list[str]) -> None:
    result = cost(store, "--json", *period)

    assert [json.loads(line)["assistant"] for line in result.stdout.splitlines()] == listed


def test_a_tenant_is_told_by_its_name_and_apart_from_others(store: str) -> None:
    own, other = cost(store, "--by", "tenant", "--json"), cost(store, "--tenant", "other", "--json")

    assert (json.loads(own.stdout)["tenant"], json.loads(own.stdout)["turns"]) == ("default", 3)
    assert json.loads(other.stdout)["assistant"] == "asst_other"


def test_where_nothing_was_spent_a_person_is_told_so(store: str) -> None:
    result = cost(store, "--tenant", "nobody")

    assert (result.exit_code, result.stdout, result.stderr) == (
        0,
        "",
        f"Store: {store.removeprefix('sqlite:///')}\nNo usage in this period.\n",
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--since", "yesterday"), "'yesterday' is not a day"),
        (("--until", "2026-13-01"), "7d or 4w"),
        (("--since", "1d", "--until", "2d"), "exchange --since and --until"),
        (("--since", "2999-01-01"), "exchange --since and --until"),
        (("--json", "--csv"), "use one of them"),
        (("--by", "day"), "'assistant'"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_says_what_helps(store: str, arguments: tuple[str, ...], said: str) -> None:
    result = cost(store, *arguments, environment={"COLUMNS": "200"})

    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    missing = tmp_path / "typo.db"

    result = cost(str(missing))

    assert "name another with --store" in str(result.exception)
    assert not missing.exists()

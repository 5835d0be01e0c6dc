"""`threadbridge cost`: tokens and cost by assistant, thread or model."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from threadbridge.costs.report import CostRow

_GroupBy = Literal["assistant", "thread", "model", "tenant"]
_HEADINGS = ("turns", "prompt", "of it cached", "answer", "of it reasoning", "unpriced turns", "cost")
#: The columns for a terminal in which the ids would leave no room for the others. --json and --csv have all of them.
_SHORT_HEADINGS = ("turns", "prompt", "answer", "cost")
_FULL_WIDTH = 120


def cost(
    by: Annotated[_GroupBy, typer.Option(help="Dimension to group by.")] = "assistant",
    since: Annotated[
        str | None, typer.Option(metavar="DAY", help="The first day: 2026-11-01, or 7d or 4w ago.", show_default="all")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="DAY", help="The last day, in the same format.", show_default="today")
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Tenant to report on; default: the configured one.")] = None,
    store: Annotated[str | None, typer.Option(metavar="URL", help="Store that holds the threads.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line instead of a table.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values instead of a table.")] = False,
) -> None:
    """Report the tokens used and, where the price is known, their cost in dollars.

    Reads the store, which a server may be using. Days are in UTC. An unknown cost is null in JSON and empty in CSV.
    """
    if as_json and as_csv:
        raise typer.BadParameter("--json and --csv exclude each other: use one of them")
    from threadbridge.costs.pricing import to_day_number
    from threadbridge.costs.report import build_cost_rows
    from threadbridge.ports import SpendScope
    from threadbridge.runtime.clock_and_ids import SystemClock
    from threadbridge.runtime.settings_loader import load_settings
    from threadbridge_adapters.cli.store_reader import print_store, read_store

    today = to_day_number(SystemClock().now())
    first, last = _parse_day_option(since, "--since", today), _parse_day_option(until, "--until", today)
    if first is not None and first > (today if last is None else last):
        raise typer.BadParameter("the first day is after the last; exchange --since and --until")
    settings = load_settings(store=store, tenant=tenant)
    spending = read_store(settings, lambda session: session.list_spending(SpendScope(by), since=first or 0, until=last))
    tallies = asyncio.run(spending)
    if by == "tenant":  # the total by tenant has no key in a tenant's own store
        tallies = [tally._replace(key=settings.tenant) for tally in tallies]
    rows = build_cost_rows(SpendScope(by), tallies)
    if as_json:
        import orjson

        for row in rows:
            typer.echo(orjson.dumps(row.to_json()))
        return
    if as_csv:
        _print_csv(rows, by)
        return
    print_store(settings)
    if rows:
        _print_table(rows, by)
    else:
        typer.echo("No usage in this period.", err=True)


def _parse_day_option(text: str | None, option: str, today: int) -> int | None:
    from threadbridge.costs.report import parse_day

    try:
        return None if text is None else parse_day(text, today=today)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def _print_csv(rows: Sequence[CostRow], by: str) -> None:
    import csv
    import sys

    from threadbridge.costs.report import build_total_report
    from threadbridge.ports import SpendTotals

    lines = csv.DictWriter(sys.stdout, [by, *build_total_report(SpendTotals())], lineterminator="\n")
    lines.writeheader()
    lines.writerows(row.to_json() for row in rows)


def _print_table(rows: Sequence[CostRow], by: str) -> None:
    from threadbridge.costs.report import CostRow, sum_cost_rows
    from threadbridge_adapters.cli.text_table import get_width, print_table

    totals = sum_cost_rows(rows)
    headings = _HEADINGS if get_width() >= _FULL_WIDTH else _SHORT_HEADINGS
    shown_rows = [*rows, CostRow(rows[0].scope, "all", totals)] if len(rows) > 1 else rows
    *cells, last = [(row.key or "-", *_select_cells(row, headings)) for row in shown_rows]
    if len(rows) > 1:
        print_table((by, *headings), cells, right_aligned=headings, total=last)
    else:
        print_table((by, *headings), [last], right_aligned=headings)
    if totals.unpriced:
        typer.echo(
            f"The cost of {totals.unpriced} of {totals.turns} turns is unknown: the service reported no usage, or "
            "their models had no price. Set `prices` or install threadbridge[cost] to price later turns.",
            err=True,
        )


def _select_cells(row: CostRow, headings: Sequence[str]) -> list[str]:
    from threadbridge.costs.report import format_cost

    totals = row.spent
    tokens = (totals.prompt_tokens, totals.cached_tokens, totals.completion_tokens, totals.reasoning_tokens)
    unpriced = f"{totals.unpriced:,}" if totals.unpriced else "-"
    cells = (f"{totals.turns:,}", *(f"{count:,}" for count in tokens), unpriced, format_cost(totals))
    return [cell for heading, cell in zip(_HEADINGS, cells, strict=True) if heading in headings]

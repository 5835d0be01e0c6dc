"""The table on stdout."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks._results import Row

_HEADINGS = ("what", "ours", "beside", "result", "bound", "")


def _format_number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _format_result(row: Row) -> str:
    match row.measure:
        case "ratio":
            return f"x {_format_number(row.result)}"
        case "difference":
            return f"+ {_format_number(row.result)} {row.unit}"
        case "value":
            return f"{_format_number(row.result)} {row.unit}"


def _format_cells(row: Row) -> tuple[str, ...]:
    other = f"{row.beside} {_format_number(row.other)} {row.unit}" if row.other is not None else row.beside
    bound = f"{'>=' if row.at_least else '<='} {_format_number(row.bound)}"
    return (
        row.name,
        f"{_format_number(row.ours)} {row.unit}",
        other,
        _format_result(row),
        bound,
        "holds" if row.holds else "BROKEN",
    )


def format_table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table, aligned."""
    cells = [_HEADINGS, *(_format_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEADINGS))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in cells
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])

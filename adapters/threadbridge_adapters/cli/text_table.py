"""Tables that fit the terminal: names and ids in the first column are whole, other columns wrap."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence


def get_width() -> int:
    """The columns of the terminal; 80 where there is none."""
    return shutil.get_terminal_size().columns


def print_table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right_aligned: Collection[str],
    total: Sequence[str] | None = None,
) -> None:
    """Print a table on stdout, as wide as the terminal. `total` is its last row."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for number, heading in enumerate(headings):
        table.add_column(
            heading,
            justify="right" if heading in right_aligned else "left",
            no_wrap=number == 0,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*row)
    if total is not None:
        table.add_section()
        table.add_row(*total)
    Console(width=get_width(), highlight=False, markup=False).print(table)

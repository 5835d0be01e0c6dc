"""Converts an archive: the table of target formats, and the output that appears only when it is complete."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from threadbridge_migrate.archive.reader import Archive
from threadbridge_migrate.conversion.html_pages import write_html
from threadbridge_migrate.conversion.item_files import write_chats, write_items
from threadbridge_migrate.conversion.markdown_pages import write_markdown
from threadbridge_migrate.conversion.table_files import write_parquet, write_sqlite
from threadbridge_migrate.errors import UsageError


class TargetFormat(NamedTuple):
    """A format: its name, what is written, and what writes it into an empty directory and counts the threads."""

    name: str
    description: str
    write: Callable[[Archive, Path], int]


FORMATS: Final[Sequence[TargetFormat]] = (
    TargetFormat(
        "sqlite", "`threads.db`, a table a kind of object, with texts and the whole objects as JSON", write_sqlite
    ),
    TargetFormat("parquet", "the same tables, a file each (extra `parquet`)", write_parquet),
    TargetFormat("markdown", "a page a thread, and `README.md` with a list", write_markdown),
    TargetFormat(
        "html", "pages to read in a browser, offline, with search; open `index.html` (extra `html`)", write_html
    ),
    TargetFormat("openai-items", "`items.jsonl`: of each thread the items that a Responses model is sent", write_items),
    TargetFormat(
        "chat-jsonl", "`chats.jsonl`: of each thread the messages of chat completions, as for training", write_chats
    ),
)


def convert(archive: Archive, format_name: str, out: Path) -> int:
    """Write the archive in a format to a new directory; the number of threads.

    The directory appears when it is complete. Raises UsageError for an unknown format, or if the directory has content.
    """
    target = next((each for each in FORMATS if each.name == format_name), None)
    if target is None:
        raise UsageError(f"--to takes {', '.join(each.name for each in FORMATS)}, not {format_name!r}.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} exists already; choose another --out, or remove it.")
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))  # private to the user
    try:
        count = target.write(archive, draft)
        if out.exists():
            out.rmdir()
        draft.rename(out)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return count

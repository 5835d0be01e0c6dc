"""Threads as Markdown: a page each, and a list of them."""

from __future__ import annotations

import re
from pathlib import Path

from threadbridge.api_types import JsonMapping
from threadbridge_migrate.archive.reader import Archive, open_private
from threadbridge_migrate.conversion.content_files import ContentFiles, choose_page_name
from threadbridge_migrate.conversion.message_texts import (
    Part,
    format_time,
    get_title,
    join_text,
    list_parts,
    list_tool_uses,
)
from threadbridge_migrate.load.thread_reader import ArchiveThread, read_threads

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|])")


def write_markdown(archive: Archive, out: Path) -> int:
    """`threads/ID.md` for each thread, `files/` with images, and `README.md`."""
    (out / "threads").mkdir(mode=0o700)
    files = ContentFiles(archive, out)
    count = 0
    with open_private(out / "README.md", "wb") as index:
        index.write(b"# Threads\n\n")
        for thread in read_threads(archive):
            name = choose_page_name(thread.id)
            title = get_title(
                thread.thread or {"id": thread.id}, join_text(thread.messages[0]) if thread.messages else ""
            )
            created = format_time((thread.thread or {}).get("created_at"))
            index.write(
                f"- [{_escape(title)}](threads/{name}.md), {created}, {len(thread.messages)} messages\n".encode()
            )
            with open_private(out / "threads" / f"{name}.md", "wb") as page:
                page.write(_build_page(thread, title, files).encode("utf-8", "replace"))
            count += 1
    return count


def _escape(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)


def _build_page(thread: ArchiveThread, title: str, files: ContentFiles) -> str:
    lines = [f"# {_escape(title)}", "", f"`{thread.id}`", ""]
    shown = set[object]()
    for message in thread.messages:
        run_id = message.get("run_id")
        if run_id and run_id not in shown:
            shown.add(run_id)
            lines += _build_steps([step for step in thread.steps if step.get("run_id") == run_id])
        lines += [f"## {message.get('role')}, {format_time(message.get('created_at'))}", ""]
        for part in list_parts(message, files.names):
            lines += [*_build_part(part, files), ""]
    lines += _build_steps([step for step in thread.steps if step.get("run_id") not in shown])
    return "\n".join(lines)


def _build_part(part: Part, files: ContentFiles) -> list[str]:
    if part.kind == "image":
        target = files.add(part.file_id) if part.file_id else part.url
        name = files.names.get(part.file_id or "", part.file_id or part.text)
        return [f"![{_escape(name)}](../{target})" if part.file_id and target else f"[image: {_escape(name)}]"]
    if part.kind == "unknown":
        return [_fence(part.text)]
    notes = [
        f"- [{source.number}] {_escape(source.name)}" + (f" <{source.url}>" if source.url else "")
        for source in part.sources
    ]
    return [part.text, "", *notes] if notes else [part.text]


def _build_steps(steps: list[JsonMapping]) -> list[str]:
    lines: list[str] = []
    for step in steps:
        for use in list_tool_uses(step):
            lines += [f"### {_escape(use.name)}", ""]
            lines += [_fence(text) + "\n" for text in (use.arguments, use.output) if text]
    return lines


def _fence(text: str) -> str:
    """A block of code with a fence that the text does not have."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"

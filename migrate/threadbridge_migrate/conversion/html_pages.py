"""Threads as pages for a browser: a list with search, and a page a thread. They need no network and no server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from threadbridge.api_types import JsonMapping, is_json_object
from threadbridge_migrate.archive.reader import Archive, Part, open_private
from threadbridge_migrate.conversion.content_files import ContentFiles, choose_page_name
from threadbridge_migrate.conversion.message_texts import (
    Part as MessagePart,
)
from threadbridge_migrate.conversion.message_texts import (
    ToolUse,
    format_time,
    get_title,
    join_text,
    list_parts,
    list_tool_uses,
)
from threadbridge_migrate.errors import UsageError
from threadbridge_migrate.load.thread_reader import ArchiveThread, read_threads

if TYPE_CHECKING:
    import jinja2

_TEMPLATES: Final = Path(__file__).parent / "html_templates"

#: Characters of a thread's text that the list is searched in.
_SEARCHED_CHARACTERS: Final = 400


class MessageBlock(NamedTuple):
    """A message on a page."""

    role: str
    time: str
    parts: Sequence[MessagePart]
    attachments: Sequence[str]


class RunBlock(NamedTuple):
    """What a run did, on a page: its status, model, error, and the calls of its steps."""

    id: str
    status: str
    model: str
    time: str
    error: str
    uses: Sequence[ToolUse]


def write_html(archive: Archive, out: Path) -> int:
    """`index.html`, `threads/ID.html`, `files/` with images, a style sheet and the search. Raises UsageError without
    jinja2.
    """
    environment = _load_templates()
    template = environment.get_template("thread.html")
    (out / "threads").mkdir(mode=0o700)
    files = ContentFiles(archive, out)
    assistants = {str(each["id"]): str(each.get("name") or each["id"]) for each in archive.read_part(Part.ASSISTANTS)}
    for name in ("style.css", "search.js"):
        with open_private(out / name, "wb") as copy:
            copy.write((_TEMPLATES / name).read_bytes())
    count = 0
    with open_private(out / "threads.js", "wb") as rows:
        rows.write(b"window.THREADS = [\n")
        for thread in read_threads(archive):
            name, row = choose_page_name(thread.id), _build_row(thread)
            page = template.render(
                thread=thread.thread or {"id": thread.id},
                title=row["title"],
                created=row["created"],
                blocks=_build_blocks(thread, files, assistants),
                add_file=files.add,
                file_names=files.names,
            )
            with open_private(out / "threads" / f"{name}.html", "wb") as file:
                file.write(page.encode("utf-8", "replace"))
            rows.write(orjson.dumps({**row, "page": f"threads/{name}.html"}) + b",\n")
            count += 1
        rows.write(b"];\n")
    manifest = archive.manifest
    with open_private(out / "index.html", "wb") as file:
        index = environment.get_template("index.html").render(
            count=count, source=manifest.source, updated=format_time(manifest.updated_at)
        )
        file.write(index.encode("utf-8", "replace"))
    return count


def _load_templates() -> jinja2.Environment:
    try:
        import jinja2
    except ImportError:
        raise UsageError("HTML pages need jinja2: pip install 'threadbridge[html]'.") from None
    loader = jinja2.FileSystemLoader(_TEMPLATES)
    return jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)


def _build_row(thread: ArchiveThread) -> dict[str, Any]:
    texts = [join_text(message) for message in thread.messages[:10]]
    first = next((text for text in texts if text), "")
    return {
        "id": thread.id,
        "title": get_title(thread.thread or {"id": thread.id}, first),
        "created": format_time((thread.thread or {}).get("created_at")),
        "messages": len(thread.messages),
        "text": " ".join(" ".join(texts).split())[:_SEARCHED_CHARACTERS],
    }


def _build_blocks(
    thread: ArchiveThread, files: ContentFiles, assistants: Mapping[str, str]
) -> list[MessageBlock | RunBlock]:
    """Messages and runs in order: a run stands before the first message that it wrote, or where it was created."""
    runs = {str(run.get("id")): run for run in thread.runs}
    first_messages = {str(message.get("run_id")): number for number, message in reversed([*enumerate(thread.messages)])}
    blocks: list[MessageBlock | RunBlock] = []
    waiting = [run for run_id, run in runs.items() if run_id not in first_messages]
    for number, message in enumerate(thread.messages):
        while waiting and _get_time(waiting[0]) < _get_time(message):
            blocks.append(_build_run(waiting.pop(0), thread.steps))
        run_id = str(message.get("run_id"))
        if message.get("run_id") and first_messages[run_id] == number:
            blocks.append(_build_run(runs.get(run_id, {"id": run_id}), thread.steps))
        assistant_id = message.get("assistant_id")
        role = str(message.get("role"))
        if role == "assistant" and isinstance(assistant_id, str):
            role = assistants.get(assistant_id, role)
        attachments = [
            files.names.get(str(each.get("file_id")), str(each.get("file_id")))
            for each in message.get("attachments") or ()
        ]
        parts = list_parts(message, files.names)
        blocks.append(MessageBlock(role, format_time(message.get("created_at")), parts, attachments))
    return [*blocks, *(_build_run(run, thread.steps) for run in waiting)]


def _get_time(body: JsonMapping) -> float:
    created_at = body.get("created_at")
    return created_at if isinstance(created_at, int | float) else 0


def _build_run(run: JsonMapping, steps: Sequence[JsonMapping]) -> RunBlock:
    error: object = run.get("last_error")
    uses = [use for step in steps if step.get("run_id") == run.get("id") for use in list_tool_uses(step)]
    return RunBlock(
        str(run.get("id")),
        str(run.get("status") or ""),
        str(run.get("model") or ""),
        format_time(run.get("created_at")),
        str(error.get("message") or "") if is_json_object(error) else "",
        uses,
    )

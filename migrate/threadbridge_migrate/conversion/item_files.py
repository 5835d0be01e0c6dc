"""Threads as the models are sent them: items of the Responses API, and messages of chat completions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, cast

import orjson

from threadbridge.api_types import InputItem, JsonMapping, JsonObject, RunObject, is_json_list, is_json_object
from threadbridge.translation.input_items import build_input_items
from threadbridge_migrate.archive.reader import Archive, open_private
from threadbridge_migrate.load.thread_reader import ArchiveThread, read_threads
from threadbridge_migrate.load.timeline import build_timeline

#: A run that wrote nothing: items that only their own run sends to the model are left out.
_NO_RUN: Final = cast("RunObject", {"id": ""})


def write_items(archive: Archive, out: Path) -> int:
    """`items.jsonl`: a line a thread with its id, metadata and items."""

    def build(thread: ArchiveThread) -> JsonObject:
        metadata: JsonObject = (thread.thread or {}).get("metadata") or {}
        return {"thread_id": thread.id, "metadata": metadata, "items": _build_items(thread)}

    return _write_lines(archive, out / "items.jsonl", build)


def write_chats(archive: Archive, out: Path) -> int:
    """`chats.jsonl`: a line a thread with its messages; calls and their outputs are messages too."""
    return _write_lines(
        archive, out / "chats.jsonl", lambda thread: {"messages": list(_build_chat(_build_items(thread)))}
    )


def _write_lines(archive: Archive, file: Path, build: Callable[[ArchiveThread], JsonObject]) -> int:
    count = 0
    with open_private(file, "wb") as lines:
        for thread in read_threads(archive):
            lines.write(orjson.dumps(build(thread)) + b"\n")
            count += 1
    return count


def _build_items(thread: ArchiveThread) -> list[InputItem]:
    messages = [message for message in thread.messages if message.get("id")]
    runs = [run for run in thread.runs if run.get("id")]
    entries = build_timeline(messages, runs, thread.steps)
    return build_input_items(_NO_RUN, entries) if entries else []


def _build_chat(items: Iterable[InputItem]) -> Iterable[JsonObject]:
    calls: list[JsonObject] = []
    for item in items:
        body: JsonMapping = item
        if body["type"] == "function_call":
            function = {"name": body["name"], "arguments": body["arguments"]}
            calls.append({"id": body["call_id"], "type": "function", "function": function})
            continue
        if calls:
            yield {"role": "assistant", "content": None, "tool_calls": calls}
            calls = []
        if body["type"] == "function_call_output":
            yield {"role": "tool", "tool_call_id": body["call_id"], "content": body["output"]}
        elif body["type"] == "message":
            yield {"role": body["role"], "content": _join_content(body["content"])}
    if calls:
        yield {"role": "assistant", "content": None, "tool_calls": calls}


def _join_content(content: object) -> object:
    """A text, or, with images, parts of chat completions."""
    if not is_json_list(content):
        return content
    parts: list[JsonObject] = []
    for part in content:
        if not is_json_object(part):
            continue
        if part.get("type") == "input_image":
            url = part.get("image_url") or f"file:{part.get('file_id')}"
            parts.append({"type": "image_url", "image_url": {"url": url}})
        else:
            parts.append({"type": "text", "text": part.get("text") or part.get("refusal") or ""})
    if all(part["type"] == "text" for part in parts):
        return "\n\n".join(part["text"] for part in parts)
    return parts

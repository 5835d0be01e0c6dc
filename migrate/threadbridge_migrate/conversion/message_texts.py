"""Messages and steps as people read them: texts with numbered sources, images, and the calls of tools."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import orjson

from threadbridge.api_types import JsonMapping, is_json_list, is_json_object

_WEB_URL = re.compile(r"https?://[^\s]+", re.IGNORECASE)


class Source(NamedTuple):
    """What a text cites: a file by its id, or a page by its URL."""

    number: int
    name: str
    file_id: str | None = None
    url: str | None = None
    quote: str | None = None


class Part(NamedTuple):
    """A part of a message: a text with its sources, an image by file id or URL, or a refusal."""

    kind: str
    text: str = ""
    sources: Sequence[Source] = ()
    file_id: str | None = None
    url: str | None = None


class ToolUse(NamedTuple):
    """A call of a tool: its name, its input, and what it returned."""

    kind: str
    name: str
    arguments: str
    output: str
    image_ids: Sequence[str] = ()


def list_parts(message: JsonMapping, file_names: Mapping[str, str]) -> list[Part]:
    """The parts of a message; what has no known form is shown as JSON."""
    content: object = message.get("content")
    if isinstance(content, str):
        return [Part("text", content)]
    return [_build_part(part, file_names) for part in content if is_json_object(part)] if is_json_list(content) else []


def _build_part(part: JsonMapping, file_names: Mapping[str, str]) -> Part:
    kind = part.get("type")
    value: object = part.get(kind) if isinstance(kind, str) else None
    if kind == "text" and is_json_object(value):
        text = value.get("value")
        return _replace_markers(text if isinstance(text, str) else "", value.get("annotations"), file_names)
    if kind in ("text", "refusal") and isinstance(value, str):
        return Part(str(kind), value)
    if kind == "image_file" and is_json_object(value):
        return Part("image", file_id=_get_text(value, "file_id"))
    if kind == "image_url" and is_json_object(value):
        url = _get_text(value, "url")
        return Part("image", text=url or "", url=url if url and is_web_url(url) else None)
    return Part("unknown", _to_text(part))


def _replace_markers(text: str, annotations: object, file_names: Mapping[str, str]) -> Part:
    """The text with [1], [2], … where its annotations have markers, and their sources."""
    sources: list[Source] = []
    for annotation in annotations if is_json_list(annotations) else ():
        if not is_json_object(annotation):
            continue
        details: object = annotation.get(str(annotation.get("type")))
        details = details if is_json_object(details) else annotation
        file_id, url = _get_text(details, "file_id"), _get_text(details, "url")
        name = _get_text(details, "title") or (file_names.get(file_id, file_id) if file_id else None) or url or "?"
        number = len(sources) + 1
        web = url if url and is_web_url(url) else None
        sources.append(Source(number, name, file_id, web, _get_text(details, "quote")))
        marker = annotation.get("text")
        if isinstance(marker, str) and marker:
            text = text.replace(marker, f" [{number}]", 1)
    return Part("text", text, sources)


def list_tool_uses(step: JsonMapping) -> Iterator[ToolUse]:
    """The calls of tools of a step."""
    details: object = step.get("step_details")
    calls: object = details.get("tool_calls") if is_json_object(details) else None
    for call in calls if is_json_list(calls) else ():
        if not is_json_object(call):
            continue
        kind = str(call.get("type"))
        value: object = call.get(kind)
        body: JsonMapping = value if is_json_object(value) else {}
        if kind == "function":
            name = _get_text(body, "name") or "?"
            yield ToolUse(kind, name, _to_text(body.get("arguments")), _to_text(body.get("output")))
        elif kind == "code_interpreter":
            outputs: object = body.get("outputs")
            listed = [each for each in outputs if is_json_object(each)] if is_json_list(outputs) else []
            logs = "\n".join(_to_text(each.get("logs")) for each in listed if each.get("type") == "logs")
            images = [each.get("image") for each in listed if each.get("type") == "image"]
            ids = [file_id for image in images if is_json_object(image) and (file_id := _get_text(image, "file_id"))]
            yield ToolUse(kind, "code_interpreter", _to_text(body.get("input")), logs, ids)
        else:
            results: object = body.get("results")
            yield ToolUse(kind, kind, "", _format_results(results) if is_json_list(results) else _to_text(body or None))


def _format_results(results: Sequence[object]) -> str:
    lines: list[str] = []
    for result in results:
        if is_json_object(result):
            lines.append(f"{result.get('file_name') or result.get('file_id')} (score {result.get('score')})")
            content: object = result.get("content")
            texts = [each.get("text") for each in content if is_json_object(each)] if is_json_list(content) else []
            lines += [f"    {text}" for text in texts if isinstance(text, str)]
    return "\n".join(lines)


def is_web_url(url: str) -> bool:
    """Whether a URL can be a link: no scheme but those of the web."""
    return _WEB_URL.fullmatch(url) is not None


def get_title(thread: JsonMapping, first_text: str) -> str:
    """The title of a thread: of its metadata, else the beginning of its first message, else its id."""
    metadata: object = thread.get("metadata")
    named = _get_text(metadata, "title", "name") if is_json_object(metadata) else None
    text = " ".join((named or first_text).split())
    return (text[:80] + "…" if len(text) > 80 else text) or str(thread.get("id"))


def format_time(value: object) -> str:
    """A time of the API in UTC; empty for none."""
    if not isinstance(value, int | float) or not 0 <= value < 1 << 38:
        return ""
    return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M:%S")


def join_text(message: JsonMapping) -> str:
    """The text of a message without markers and sources."""
    return "\n\n".join(part.text for part in list_parts(message, {}) if part.kind in ("text", "refusal"))


def _get_text(body: JsonMapping, *names: str) -> str | None:
    return next((value for name in names if isinstance(value := body.get(name), str) and value), None)


def _to_text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()

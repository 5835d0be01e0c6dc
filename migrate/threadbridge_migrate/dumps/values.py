"""Values of dumps in the form of the API: times, roles, contents of messages, ids."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import orjson

from threadbridge.api_types import JsonMapping, JsonObject, is_json_list, is_json_object

#: The latest time that is taken as seconds; larger numbers are milli- or microseconds.
_MAX_SECONDS: Final = 100_000_000_000

_ROLES: Final = {
    "user": "user user_message human customer client visitor me question end_user enduser member prompt",
    "assistant": "assistant bot ai agent gpt chatgpt model answer response completion assistant_message chatbot",
}
_ROLE_BY_WORD: Final = {word: role for role, words in _ROLES.items() for word in words.split()}

_ID_PREFIXES: Final = {"thread": "thread_", "message": "msg_", "run": "run_", "step": "step_"}
_THREAD_ID: Final = re.compile(r"thread_[A-Za-z0-9_-]+")


def parse_time(value: object) -> int | None:
    """Unix seconds of a time in seconds, milli- or microseconds, or of an ISO 8601 or RFC 2822 text; else None."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        number = float(value)
        while abs(number) > _MAX_SECONDS:
            number /= 1000
        return int(number) if math.isfinite(number) and number >= 0 else None
    if not isinstance(value, str) or not value.strip():
        return None
    text = value.strip()
    try:
        return parse_time(float(text))
    except (ValueError, OverflowError):
        pass
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = parse(text.removesuffix(" UTC"))
        except (ValueError, OverflowError, TypeError, IndexError):
            continue
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        return int(seconds) if seconds >= 0 else None
    return None


def parse_role(value: object) -> str | None:
    """`user` or `assistant`; None for any other word."""
    if not isinstance(value, str):
        return None
    return _ROLE_BY_WORD.get(value.strip().lower().rpartition(".")[2])


def derive_id(kind: str, *source: object) -> str:
    """An id that is the same whenever it is derived from the same values."""
    digest = hashlib.sha256(orjson.dumps([str(each) for each in source])).digest()
    letters = base64.b64encode(digest, altchars=b"Xx").decode()
    return _ID_PREFIXES[kind] + letters[:24]


def choose_thread_id(value: object) -> tuple[str, bool]:
    """The thread id for a value of a dump, and whether it was derived: only ids of threads can be ids of the API."""
    if isinstance(value, str) and _THREAD_ID.fullmatch(value):
        return value, False
    return derive_id("thread", value), True


def build_content(value: object) -> list[JsonObject] | None:
    """The content parts for a text, parts of either API, or JSON of them; None if there is nothing to show."""
    if isinstance(value, str):
        parsed = _parse_parts(value)
        return [build_text(value)] if parsed is None else parsed
    if is_json_object(value):
        part = _build_part(value)
        return None if part is None else [part]
    if is_json_list(value):
        parts = [_build_part(each) if is_json_object(each) else build_text(str(each)) for each in value if each]
        return [part for part in parts if part is not None] or None
    return None if value is None else [build_text(str(value))]


def build_text(text: str) -> JsonObject:
    """A text part."""
    return {"type": "text", "text": {"value": text, "annotations": []}}


def _parse_parts(text: str) -> list[JsonObject] | None:
    """The parts in a JSON text that has a type or a text, as columns of databases do; None for any other text."""
    if not text.lstrip().startswith(("[{", "{")):
        return None
    try:
        value: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    first: object = value[0] if is_json_list(value) and value else value
    if not is_json_object(first) or not ({"type", "text"} & first.keys()) or first.keys() - _PART_KEYS:
        return None
    return build_content(value)


_PART_KEYS: Final = frozenset(
    {"type", "text", "value", "annotations", "image_file", "image_url", "refusal", "logprobs", "detail", "file_id"}
)


def _build_part(part: JsonMapping) -> JsonObject | None:
    """A part of the Assistants API, of the Responses API or of chat completions, in the form of the first."""
    kind, text = part.get("type"), part.get("text", part.get("value"))
    if kind in ("image_file", "refusal") and part.get(str(kind)) is not None:
        return {**part}
    if kind in ("image_url", "input_image"):
        url = part.get("image_url")
        if url is not None:
            return {"type": "image_url", "image_url": {**url} if is_json_object(url) else {"url": url}}
        file_id = part.get("file_id")
        return None if file_id is None else {"type": "image_file", "image_file": {"file_id": file_id}}
    if is_json_object(text):
        if "value" not in text:
            return None
        return {"type": "text", "text": {**text, "annotations": text.get("annotations") or []}}
    return build_text(text) if isinstance(text, str) else None

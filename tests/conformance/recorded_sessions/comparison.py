"""Compares two responses and lists every difference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from threadbridge.api_types import is_json_list, is_json_object

JSONPath = tuple[str | int, ...]


class Mismatch(NamedTuple):
    """One difference. `kind`: `missing` and `extra` keys or events, `order` of keys, `type`, `value`, `length`.

    `object_type` is the `object` of the enclosing object (`thread.run`).
    """

    kind: str
    path: JSONPath
    recorded: Any
    ours: Any
    object_type: str = ""

    def __str__(self) -> str:
        where = ".".join(str(part) for part in self.path) or "the answer"
        return f"{self.kind} at {where}: recorded {_abbreviate(self.recorded)}, ours {_abbreviate(self.ours)}"


def compare(recorded: Any, ours: Any, path: JSONPath = (), object_type: str = "") -> Iterator[Mismatch]:
    """Every difference of two JSON values. Times are compared as present or absent, deadlines as durations."""
    if is_json_object(recorded) and is_json_object(ours):
        yield from _compare_objects(recorded, ours, path, str(recorded.get("object") or object_type))
    elif is_json_list(recorded) and is_json_list(ours):
        yield from _compare_lists(recorded, ours, path, object_type)
    elif type(recorded) is not type(ours):
        yield Mismatch("type", path, recorded, ours, object_type)
    elif recorded != ours and not _is_time(path):
        yield Mismatch("value", path, recorded, ours, object_type)


def _compare_objects(
    recorded: Mapping[str, Any], ours: Mapping[str, Any], path: JSONPath, object_type: str
) -> Iterator[Mismatch]:
    for name in recorded.keys() - ours.keys():
        yield Mismatch("missing", (*path, name), recorded[name], None, object_type)
    for name in ours.keys() - recorded.keys():
        yield Mismatch("extra", (*path, name), None, ours[name], object_type)
    shared = [name for name in recorded if name in ours]
    ours_shared = [name for name in ours if name in recorded]
    if shared != ours_shared and not _is_free_form(path):
        yield Mismatch("order", path, shared, ours_shared, object_type)
    for name in shared:
        yield from compare(recorded[name], ours[name], (*path, name), object_type)
    if isinstance(recorded.get("expires_at"), int) and isinstance(ours.get("expires_at"), int):
        lives = [body["expires_at"] - body["created_at"] for body in (recorded, ours) if "created_at" in body]
        if object_type == "thread.run" and len(set(lives)) > 1:
            yield Mismatch("value", (*path, "expires_at"), lives[0], lives[1], object_type)


def _compare_lists(
    recorded: Sequence[Any], ours: Sequence[Any], path: JSONPath, object_type: str
) -> Iterator[Mismatch]:
    if len(recorded) != len(ours):
        yield Mismatch("length", path, len(recorded), len(ours), object_type)
    for index, (one, other) in enumerate(zip(recorded, ours, strict=False)):
        yield from compare(one, other, (*path, index), object_type)


def compare_events(recorded: Sequence[tuple[str, Any]], ours: Sequence[tuple[str, Any]]) -> Iterator[Mismatch]:
    """Every difference of two streams: missing and extra events, then differences in the data of the others."""
    matcher = SequenceMatcher(None, [name for name, _ in recorded], [name for name, _ in ours], autojunk=False)
    for tag, first, last, our_first, our_last in matcher.get_opcodes():
        if tag == "equal":
            for offset in range(last - first):
                name, data = recorded[first + offset]
                yield from compare(data, ours[our_first + offset][1], (first + offset, name))
            continue
        for at in range(first, last):
            yield Mismatch("missing", (at, recorded[at][0]), recorded[at][1], None, "stream")
        for at in range(our_first, our_last):
            yield Mismatch("extra", (at, ours[at][0]), None, ours[at][1], "stream")


def _is_time(path: JSONPath) -> bool:
    return bool(path) and str(path[-1]).endswith("_at")


def _is_free_form(path: JSONPath) -> bool:
    """Whether the caller chose the keys, so that their order is irrelevant."""
    return "metadata" in path or "parameters" in path or "schema" in path


def _abbreviate(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _MAX_LENGTH else f"{text[:_MAX_LENGTH]}…"


_MAX_LENGTH = 160

"""Two answers, place by place: everything in which ours is not the recorded one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, NamedTuple

Place = tuple[str | int, ...]


class Mismatch(NamedTuple):
    """One difference. `kind`: `missing` and `extra` keys or events, `order` of keys, `type`, `value`, `length`.

    `owner` is what the object around the place calls itself (`thread.run`).
    """

    kind: str
    place: Place
    recorded: Any
    ours: Any
    owner: str = ""

    def __str__(self) -> str:
        where = ".".join(str(part) for part in self.place) or "the answer"
        return f"{self.kind} at {where}: recorded {_short(self.recorded)}, ours {_short(self.ours)}"


def compared(recorded: Any, ours: Any, place: Place = (), owner: str = "") -> Iterator[Mismatch]:
    """Every difference of two JSON values. Times are compared as there or not there, deadlines as distances."""
    match recorded, ours:
        case dict(), dict():
            yield from _objects(recorded, ours, place, str(recorded.get("object") or owner))
        case list(), list():
            yield from _lists(recorded, ours, place, owner)
        case _ if type(recorded) is not type(ours):
            yield Mismatch("type", place, recorded, ours, owner)
        case _ if recorded != ours and not _is_time(place):
            yield Mismatch("value", place, recorded, ours, owner)
        case _:
            pass


def _objects(recorded: Mapping[str, Any], ours: Mapping[str, Any], place: Place, owner: str) -> Iterator[Mismatch]:
    for name in recorded.keys() - ours.keys():
        yield Mismatch("missing", (*place, name), recorded[name], None, owner)
    for name in ours.keys() - recorded.keys():
        yield Mismatch("extra", (*place, name), None, ours[name], owner)
    shared = [name for name in recorded if name in ours]
    ours_shared = [name for name in ours if name in recorded]
    if shared != ours_shared and not _is_free_form(place):
        yield Mismatch("order", place, shared, ours_shared, owner)
    for name in shared:
        yield from compared(recorded[name], ours[name], (*place, name), owner)
    if isinstance(recorded.get("expires_at"), int) and isinstance(ours.get("expires_at"), int):
        lives = [body["expires_at"] - body["created_at"] for body in (recorded, ours) if "created_at" in body]
        if owner == "thread.run" and len(set(lives)) > 1:
            yield Mismatch("value", (*place, "expires_at"), lives[0], lives[1], owner)


def _lists(recorded: Sequence[Any], ours: Sequence[Any], place: Place, owner: str) -> Iterator[Mismatch]:
    if len(recorded) != len(ours):
        yield Mismatch("length", place, len(recorded), len(ours), owner)
    for at, (one, other) in enumerate(zip(recorded, ours, strict=False)):
        yield from compared(one, other, (*place, at), owner)


def compared_events(recorded: Sequence[tuple[str, Any]], ours: Sequence[tuple[str, Any]]) -> Iterator[Mismatch]:
    """Every difference of two streams: events that are missing or too many, and then the data of the others."""
    matcher = SequenceMatcher(None, [name for name, _ in recorded], [name for name, _ in ours], autojunk=False)
    for tag, first, last, our_first, our_last in matcher.get_opcodes():
        if tag == "equal":
            for offset in range(last - first):
                name, data = recorded[first + offset]
                yield from compared(data, ours[our_first + offset][1], (first + offset, name))
            continue
        for at in range(first, last):
            yield Mismatch("missing", (at, recorded[at][0]), recorded[at][1], None, "stream")
        for at in range(our_first, our_last):
            yield Mismatch("extra", (at, ours[at][0]), None, ours[at][1], "stream")


def _is_time(place: Place) -> bool:
    return bool(place) and str(place[-1]).endswith("_at")


def _is_free_form(place: Place) -> bool:
    """Whether the caller chose the keys, whose order means nothing."""
    return "metadata" in place or "parameters" in place or "schema" in place


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= _SHOWN_LENGTH else f"{shown[:_SHOWN_LENGTH]}…"


_SHOWN_LENGTH = 160

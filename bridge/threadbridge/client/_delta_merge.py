"""Deltas onto snapshots: text is appended, numbers are added, lists grow by index (A98a).

A snapshot is one object that grows; what it was before a delta is not kept.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any

from pydantic import TypeAdapter

from threadbridge.types import WireModel

#: Repeated in every piece, to say which entry it belongs to.
_LABELS = frozenset({"index", "type"})


def grow(snapshot: WireModel, delta: WireModel) -> None:
    """Add a delta to a snapshot."""
    for name in delta.model_fields_set:
        setattr(snapshot, name, _grown(snapshot, name, getattr(delta, name)))


def _grown(snapshot: WireModel, name: str, piece: Any) -> Any:
    have = getattr(snapshot, name, None)
    if piece is None:
        return have
    if have is None or name in _LABELS:
        return _adopted(type(snapshot), name, piece)
    if isinstance(have, WireModel) and isinstance(piece, WireModel):
        grow(have, piece)
        return have
    if isinstance(have, list) and isinstance(piece, list):
        for entry in piece:
            _place(snapshot, name, have, entry)
        return have
    return _merged(have, piece)


def _place(snapshot: WireModel, name: str, entries: list[Any], piece: Any) -> None:
    index = getattr(piece, "index", None)
    if isinstance(index, int) and index < len(entries):
        grow(entries[index], piece)
    else:
        entries.extend(_adopted(type(snapshot), name, [piece]))


def _merged(have: Any, piece: Any) -> Any:
    """Plain values, as found in types that nobody here has heard of."""
    match have, piece:
        case str(), str():
            return have + piece
        case bool(), _:
            return piece
        case int() | float(), int() | float():
            return have + piece
        case dict(), dict():
            labels = {key: piece[key] for key in piece if key in _LABELS or key not in have}
            return {**have, **{key: _merged(have[key], piece[key]) for key in piece if key in have}, **labels}
        case _:
            return piece


def _adopted(owner: type[WireModel], name: str, piece: Any) -> Any:
    """A first piece as the owner's field holds it: of the snapshot's class, not of the delta's."""
    if name not in owner.model_fields:
        return piece
    return _field(owner, name).validate_python(_wire(piece))


def _wire(piece: Any) -> Any:
    if isinstance(piece, WireModel):
        return piece.model_dump(exclude_unset=True)
    return [_wire(entry) for entry in piece] if isinstance(piece, list) else piece


@lru_cache(maxsize=256)
def _field(owner: type[WireModel], name: str) -> TypeAdapter[Any]:
    field = owner.model_fields[name]
    shape: Any = Annotated[field.annotation, field]
    return TypeAdapter(shape)

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


def merge_delta(snapshot: WireModel, delta: WireModel) -> None:
    """Add a delta to a snapshot."""
    for name in delta.model_fields_set:
        setattr(snapshot, name, _merge_field(snapshot, name, getattr(delta, name)))


def _merge_field(snapshot: WireModel, name: str, piece: Any) -> Any:
    current = getattr(snapshot, name, None)
    if piece is None:
        return current
    if current is None or name in _LABELS:
        return _validate_field_value(type(snapshot), name, piece)
    if isinstance(current, WireModel) and isinstance(piece, WireModel):
        merge_delta(current, piece)
        return current
    if isinstance(current, list) and isinstance(piece, list):
        for entry in piece:
            _merge_list_entry(snapshot, name, current, entry)
        return current
    return _merge_plain_values(current, piece)


def _merge_list_entry(snapshot: WireModel, name: str, entries: list[Any], piece: Any) -> None:
    index = getattr(piece, "index", None)
    if isinstance(index, int) and index < len(entries):
        merge_delta(entries[index], piece)
    else:
        entries.extend(_validate_field_value(type(snapshot), name, [piece]))


def _merge_plain_values(current: Any, piece: Any) -> Any:
    """Plain values, as found in types that nobody here has heard of."""
    match current, piece:
        case str(), str():
            return current + piece
        case bool(), _:
            return piece
        case int() | float(), int() | float():
            return current + piece
        case dict(), dict():
            labels = {key: piece[key] for key in piece if key in _LABELS or key not in current}
            return {
                **current,
                **{key: _merge_plain_values(current[key], piece[key]) for key in piece if key in current},
                **labels,
            }
        case _:
            return piece


def _validate_field_value(owner: type[WireModel], name: str, piece: Any) -> Any:
    """A first piece as the owner's field holds it: of the snapshot's class, not of the delta's."""
    if name not in owner.model_fields:
        return piece
    return _get_field_adapter(owner, name).validate_python(_dump_models(piece))


def _dump_models(piece: Any) -> Any:
    if isinstance(piece, WireModel):
        return piece.model_dump(exclude_unset=True)
    return [_dump_models(entry) for entry in piece] if isinstance(piece, list) else piece


@lru_cache(maxsize=256)
def _get_field_adapter(owner: type[WireModel], name: str) -> TypeAdapter[Any]:
    field = owner.model_fields[name]
    shape: Any = Annotated[field.annotation, field]
    return TypeAdapter(shape)

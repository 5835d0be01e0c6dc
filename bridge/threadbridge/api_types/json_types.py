"""JSON whose shape nobody can state: the arguments of a function, a JSON Schema, a body that was not validated yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from typing_extensions import TypeIs

#: Any JSON value.
JsonValue: TypeAlias = Any
#: A JSON object of unknown shape, as parsed: keys in wire order. Never mutated once handed over.
JsonObject: TypeAlias = dict[str, JsonValue]
#: A JSON object that is only read. Every TypedDict of this package can be passed where it is wanted; a dict can too.
JsonMapping: TypeAlias = Mapping[str, JsonValue]


def is_json_object(value: object) -> TypeIs[JsonObject]:
    """Whether a parsed value is an object. Unlike `isinstance`, it leaves no keys of unknown type."""
    return isinstance(value, dict)


def is_json_list(value: object) -> TypeIs[list[JsonValue]]:
    """Whether a parsed value is a list. Unlike `isinstance`, it leaves no items of unknown type."""
    return isinstance(value, list)

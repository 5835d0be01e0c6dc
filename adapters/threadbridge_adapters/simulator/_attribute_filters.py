"""Filters over the attributes of a vector store's files: comparisons, joined by `and` and `or`."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from threadbridge.ports import Wire
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator import _validators as checks

_ORDER: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
_COMPARISONS: Final = ("eq", "ne", *_ORDER, "in", "nin")
_COMPOUNDS: Final = ("and", "or")
ATTRIBUTES: Final = 16


def check_filter(path: str, value: Any) -> None:
    """One filter, with those inside."""
    kind = checks.mapping(path, value).get("type")
    if kind is None:
        raise errors.missing(f"{path}.type")
    if kind in _COMPOUNDS:
        checks.members(path, value, {"type": checks.string(), "filters": _check_filters}, required=("filters",))
        return
    checks.one_of(*_COMPARISONS, *_COMPOUNDS)(f"{path}.type", kind)
    allowed = {"type": checks.string(), "key": checks.string(), "value": _check_value}
    checks.members(path, value, allowed, required=("key", "value"))
    if isinstance(value["value"], list) != (kind in ("in", "nin")):
        expected = "an array" if kind in ("in", "nin") else "one of a string, number or boolean"
        raise errors.wrong_type(f"{path}.value", expected, value["value"])


def matches(filters: Wire | None, attributes: Wire) -> bool:
    """Whether a file with these attributes is meant."""
    if filters is None:
        return True
    kind = filters["type"]
    if kind in _COMPOUNDS:
        inner = [matches(each, attributes) for each in filters["filters"]]
        return all(inner) if kind == "and" else any(inner)
    wanted: Any = filters["value"]
    has: Any = attributes.get(filters["key"])
    match kind:
        case "eq":
            return bool(has == wanted)
        case "ne":
            return bool(has != wanted)
        case "in":
            return has in wanted
        case "nin":
            return has not in wanted
        case _:
            return _comparable(has, wanted) and _ORDER[kind](has, wanted)


def check_attributes(path: str, value: Any) -> None:
    """At most 16 pairs; values are strings up to 512 characters, numbers or booleans."""
    pairs = checks.mapping(path, value)
    if len(pairs) > ATTRIBUTES:
        raise errors.too_many_properties(path, len(pairs), ATTRIBUTES)
    for key, held in pairs.items():
        if len(key) > checks.METADATA_KEY_LENGTH:
            raise errors.property_name_too_long(path, key, checks.METADATA_KEY_LENGTH)
        if isinstance(held, str):
            checks.string(longest=checks.METADATA_VALUE_LENGTH)(f"{path}.{key}", held)
        elif not isinstance(held, bool | int | float):
            raise errors.wrong_type(f"{path}.{key}", "one of a string, number or boolean", held)


def _check_filters(path: str, value: Any) -> None:
    for index, each in enumerate(checks.array(path, value)):
        check_filter(f"{path}[{index}]", each)


def _check_value(path: str, value: Any) -> None:
    for each in value if isinstance(value, list) else [value]:
        if not isinstance(each, str | bool | int | float):
            raise errors.wrong_type(path, "one of a string, number or boolean", each)


def _comparable(has: object, wanted: object) -> bool:
    numbers = (int, float)
    return (isinstance(has, numbers) and isinstance(wanted, numbers)) or (
        isinstance(has, str) and isinstance(wanted, str)
    )

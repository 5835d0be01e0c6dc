"""Filters over the attributes of a vector store's files: comparisons, joined by `and` and `or`."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from threadbridge.ports import Wire
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator import _validators as validators

_ORDER_OPERATORS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
_COMPARISONS: Final = ("eq", "ne", *_ORDER_OPERATORS, "in", "nin")
_COMPOUNDS: Final = ("and", "or")
MAX_ATTRIBUTES: Final = 16


def check_filter(path: str, value: Any) -> None:
    """Check one filter and the filters nested in it."""
    kind = validators.require_object(path, value).get("type")
    if kind is None:
        raise errors.missing_parameter(f"{path}.type")
    if kind in _COMPOUNDS:
        validators.check_members(
            path, value, {"type": validators.string(), "filters": _check_filters}, required=("filters",)
        )
        return
    validators.one_of(*_COMPARISONS, *_COMPOUNDS)(f"{path}.type", kind)
    allowed = {"type": validators.string(), "key": validators.string(), "value": _check_value}
    validators.check_members(path, value, allowed, required=("key", "value"))
    if isinstance(value["value"], list) != (kind in ("in", "nin")):
        expected = "an array" if kind in ("in", "nin") else "one of a string, number or boolean"
        raise errors.invalid_type(f"{path}.value", expected, value["value"])


def matches_filter(filters: Wire | None, attributes: Wire) -> bool:
    """Whether a file with these attributes matches the filter."""
    if filters is None:
        return True
    kind = filters["type"]
    if kind in _COMPOUNDS:
        inner = [matches_filter(each, attributes) for each in filters["filters"]]
        return all(inner) if kind == "and" else any(inner)
    expected: Any = filters["value"]
    actual: Any = attributes.get(filters["key"])
    match kind:
        case "eq":
            return bool(actual == expected)
        case "ne":
            return bool(actual != expected)
        case "in":
            return actual in expected
        case "nin":
            return actual not in expected
        case _:
            return _are_comparable(actual, expected) and _ORDER_OPERATORS[kind](actual, expected)


def check_attributes(path: str, value: Any) -> None:
    """At most 16 pairs; values are strings up to 512 characters, numbers or booleans."""
    pairs = validators.require_object(path, value)
    if len(pairs) > MAX_ATTRIBUTES:
        raise errors.too_many_properties(path, len(pairs), MAX_ATTRIBUTES)
    for key, member in pairs.items():
        if len(key) > validators.MAX_METADATA_KEY_LENGTH:
            raise errors.property_name_too_long(path, key, validators.MAX_METADATA_KEY_LENGTH)
        if isinstance(member, str):
            validators.string(max_length=validators.MAX_METADATA_VALUE_LENGTH)(f"{path}.{key}", member)
        elif not isinstance(member, bool | int | float):
            raise errors.invalid_type(f"{path}.{key}", "one of a string, number or boolean", member)


def _check_filters(path: str, value: Any) -> None:
    for index, each in enumerate(validators.require_array(path, value)):
        check_filter(f"{path}[{index}]", each)


def _check_value(path: str, value: Any) -> None:
    for each in value if isinstance(value, list) else [value]:
        if not isinstance(each, str | bool | int | float):
            raise errors.invalid_type(path, "one of a string, number or boolean", each)


def _are_comparable(actual: object, expected: object) -> bool:
    numbers = (int, float)
    return (isinstance(actual, numbers) and isinstance(expected, numbers)) or (
        isinstance(actual, str) and isinstance(expected, str)
    )

"""Checks of single values and pages of lists (A11, A13).

Each check takes the parameter's dotted path and its value, and raises the service's errors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from threadbridge.api_types import JsonObject, is_json_list, is_json_object
from threadbridge_adapters.simulator import _errors as errors

Validator: TypeAlias = Callable[[str, Any], None]

#: Stands for an object that is not given; it is only read.
EMPTY_OBJECT: JsonObject = {}

MAX_METADATA_PAIRS = 16
MAX_METADATA_KEY_LENGTH = 64
MAX_METADATA_VALUE_LENGTH = 512
MAX_ATTRIBUTES = 16


def string(*, max_length: int | None = None) -> Validator:
    def check(path: str, value: Any) -> None:
        if not isinstance(value, str):
            raise errors.invalid_type(path, "a string", value)
        if max_length is not None and len(value) > max_length:
            raise errors.too_long(path, "string", len(value), max_length)

    return check


def one_of(*values: str) -> Validator:
    def check(path: str, value: Any) -> None:
        if not isinstance(value, str):
            raise errors.invalid_type(path, "a string", value)
        if value not in values:
            raise errors.invalid_value(path, value, values)

    return check


def identifier(prefix: str) -> Validator:
    def check(path: str, value: Any) -> None:
        if not isinstance(value, str):
            raise errors.invalid_type(path, "a string", value)
        if not value.startswith(prefix):
            raise errors.invalid_id(path, value, prefix)

    return check


def boolean(path: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise errors.invalid_type(path, "a boolean", value)


def integer(*, minimum: int | None = None, maximum: int | None = None) -> Validator:
    def check(path: str, value: Any) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            raise errors.invalid_type(path, "an integer", value)
        _check_range(path, "integer", value, minimum, maximum)

    return check


def decimal(*, minimum: float, maximum: float) -> Validator:
    def check(path: str, value: Any) -> None:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise errors.invalid_type(path, "a decimal", value)
        _check_range(path, "decimal", value, minimum, maximum)

    return check


def require_array(path: str, value: Any) -> Sequence[Any]:
    if not is_json_list(value):
        raise errors.invalid_type(path, "an array", value)
    return value


def array_of_strings(*, max_length: int | None = None, can_be_empty: bool = True) -> Validator:
    """A check for a list of strings with a maximum length."""

    def check(path: str, value: Any) -> None:
        items = require_array(path, value)
        if max_length is not None and len(items) > max_length:
            raise errors.too_long(path, "array", len(items), max_length)
        if not items and not can_be_empty:
            raise errors.empty_array(path)
        for index, item in enumerate(items):
            string()(f"{path}[{index}]", item)

    return check


def require_object(path: str, value: Any) -> JsonObject:
    if not is_json_object(value):
        raise errors.invalid_type(path, "an object", value)
    return value


def json_object(path: str, value: Any) -> None:
    """Check for an object; its members are checked elsewhere or not at all."""
    require_object(path, value)


def anything(path: str, value: Any) -> None:
    """Accept any value, for fields that the service echoes or ignores."""


def check_members(
    path: str, value: Any, allowed: Mapping[str, Validator], *, required: Sequence[str] = ()
) -> JsonObject:
    """Check an object's own members; null stands for "not given" unless the member is required."""
    body = require_object(path, value)
    prefix = f"{path}." if path else ""
    for name in required:
        if name not in body:
            raise errors.missing_parameter(prefix + name)
    for name, member in body.items():
        check = allowed.get(name)
        if check is None:
            raise errors.unknown_parameter(prefix + name)
        if member is not None or name in required:
            check(prefix + name, member)
    return body


def array_of_objects(
    allowed: Mapping[str, Validator], *, required: Sequence[str] = (), max_length: int | None = None
) -> Validator:
    """A check for a list of objects with these members."""

    def check(path: str, value: Any) -> None:
        items = require_array(path, value)
        if max_length is not None and len(items) > max_length:
            raise errors.too_long(path, "array", len(items), max_length)
        for index, item in enumerate(items):
            check_members(f"{path}[{index}]", item, allowed, required=required)

    return check


def object_with(allowed: Mapping[str, Validator], *, required: Sequence[str] = ()) -> Validator:
    def check(path: str, value: Any) -> None:
        check_members(path, value, allowed, required=required)

    return check


def metadata(path: str, value: Any) -> None:
    """A18: at most 16 pairs, keys up to 64 characters, values strings up to 512."""
    pairs = require_object(path, value)
    if len(pairs) > MAX_METADATA_PAIRS:
        raise errors.too_many_properties(path, len(pairs), MAX_METADATA_PAIRS)
    check = string(max_length=MAX_METADATA_VALUE_LENGTH)
    for key, text in pairs.items():
        if len(key) > MAX_METADATA_KEY_LENGTH:
            raise errors.property_name_too_long(path, key, MAX_METADATA_KEY_LENGTH)
        check(f"{path}.{key}", text)


def attributes(path: str, value: Any) -> None:
    """At most 16 pairs; values are strings up to 512 characters, numbers or booleans."""
    pairs = require_object(path, value)
    if len(pairs) > MAX_ATTRIBUTES:
        raise errors.too_many_properties(path, len(pairs), MAX_ATTRIBUTES)
    for key, member in pairs.items():
        if len(key) > MAX_METADATA_KEY_LENGTH:
            raise errors.property_name_too_long(path, key, MAX_METADATA_KEY_LENGTH)
        if isinstance(member, str):
            string(max_length=MAX_METADATA_VALUE_LENGTH)(f"{path}.{key}", member)
        elif not isinstance(member, bool | int | float):
            raise errors.invalid_type(f"{path}.{key}", "one of a string, number or boolean", member)


def _check_range(path: str, kind: str, value: float, minimum: float | None, maximum: float | None) -> None:
    if minimum is not None and value < minimum:
        raise errors.out_of_range(path, kind, value, minimum, below=True)
    if maximum is not None and value > maximum:
        raise errors.out_of_range(path, kind, value, maximum, below=False)


MAX_PAGE_SIZE = 100
DEFAULT_PAGE_SIZE = 20


def paginate(
    oldest_first: Sequence[JsonObject],
    query: Mapping[str, str],
    *,
    max_limit: int = MAX_PAGE_SIZE,
    default_limit: int = DEFAULT_PAGE_SIZE,
) -> JsonObject:
    """One page, newest first unless `order=asc`. An unknown `after` gives an empty page, an unknown `before` too."""
    raw_limit, order = query.get("limit", str(default_limit)), query.get("order", "desc")
    if not raw_limit.lstrip("-").isdecimal():
        raise errors.invalid_type("limit", "an integer", raw_limit)
    limit = int(raw_limit)
    integer(minimum=1, maximum=max_limit)("limit", limit)
    one_of("asc", "desc")("order", order)
    items = list(oldest_first) if order == "asc" else list(reversed(oldest_first))
    after = query.get("after")
    if after is not None:
        indexes = [index for index, item in enumerate(items) if item["id"] == after]
        items = items[indexes[0] + 1 :] if indexes else []
    before = query.get("before")
    if before is not None:
        indexes = [index for index, item in enumerate(items) if item["id"] == before]
        items = items[max(indexes[0] - limit, 0) : indexes[0]] if indexes else []
    data = items[:limit]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "has_more": len(items) > limit,
        "last_id": data[-1]["id"] if data else None,
    }

"""Checks of single values: each takes the parameter's dotted path and its value, and raises in the service's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from threadbridge.ports import Wire
from threadbridge_adapters.simulator import _errors as errors

Check: TypeAlias = Callable[[str, Any], None]

METADATA_PAIRS = 16
METADATA_KEY_LENGTH = 64
METADATA_VALUE_LENGTH = 512


def string(*, longest: int | None = None) -> Check:
    def check(path: str, value: Any) -> None:
        if not isinstance(value, str):
            raise errors.wrong_type(path, "a string", value)
        if longest is not None and len(value) > longest:
            raise errors.too_long(path, "string", len(value), longest)

    return check


def one_of(*values: str) -> Check:
    def check(path: str, value: Any) -> None:
        if not isinstance(value, str):
            raise errors.wrong_type(path, "a string", value)
        if value not in values:
            raise errors.wrong_value(path, value, values)

    return check


def identifier(prefix: str) -> Check:
    def check(path: str, value: Any) -> None:
        if not isinstance(value, str):
            raise errors.wrong_type(path, "a string", value)
        if not value.startswith(prefix):
            raise errors.wrong_id(path, value, prefix)

    return check


def boolean(path: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise errors.wrong_type(path, "a boolean", value)


def integer(*, least: int | None = None, most: int | None = None) -> Check:
    def check(path: str, value: Any) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            raise errors.wrong_type(path, "an integer", value)
        _within(path, "integer", value, least, most)

    return check


def decimal(*, least: float, most: float) -> Check:
    def check(path: str, value: Any) -> None:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise errors.wrong_type(path, "a decimal", value)
        _within(path, "decimal", value, least, most)

    return check


def array(path: str, value: Any) -> Sequence[Any]:
    if not isinstance(value, list):
        raise errors.wrong_type(path, "an array", value)
    return value


def strings(*, most: int | None = None) -> Check:
    """A list of strings, at most so many."""

    def check(path: str, value: Any) -> None:
        items = array(path, value)
        if most is not None and len(items) > most:
            raise errors.too_long(path, "array", len(items), most)
        for index, item in enumerate(items):
            string()(f"{path}[{index}]", item)

    return check


def mapping(path: str, value: Any) -> Wire:
    if not isinstance(value, dict):
        raise errors.wrong_type(path, "an object", value)
    return value


def json_object(path: str, value: Any) -> None:
    """Any object; what is in it is looked at elsewhere or not at all."""
    mapping(path, value)


def anything(path: str, value: Any) -> None:
    """Accepts whatever is there: for fields the service echoes or ignores."""


def members(path: str, value: Any, allowed: Mapping[str, Check], *, required: Sequence[str] = ()) -> Wire:
    """Check an object's own members; null stands for "not given" unless the member is required."""
    body = mapping(path, value)
    prefix = f"{path}." if path else ""
    for name in required:
        if name not in body:
            raise errors.missing(prefix + name)
    for name, member in body.items():
        check = allowed.get(name)
        if check is None:
            raise errors.unknown(prefix + name)
        if member is not None or name in required:
            check(prefix + name, member)
    return body


def shape(allowed: Mapping[str, Check], *, required: Sequence[str] = ()) -> Check:
    def check(path: str, value: Any) -> None:
        members(path, value, allowed, required=required)

    return check


def metadata(path: str, value: Any) -> None:
    """A18: at most 16 pairs, keys up to 64 characters, values strings up to 512."""
    pairs = mapping(path, value)
    if len(pairs) > METADATA_PAIRS:
        raise errors.too_many_properties(path, len(pairs), METADATA_PAIRS)
    check = string(longest=METADATA_VALUE_LENGTH)
    for key, text in pairs.items():
        if len(key) > METADATA_KEY_LENGTH:
            raise errors.property_name_too_long(path, key, METADATA_KEY_LENGTH)
        check(f"{path}.{key}", text)


def _within(path: str, kind: str, value: float, least: float | None, most: float | None) -> None:
    if least is not None and value < least:
        raise errors.out_of_range(path, kind, value, least, below=True)
    if most is not None and value > most:
        raise errors.out_of_range(path, kind, value, most, below=False)

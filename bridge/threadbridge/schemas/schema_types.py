"""The schemas of JSON values. Each validates a value and returns it, without explicit nulls (C6).

`singular` and `plural` name the schema in messages: `expected a string` and `expected an array of strings`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

from threadbridge.api_types import JsonObject, is_json_list, is_json_object
from threadbridge.schemas import error_messages
from threadbridge.schemas.error_messages import SchemaViolation, describe_type, format_choices, shorten
from threadbridge.settings import Limits

_WHITESPACE = re.compile(r"\s")


class Schema(Protocol):
    """Validates one value."""

    @property
    def singular(self) -> str: ...

    @property
    def plural(self) -> str: ...

    def validate(self, value: Any, limits: Limits, /) -> Any:
        """The value without explicit nulls. Raises SchemaViolation."""
        ...


@dataclass(frozen=True, slots=True)
class String:
    """A string. `max_length` is a number, or a function that reads it from the settings."""

    max_length: int | Callable[[Limits], int | None] | None = None
    pattern: re.Pattern[str] | None = None
    singular: str = "a string"
    plural: str = "strings"

    def validate(self, value: Any, limits: Limits, /) -> Any:
        if type(value) is not str:
            raise SchemaViolation(error_messages.INVALID_TYPE, expected=self.singular, got=describe_type(value))
        max_length = self.max_length(limits) if callable(self.max_length) else self.max_length
        if max_length is not None and len(value) > max_length:
            raise SchemaViolation(error_messages.STRING_TOO_LONG, limit=max_length, got=len(value))
        if self.pattern is not None and not self.pattern.fullmatch(value):
            raise SchemaViolation(error_messages.PATTERN_MISMATCH, pattern=f"^{self.pattern.pattern}$")
        return value


@dataclass(frozen=True, slots=True)
class Id:
    """The ID of an object. Only its prefix is validated, because imported IDs use any alphabet (A16)."""

    prefix: str
    singular: str = "a string"
    plural: str = "strings"

    def validate(self, value: Any, _limits: Limits, /) -> Any:
        if type(value) is not str:
            raise SchemaViolation(error_messages.INVALID_TYPE, expected=self.singular, got=describe_type(value))
        if not value.startswith(self.prefix):
            raise SchemaViolation(error_messages.INVALID_ID, got=shorten(value), prefix=self.prefix)
        return value


@dataclass(frozen=True, slots=True)
class ImageUrl:
    """The address of an image on the web, or a data URL. Whether it can be loaded is known to the service only."""

    singular: str = "a string"
    plural: str = "strings"

    def validate(self, value: Any, _limits: Limits, /) -> Any:
        if type(value) is not str:
            raise SchemaViolation(error_messages.INVALID_TYPE, expected=self.singular, got=describe_type(value))
        if value[:5].lower() == "data:":
            is_url = "," in value
        else:
            try:
                parts = urlsplit(value)
                is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and not _WHITESPACE.search(value)
            except ValueError:
                is_url = False
        if not is_url:
            raise SchemaViolation(error_messages.INVALID_URL)
        return value


@dataclass(frozen=True, slots=True)
class Boolean:
    """True or false."""

    singular: str = "a boolean"
    plural: str = "booleans"

    def validate(self, value: Any, _limits: Limits, /) -> Any:
        if type(value) is not bool:
            raise SchemaViolation(error_messages.INVALID_TYPE, expected=self.singular, got=describe_type(value))
        return value


@dataclass(frozen=True, slots=True)
class Integer:
    """An integer; `1.0` in JSON is not one."""

    minimum: int | None = None
    maximum: int | None = None
    singular: str = "an integer"
    plural: str = "integers"

    def validate(self, value: Any, _limits: Limits, /) -> Any:
        if type(value) is not int:
            raise SchemaViolation(error_messages.INVALID_TYPE, expected=self.singular, got=describe_type(value))
        if self.minimum is not None and value < self.minimum:
            raise SchemaViolation(error_messages.INTEGER_TOO_SMALL, limit=self.minimum, got=value)
        if self.maximum is not None and value > self.maximum:
            raise SchemaViolation(error_messages.INTEGER_TOO_LARGE, limit=self.maximum, got=value)
        return value


@dataclass(frozen=True, slots=True)
class Decimal:
    """Any number."""

    minimum: int
    maximum: int
    singular: str = "a decimal"
    plural: str = "decimals"

    def validate(self, value: Any, _limits: Limits, /) -> Any:
        if type(value) is not float and type(value) is not int:
            raise SchemaViolation(error_messages.INVALID_TYPE, expected=self.singular, got=describe_type(value))
        if value < self.minimum:
            raise SchemaViolation(error_messages.DECIMAL_TOO_SMALL, limit=self.minimum, got=value)
        if value > self.maximum:
            raise SchemaViolation(error_messages.DECIMAL_TOO_LARGE, limit=self.maximum, got=value)
        return value


class Choice:
    """One of a few strings, in the order in which messages list them."""

    def __init__(self, *values: str) -> None:
        self.singular = format_choices(values, "or") if len(values) == 1 else f"one of {format_choices(values, 'or')}"
        self.plural = "strings"
        self._supported = format_choices(values, "and")
        self._values = frozenset(values)

    def validate(self, value: Any, _limits: Limits, /) -> Any:
        """The value, if it is one of the strings."""
        if type(value) is not str:
            raise SchemaViolation(error_messages.INVALID_TYPE, expected=self.singular, got=describe_type(value))
        if value not in self._values:
            raise SchemaViolation(error_messages.INVALID_VALUE, got=shorten(value), supported=self._supported)
        return value


@dataclass(frozen=True, slots=True)
class AnyObject:
    """An object of any shape, such as a JSON Schema."""

    singular: str = "an object"
    plural: str = "objects"

    def validate(self, value: Any, _limits: Limits, /) -> Any:
        if not is_json_object(value):
            raise SchemaViolation(error_messages.INVALID_TYPE, expected=self.singular, got=describe_type(value))
        return value


@dataclass(frozen=True, slots=True)
class Array:
    """A list of values of one schema. `max_items` is a number, or a function that reads it from the settings."""

    item: Schema
    max_items: int | Callable[[Limits], int] | None = None
    allow_empty: bool = True
    plural: str = "arrays"

    @property
    def singular(self) -> str:
        return f"an array of {self.item.plural}"

    def validate(self, value: Any, limits: Limits, /) -> Any:
        if not is_json_list(value):
            raise SchemaViolation(error_messages.INVALID_TYPE, expected=self.singular, got=describe_type(value))
        max_items = self.max_items(limits) if callable(self.max_items) else self.max_items
        if max_items is not None and len(value) > max_items:
            raise SchemaViolation(error_messages.ARRAY_TOO_LONG, limit=max_items, got=len(value))
        if not value and not self.allow_empty:
            raise SchemaViolation(error_messages.ARRAY_EMPTY)
        validate_item, validated = self.item.validate, list[Any]()
        try:
            for item in value:
                validated.append(validate_item(item, limits))
        except SchemaViolation as violation:
            violation.prepend_to_path(len(validated))
            raise
        return validated


@dataclass(frozen=True, slots=True)
class Object:
    """An object with known keys. An optional key with null counts as absent (C6)."""

    fields: Mapping[str, Schema]
    required: tuple[str, ...] = ()
    exclusive: tuple[str, ...] = ()
    singular: str = "an object"
    plural: str = "objects"

    def validate(self, value: Any, limits: Limits, /) -> JsonObject:
        if not is_json_object(value):
            raise SchemaViolation(error_messages.INVALID_TYPE, expected=self.singular, got=describe_type(value))
        validated: JsonObject = {}
        key = ""
        try:
            for key, item in value.items():
                schema = self.fields.get(key)
                if schema is None:
                    raise SchemaViolation(error_messages.UNKNOWN_PARAMETER)  # noqa: TRY301  # the handler adds the key, as for every violation
                if item is not None or key in self.required:
                    validated[key] = schema.validate(item, limits)
        except SchemaViolation as violation:
            violation.prepend_to_path(key)
            raise
        for key in self.required:
            if key not in validated:
                missing = SchemaViolation(error_messages.MISSING_PARAMETER)
                missing.prepend_to_path(key)
                raise missing
        if len(self.exclusive) > 1 and all(key in validated for key in self.exclusive):
            raise SchemaViolation(error_messages.MUTUALLY_EXCLUSIVE, names=format_choices(self.exclusive, "or"))
        return validated


@dataclass(frozen=True, slots=True)
class UnknownUnlessEmpty:
    """A parameter that the service does not know, which some clients send as an empty object."""

    singular: str = "an object"
    plural: str = "objects"

    def validate(self, value: Any, _: Limits, /) -> JsonObject:
        if value != {}:
            raise SchemaViolation(error_messages.UNKNOWN_PARAMETER)
        return {}


@dataclass(frozen=True, slots=True)
class TaggedUnion:
    """An object whose `type` selects its schema."""

    variants: Mapping[str, Object]
    singular: str = "an object"
    plural: str = "objects"

    def validate(self, value: Any, limits: Limits, /) -> JsonObject:
        if not is_json_object(value):
            raise SchemaViolation(error_messages.INVALID_TYPE, expected=self.singular, got=describe_type(value))
        try:
            if "type" not in value:
                raise SchemaViolation(error_messages.MISSING_PARAMETER)  # noqa: TRY301  # the handler adds the key, as for every violation
            kind = value["type"]
            if type(kind) is not str or kind not in self.variants:
                Choice(*self.variants).validate(kind, limits)  # raises; the variants may have changed since the import
        except SchemaViolation as violation:
            violation.prepend_to_path("type")
            raise
        return self.variants[kind].validate(value, limits)


def build_variant(fields: Mapping[str, Schema] | None = None, *, required: tuple[str, ...] = ()) -> Object:
    """A variant of a TaggedUnion, which has already validated the `type`."""
    return Object({"type": String(), **(fields or {})}, required=("type", *required))


@dataclass(frozen=True, slots=True)
class OneOf:
    """Different schemas for different JSON types; `singular` names them all in messages."""

    schemas: Mapping[type, Schema]
    singular: str
    plural: str = "objects"

    def validate(self, value: Any, limits: Limits, /) -> Any:
        schema = self.schemas.get(cast("type[object]", type(value)))
        if schema is None:
            raise SchemaViolation(error_messages.INVALID_TYPE, expected=self.singular, got=describe_type(value))
        return schema.validate(value, limits)


@dataclass(frozen=True, slots=True)
class StringMap:
    """An object of a few short strings, such as metadata (A18)."""

    max_pairs: int
    max_key_length: int
    value: String
    singular: str = "an object"
    plural: str = "objects"

    def validate(self, value: Any, limits: Limits, /) -> JsonObject:
        if not is_json_object(value):
            raise SchemaViolation(error_messages.INVALID_TYPE, expected=self.singular, got=describe_type(value))
        if len(value) > self.max_pairs:
            raise SchemaViolation(error_messages.TOO_MANY_PROPERTIES, limit=self.max_pairs, got=len(value))
        validated: JsonObject = {}
        key = ""
        try:
            for key, item in value.items():
                if len(key) > self.max_key_length:
                    raise SchemaViolation(  # noqa: TRY301  # the handler adds the key, as for every violation
                        error_messages.PROPERTY_NAME_TOO_LONG,
                        name=shorten(key),
                        limit=self.max_key_length,
                        got=len(key),
                    )
                validated[key] = self.value.validate(item, limits)
        except SchemaViolation as violation:
            violation.prepend_to_path(key)
            raise
        return validated


MAX_METADATA_PAIRS = 16
MAX_METADATA_KEY_CHARACTERS = 64
MAX_METADATA_VALUE_CHARACTERS = 512

METADATA = StringMap(MAX_METADATA_PAIRS, MAX_METADATA_KEY_CHARACTERS, String(MAX_METADATA_VALUE_CHARACTERS))

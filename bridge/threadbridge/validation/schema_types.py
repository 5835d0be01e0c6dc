"""The shapes a JSON value may have. A specification is a table of them; each gives back the value or refuses it.

A shape's `one` and `many` are the service's words for it in `expected a string` and `expected an array of strings`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from threadbridge.ports import Wire
from threadbridge.settings import Limits
from threadbridge.validation import error_messages
from threadbridge.validation.error_messages import Refusal, listed, quoted, type_word


class Shape(Protocol):
    """Judges one value."""

    @property
    def one(self) -> str: ...

    @property
    def many(self) -> str: ...

    def check(self, value: Any, limits: Limits, /) -> Any:
        """The value as it may be kept. Raises Refusal."""
        ...


@dataclass(frozen=True, slots=True)
class Text:
    """A string. `max_length` is a number, or says which of the settings holds it."""

    max_length: int | Callable[[Limits], int | None] | None = None
    pattern: re.Pattern[str] | None = None
    one: str = "a string"
    many: str = "strings"

    def check(self, value: Any, limits: Limits, /) -> Any:
        if type(value) is not str:
            raise Refusal(error_messages.TYPE, expected=self.one, got=type_word(value))
        longest = self.max_length(limits) if callable(self.max_length) else self.max_length
        if longest is not None and len(value) > longest:
            raise Refusal(error_messages.STRING_LONG, limit=longest, got=len(value))
        if self.pattern is not None and not self.pattern.fullmatch(value):
            raise Refusal(error_messages.PATTERN, pattern=f"^{self.pattern.pattern}$")
        return value


@dataclass(frozen=True, slots=True)
class Id:
    """The id of an object of ours; only its prefix is judged, for imported ids come in any alphabet (A16)."""

    prefix: str
    one: str = "a string"
    many: str = "strings"

    def check(self, value: Any, _limits: Limits, /) -> Any:
        if type(value) is not str:
            raise Refusal(error_messages.TYPE, expected=self.one, got=type_word(value))
        if not value.startswith(self.prefix):
            raise Refusal(error_messages.ID, got=quoted(value), prefix=self.prefix)
        return value


@dataclass(frozen=True, slots=True)
class Boolean:
    """True or false."""

    one: str = "a boolean"
    many: str = "booleans"

    def check(self, value: Any, _limits: Limits, /) -> Any:
        if type(value) is not bool:
            raise Refusal(error_messages.TYPE, expected=self.one, got=type_word(value))
        return value


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number; JSON's `1.0` is none."""

    minimum: int | None = None
    maximum: int | None = None
    one: str = "an integer"
    many: str = "integers"

    def check(self, value: Any, _limits: Limits, /) -> Any:
        if type(value) is not int:
            raise Refusal(error_messages.TYPE, expected=self.one, got=type_word(value))
        if self.minimum is not None and value < self.minimum:
            raise Refusal(error_messages.INTEGER_LOW, limit=self.minimum, got=value)
        if self.maximum is not None and value > self.maximum:
            raise Refusal(error_messages.INTEGER_HIGH, limit=self.maximum, got=value)
        return value


@dataclass(frozen=True, slots=True)
class Decimal:
    """Any number."""

    minimum: int
    maximum: int
    one: str = "a decimal"
    many: str = "decimals"

    def check(self, value: Any, _limits: Limits, /) -> Any:
        if type(value) is not float and type(value) is not int:
            raise Refusal(error_messages.TYPE, expected=self.one, got=type_word(value))
        if value < self.minimum:
            raise Refusal(error_messages.DECIMAL_LOW, limit=self.minimum, got=value)
        if value > self.maximum:
            raise Refusal(error_messages.DECIMAL_HIGH, limit=self.maximum, got=value)
        return value


class Choice:
    """One of a few strings, in the order in which the service names them."""

    def __init__(self, *values: str) -> None:
        self.one = listed(values, "or") if len(values) == 1 else f"one of {listed(values, 'or')}"
        self.many = "strings"
        self._supported = listed(values, "and")
        self._values = frozenset(values)

    def check(self, value: Any, _limits: Limits, /) -> Any:
        """The value, if it is one of them."""
        if type(value) is not str:
            raise Refusal(error_messages.TYPE, expected=self.one, got=type_word(value))
        if value not in self._values:
            raise Refusal(error_messages.VALUE, got=quoted(value), supported=self._supported)
        return value


@dataclass(frozen=True, slots=True)
class Anything:
    """An object whose insides are the caller's business: a JSON schema."""

    one: str = "an object"
    many: str = "objects"

    def check(self, value: Any, _limits: Limits, /) -> Any:
        if type(value) is not dict:
            raise Refusal(error_messages.TYPE, expected=self.one, got=type_word(value))
        return value


@dataclass(frozen=True, slots=True)
class Array:
    """A list of one shape. `longest` is a number, or says which of the settings holds it."""

    item: Shape
    longest: int | Callable[[Limits], int] | None = None
    empty: bool = True
    many: str = "arrays"

    @property
    def one(self) -> str:
        return f"an array of {self.item.many}"

    def check(self, value: Any, limits: Limits, /) -> Any:
        if type(value) is not list:
            raise Refusal(error_messages.TYPE, expected=self.one, got=type_word(value))
        self._check_length(len(value), limits)
        check, kept = self.item.check, list[Any]()
        try:
            for item in value:
                kept.append(check(item, limits))
        except Refusal as refusal:
            refusal.within(len(kept))
            raise
        return kept

    def _check_length(self, length: int, limits: Limits) -> None:
        longest = self.longest(limits) if callable(self.longest) else self.longest
        if longest is not None and length > longest:
            raise Refusal(error_messages.ARRAY_LONG, limit=longest, got=length)
        if not length and not self.empty:
            raise Refusal(error_messages.ARRAY_EMPTY)


@dataclass(frozen=True, slots=True)
class Object:
    """An object of known keys. An optional key with null is a key that was not given (C6)."""

    fields: Mapping[str, Shape]
    required: tuple[str, ...] = ()
    exclusive: tuple[str, ...] = ()
    one: str = "an object"
    many: str = "objects"

    def check(self, value: Any, limits: Limits, /) -> Wire:
        if type(value) is not dict:
            raise Refusal(error_messages.TYPE, expected=self.one, got=type_word(value))
        kept: Wire = {}
        key = ""
        try:
            for key, item in value.items():
                shape = self.fields.get(key)
                if shape is None:
                    raise Refusal(error_messages.UNKNOWN)  # noqa: TRY301  # the handler adds the key, as for every refusal
                if item is not None or key in self.required:
                    kept[key] = shape.check(item, limits)
        except Refusal as refusal:
            refusal.within(key)
            raise
        self._check_together(kept)
        return kept

    def _check_together(self, kept: Wire) -> None:
        for key in self.required:
            if key not in kept:
                refusal = Refusal(error_messages.MISSING)
                refusal.within(key)
                raise refusal
        if len(self.exclusive) > 1 and all(key in kept for key in self.exclusive):
            raise Refusal(error_messages.EXCLUSIVE, names=listed(self.exclusive, "or"))


@dataclass(frozen=True, slots=True)
class Tagged:
    """An object whose `type` says which of several it is."""

    variants: Mapping[str, Object]
    one: str = "an object"
    many: str = "objects"
    _type: Choice = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_type", Choice(*self.variants))

    def check(self, value: Any, limits: Limits, /) -> Wire:
        if type(value) is not dict:
            raise Refusal(error_messages.TYPE, expected=self.one, got=type_word(value))
        try:
            if "type" not in value:
                raise Refusal(error_messages.MISSING)  # noqa: TRY301  # the handler adds the key, as for every refusal
            kind = self._type.check(value["type"], limits)
        except Refusal as refusal:
            refusal.within("type")
            raise
        return self.variants[kind].check(value, limits)


@dataclass(frozen=True, slots=True)
class Either:
    """Different shapes for different types of JSON; `one` is what the service says it expected."""

    shapes: Mapping[type, Shape]
    one: str
    many: str = "objects"

    def check(self, value: Any, limits: Limits, /) -> Any:
        shape = self.shapes.get(type(value))
        if shape is None:
            raise Refusal(error_messages.TYPE, expected=self.one, got=type_word(value))
        return shape.check(value, limits)


@dataclass(frozen=True, slots=True)
class Labels:
    """Metadata: a few short strings by name (A18)."""

    most: int
    key_length: int
    value: Text
    one: str = "an object"
    many: str = "objects"

    def check(self, value: Any, limits: Limits, /) -> Wire:
        if type(value) is not dict:
            raise Refusal(error_messages.TYPE, expected=self.one, got=type_word(value))
        if len(value) > self.most:
            raise Refusal(error_messages.PROPERTIES_MANY, limit=self.most, got=len(value))
        kept: Wire = {}
        key = ""
        try:
            for key, item in value.items():
                self._check_name(key)
                kept[key] = self.value.check(item, limits)
        except Refusal as refusal:
            refusal.within(key)
            raise
        return kept

    def _check_name(self, key: str) -> None:
        if len(key) > self.key_length:
            raise Refusal(error_messages.PROPERTY_LONG, name=quoted(key), limit=self.key_length, got=len(key))

"""The error messages of validation: one table of codes and texts, and the exception that builds the parameter's path.

Clients match on these texts (A13, A16-A18, C1). A `SchemaViolation` is raised where the value is validated; every
container that it leaves adds its key or index, so that a valid body costs no path.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from threadbridge.errors import InvalidRequest

#: The most characters of a caller's value or key that a message repeats.
MAX_QUOTED_CHARACTERS = 200


class ErrorTemplate(NamedTuple):
    """A code and its text; `{path}` is the dotted parameter, `{parent}` the object that holds it."""

    code: str | None
    text: str


MISSING_PARAMETER = ErrorTemplate("missing_required_parameter", "Missing required parameter: '{path}'.")
UNKNOWN_PARAMETER = ErrorTemplate("unknown_parameter", "Unknown parameter: '{path}'.")
INVALID_TYPE = ErrorTemplate("invalid_type", "Invalid type for '{path}': expected {expected}, but got {got} instead.")
INVALID_VALUE = ErrorTemplate("invalid_value", "Invalid value: '{got}'. Supported values are: {supported}.")
INVALID_ID = ErrorTemplate("invalid_value", "Invalid '{path}': '{got}'. Expected an ID that begins with '{prefix}'.")
PATTERN_MISMATCH = ErrorTemplate(
    "invalid_value",
    "Invalid '{path}': string does not match pattern. Expected a string that matches the pattern '{pattern}'.",
)
STRING_TOO_LONG = ErrorTemplate(
    "string_above_max_length",
    "Invalid '{path}': string too long. Expected a string with maximum length {limit}, "
    "but got a string with length {got} instead.",
)
ARRAY_TOO_LONG = ErrorTemplate(
    "array_above_max_length",
    "Invalid '{path}': array too long. Expected an array with maximum length {limit}, "
    "but got an array with length {got} instead.",
)
ARRAY_EMPTY = ErrorTemplate(
    "empty_array",
    "Invalid '{path}': empty array. Expected an array with minimum length 1, but got an empty array instead.",
)
INTEGER_TOO_SMALL = ErrorTemplate(
    "integer_below_min_value",
    "Invalid '{path}': integer below minimum value. Expected a value >= {limit}, but got {got} instead.",
)
INTEGER_TOO_LARGE = ErrorTemplate(
    "integer_above_max_value",
    "Invalid '{path}': integer above maximum value. Expected a value <= {limit}, but got {got} instead.",
)
DECIMAL_TOO_SMALL = ErrorTemplate(
    "decimal_below_min_value",
    "Invalid '{path}': decimal below minimum value. Expected a value >= {limit}, but got {got} instead.",
)
DECIMAL_TOO_LARGE = ErrorTemplate(
    "decimal_above_max_value",
    "Invalid '{path}': decimal above maximum value. Expected a value <= {limit}, but got {got} instead.",
)
TOO_MANY_PROPERTIES = ErrorTemplate(
    "object_above_max_properties",
    "Invalid '{path}': too many properties. Expected an object with at most {limit} properties, "
    "but got an object with {got} properties instead.",
)
PROPERTY_NAME_TOO_LONG = ErrorTemplate(
    "property_name_above_max_length",
    "Invalid property name in '{parent}': '{name}' is too long. Expected a string with maximum length {limit}, "
    "but got a string with length {got} instead.",
)
MUTUALLY_EXCLUSIVE = ErrorTemplate(
    "mutually_exclusive_parameters",
    "Mutually exclusive parameters in '{path}'. Ensure you are only providing one of: {names}.",
)
INVALID_URL = ErrorTemplate(
    "invalid_value", "Invalid '{path}'. Expected a valid URL, but got a value with an invalid format."
)
INVALID_FUNCTION_SCHEMA = ErrorTemplate(
    "invalid_function_parameters", "Invalid schema for function '{name}': {violation}"
)
INVALID_FORMAT_SCHEMA = ErrorTemplate(None, "Invalid schema for response_format '{name}': {violation}")

#: The names of the JSON types in the messages of the service.
_TYPE_NAMES: dict[type, str] = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a decimal number",
    list: "an array",
    dict: "an object",
    type(None): "null",
}


class SchemaViolation(Exception):
    """A value does not match its schema. The containers of the value add its path while the exception leaves them."""

    def __init__(self, template: ErrorTemplate, **values: object) -> None:
        super().__init__(template.text)
        self._template = template
        self._values = values
        self._reversed_path: list[str | int] = []

    def prepend_to_path(self, key: str | int) -> None:
        """Add the key or the index under which a container holds the value."""
        self._reversed_path.append(key)

    def to_error(self) -> InvalidRequest:
        """The error of the port, with the dotted path as its `param` (A17)."""
        keys = self._reversed_path[::-1]
        path = format_path(keys)
        message = self._template.text.format(path=path, parent=format_path(keys[:-1]), **self._values)
        return InvalidRequest(message, param=path if keys else None, code=self._template.code)


def format_path(keys: Sequence[str | int]) -> str:
    """`["tools", 0, "type"]` as the service writes it: `tools[0].type`."""
    path = "".join(f"[{key}]" if isinstance(key, int) else f".{shorten(key)}" for key in keys)
    return path.removeprefix(".")


#: A key of OpenAI's form, or any text that a service masked with asterisks.
_KEY = re.compile(r"\b(?:sk|rk|sess)-[\w.*-]{6,}(?<![.-])|[\w.-]{0,64}\*{3,}(?:[\w.*-]*[\w*])?", re.ASCII)


def mask_partial_keys(text: str) -> str:
    """The text without keys of OpenAI's form and without what a service left of a key."""
    return _KEY.sub("***", text)


def shorten(text: str) -> str:
    """A text of the caller, cut off at the maximum that a message repeats."""
    return text if len(text) <= MAX_QUOTED_CHARACTERS else f"{text[:MAX_QUOTED_CHARACTERS]}..."


def describe_type(value: object) -> str:
    """`a boolean`, `an object`, `null`: the name of the type of a JSON value in the messages of the service."""
    return _TYPE_NAMES.get(type(value), "an unsupported value")


def format_choices(values: Sequence[str], conjunction: str) -> str:
    """`'a'`, `'a' and 'b'`, `'a', 'b', and 'c'`: the form of lists in the messages of the service."""
    names = [f"'{value}'" for value in values]
    if len(names) < 3:
        return f" {conjunction} ".join(names)
    return f"{', '.join(names[:-1])}, {conjunction} {names[-1]}"

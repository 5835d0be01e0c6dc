"""The JSON Schemas of strict functions and response formats: what the service rejects when they are created."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from threadbridge.api_types import JsonObject, is_json_list, is_json_object
from threadbridge.schemas.error_messages import ErrorTemplate, SchemaViolation
from threadbridge.schemas.schema_types import Object
from threadbridge.settings import Limits

_NAMED_SCHEMAS = ("properties", "$defs", "definitions")
_ALTERNATIVES = ("anyOf", "allOf", "oneOf")

#: Where a schema is in the one that contains it: the location of its parent, and the keys from there.
_Location: TypeAlias = "tuple[_Location | None, tuple[str, ...]]"


@dataclass(frozen=True, slots=True)
class StrictObject:
    """An object with a `name` and, under `schema_key`, a JSON Schema that must suit strict mode if `strict` is true."""

    object: Object
    schema_key: str
    template: ErrorTemplate
    singular: str = "an object"
    plural: str = "objects"

    def validate(self, value: Any, limits: Limits, /) -> JsonObject:
        """The object without explicit nulls. Raises SchemaViolation."""
        validated = self.object.validate(value, limits)
        schema = validated.get(self.schema_key)
        violation = find_strict_violation(schema) if validated.get("strict") and schema else None
        if violation is None:
            return validated
        error = SchemaViolation(self.template, name=validated["name"], violation=violation)
        error.prepend_to_path(self.schema_key)
        raise error


def find_strict_violation(schema: JsonObject) -> str | None:
    """The service's text for a schema that strict mode does not allow (recorded); None for one that it does."""
    for location, node in _iterate_objects(schema):
        if node.get("additionalProperties") is not False:
            return f"{_format_context(location)}, 'additionalProperties' is required to be supplied and to be false."
        required, properties = node.get("required"), node.get("properties")
        known = set(map(str, required)) if is_json_list(required) else set[str]()
        missing = next((name for name in properties if name not in known), None) if is_json_object(properties) else None
        if missing is not None:
            return (
                f"{_format_context(location)}, 'required' is required to be supplied and to be an array including "
                f"every key in properties. Missing '{missing}'."
            )
    return None


def is_object_schema(schema: JsonObject) -> bool:
    """Whether the schema is one of objects."""
    return schema.get("type") == "object" or "properties" in schema


def _iterate_objects(schema: JsonObject) -> Iterator[tuple[_Location | None, JsonObject]]:
    """All nested schemas of objects, outermost first. The nesting is the caller's, so it must not be a recursion."""
    pending: list[tuple[_Location | None, Any]] = [(None, schema)]
    while pending:
        location, node = pending.pop()
        if not is_json_object(node):
            continue
        if is_object_schema(node):
            yield location, node
        children: list[tuple[tuple[str, ...], Any]] = []
        for key in _NAMED_SCHEMAS:
            named = node.get(key)
            children += [((key, name), child) for name, child in named.items()] if is_json_object(named) else []
        children.append((("items",), node.get("items")))
        for key in _ALTERNATIVES:
            listed = node.get(key)
            if is_json_list(listed):
                children += [((key, str(index)), child) for index, child in enumerate(listed)]
        pending += [((location, keys), child) for keys, child in reversed(children)]


def _format_context(location: _Location | None) -> str:
    """The location as the service writes it: `In context=('properties', 'city')`."""
    keys: list[str] = []
    while location is not None:
        location, inner = location
        keys = [*inner, *keys]
    steps = ", ".join(key if key.isdigit() else f"'{key}'" for key in keys)
    return f"In context=({steps},)" if len(keys) == 1 else f"In context=({steps})"

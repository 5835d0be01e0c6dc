"""JSON Schemas as the service handles them: strict mode's requirements, and sample values of a schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from threadbridge.api_types import JsonObject, is_json_list, is_json_object

_NESTING_LIMIT = 20  # a recursive schema would otherwise have an infinite sample


def find_strict_fault(schema: JsonObject) -> str | None:
    """The service's error text for a schema that strict mode does not allow (recorded), or None."""
    for context, node in _iterate_objects(schema, ()):
        steps = ", ".join(step if step.isdigit() else f"'{step}'" for step in context)
        where = f"In context=({steps},)" if len(context) == 1 else f"In context=({steps})"
        if node.get("additionalProperties") is not False:
            return f"{where}, 'additionalProperties' is required to be supplied and to be false."
        required = node.get("required")
        for name in node.get("properties") or JsonObject():
            if not is_json_list(required) or name not in required:
                return (
                    f"{where}, 'required' is required to be supplied and to be an array including every key in "
                    f"properties. Missing '{name}'."
                )
    return None


def make_strict(schema: JsonObject) -> JsonObject:
    """The schema with every property required and no others allowed: the effect of omitting `strict` (§4)."""
    out: JsonObject = {}
    for key, value in schema.items():
        if key in ("properties", "$defs", "definitions") and is_json_object(value):
            out[key] = {name: make_strict(sub) if is_json_object(sub) else sub for name, sub in value.items()}
        elif key == "items" and is_json_object(value):
            out[key] = make_strict(value)
        elif key in ("anyOf", "allOf", "oneOf") and is_json_list(value):
            out[key] = [make_strict(sub) if is_json_object(sub) else sub for sub in value]
        else:
            out[key] = value
    if _is_object(out):
        out.setdefault("properties", {})
        out["required"] = list(out["properties"])
        out["additionalProperties"] = False
    return out


def make_sample(schema: JsonObject, text: str = "", *, root: JsonObject | None = None, depth: int = 0) -> Any:
    """A deterministic value that matches the schema; strings are `text` unless the schema restricts them."""
    root = schema if root is None else root
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/"):
        node: Any = root
        for step in reference[2:].split("/"):
            node = node.get(step, {}) if is_json_object(node) else {}
        schema = node if is_json_object(node) else {}
    if depth > _NESTING_LIMIT:
        return None
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for choice in ("anyOf", "oneOf", "allOf"):
        if schema.get(choice):
            return make_sample(schema[choice][0], text, root=root, depth=depth + 1)
    kind = schema.get("type")
    if is_json_list(kind):
        kind = kind[0] if kind else None
    if kind == "object" or (kind is None and "properties" in schema):
        properties: JsonObject = schema.get("properties") or JsonObject()
        required: list[str] = schema.get("required") or []
        return {
            name: make_sample(properties[name], text, root=root, depth=depth + 1)
            for name in properties
            if name in required
        }
    if kind == "array":
        count = max(int(schema.get("minItems") or 0), 1)
        return [make_sample(schema.get("items") or JsonObject(), text, root=root, depth=depth + 1)] * count
    return {"integer": 0, "number": 0, "boolean": False, "null": None}.get(str(kind), text)


def _iterate_objects(node: Any, context: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], JsonObject]]:
    """All nested object schemas, outermost first, each with the path that the service reports."""
    if not is_json_object(node):
        return
    if _is_object(node):
        yield context, node
    for key in ("properties", "$defs", "definitions"):
        for name, sub in (node.get(key) or JsonObject()).items():
            yield from _iterate_objects(sub, (*context, key, name))
    yield from _iterate_objects(node.get("items"), (*context, "items"))
    for key in ("anyOf", "allOf", "oneOf"):
        for index, sub in enumerate(node.get(key) or []):
            yield from _iterate_objects(sub, (*context, key, str(index)))


def _is_object(schema: JsonObject) -> bool:
    return schema.get("type") == "object" or "properties" in schema

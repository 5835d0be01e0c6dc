"""Tools, tool choice and text format: validation, the schemas of functions and formats, and their echo."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from threadbridge.api_types import JsonObject, is_json_list, is_json_object
from threadbridge.schemas.strict_schemas import find_strict_violation, is_object_schema
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator import _validators as validators
from threadbridge_adapters.simulator._containers import check_file_ids, check_memory_limit
from threadbridge_adapters.simulator._validators import Validator
from threadbridge_adapters.simulator._vector_search import MAX_RESULTS, RANKING_OPTIONS, check_filter

_NESTING_LIMIT = 20  # a recursive schema would otherwise have an infinite sample


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
    if is_object_schema(out):
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


MAX_NAME_LENGTH = 64
_NAME_PATTERN = re.compile(r"[a-zA-Z0-9_-]+")
_MODES = ("none", "auto", "required")


def _check_name(path: str, value: Any) -> None:
    validators.string(max_length=MAX_NAME_LENGTH)(path, value)
    if not _NAME_PATTERN.fullmatch(value):
        text = f"Invalid '{path}': string does not match pattern. Expected a string that matches the pattern "
        raise errors.ServiceError(f"{text}'^[a-zA-Z0-9_-]+$'.", param=path, code="invalid_value")


_FUNCTION_FIELDS: dict[str, Validator] = {
    "type": validators.string(),
    "name": _check_name,
    "description": validators.string(),
    "parameters": validators.json_object,
    "strict": validators.boolean,
    "output_schema": validators.json_object,
}


def _check_container(path: str, value: Any) -> None:
    if isinstance(value, str):
        validators.identifier("cntr")(path, value)
        return
    kind = validators.require_object(path, value).get("type")
    if kind is None:
        raise errors.missing_parameter(f"{path}.type")
    validators.one_of("auto")(f"{path}.type", kind)
    validators.check_members(
        path, value, {"type": validators.string(), "file_ids": check_file_ids, "memory_limit": check_memory_limit}
    )


#: Hosted tools: members and required members.
_HOSTED_TOOLS: dict[str, tuple[dict[str, Validator], tuple[str, ...]]] = {
    "file_search": (
        {
            "type": validators.string(),
            "vector_store_ids": validators.array_of_strings(can_be_empty=False),
            "filters": check_filter,
            "max_num_results": validators.integer(minimum=1, maximum=MAX_RESULTS),
            "ranking_options": validators.object_with(
                {**RANKING_OPTIONS, "ranker": validators.one_of("auto", "default-2024-11-15")}
            ),
        },
        ("vector_store_ids",),
    ),
    "code_interpreter": ({"type": validators.string(), "container": _check_container}, ("container",)),
}


def _check_allowed_tools(path: str, value: Any) -> None:
    for index, tool in enumerate(validators.require_array(path, value)):
        validators.require_object(f"{path}[{index}]", tool)


_FUNCTION_CHOICE_FIELDS: dict[str, Validator] = {"type": validators.string(), "name": validators.string()}
_ALLOWED_TOOLS_FIELDS: dict[str, Validator] = {
    "type": validators.string(),
    "mode": validators.one_of("auto", "required"),
    "tools": _check_allowed_tools,
}
_FORMATS: dict[str, tuple[dict[str, Validator], tuple[str, ...]]] = {
    "text": ({"type": validators.string()}, ()),
    "json_object": ({"type": validators.string()}, ()),
    "json_schema": (
        {
            "type": validators.string(),
            "name": _check_name,
            "description": validators.string(),
            "schema": validators.json_object,
            "strict": validators.boolean,
        },
        ("name", "schema"),
    ),
}


def check_tools(path: str, value: Any) -> None:
    """Check flat function tools (§4), `file_search` and `code_interpreter`."""
    for index, tool in enumerate(validators.require_array(path, value)):
        where = f"{path}[{index}]"
        kind = validators.require_object(where, tool).get("type")
        if kind is None:
            raise errors.missing_parameter(f"{where}.type")
        if kind in _HOSTED_TOOLS:
            allowed, required = _HOSTED_TOOLS[kind]
            validators.check_members(where, tool, allowed, required=required)
            continue
        if kind != "function":
            raise errors.invalid_value(f"{where}.type", kind, ("function", *_HOSTED_TOOLS))
        if "name" not in tool:
            raise errors.missing_parameter(f"{where}.name")
        validators.check_members(where, tool, _FUNCTION_FIELDS)
        parameters = tool.get("parameters") or JsonObject()
        fault = find_strict_violation(parameters) if tool.get("strict") else None
        if parameters and parameters.get("type") != "object":
            fault = f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{parameters.get('type')}\"'."
        if fault is not None:
            text = f"Invalid schema for function '{tool['name']}': {fault}"
            raise errors.ServiceError(text, param=f"{where}.parameters", code="invalid_function_parameters")


def check_tool_choice(path: str, value: Any) -> None:
    """Check a mode, one function, or a list of allowed ones; the Chat Completions shape has its own error (§5)."""
    if isinstance(value, str):
        validators.one_of(*_MODES)(path, value)
        return
    kind = validators.require_object(path, value).get("type")
    if kind is None:
        raise errors.missing_parameter(f"{path}.type")
    if kind == "function":
        if "name" not in value:
            raise errors.missing_parameter(f"{path}.name")
        validators.check_members(path, value, _FUNCTION_CHOICE_FIELDS)
    elif kind == "allowed_tools":
        validators.check_members(path, value, _ALLOWED_TOOLS_FIELDS, required=("mode", "tools"))
    elif kind in _HOSTED_TOOLS:
        validators.check_members(path, value, {"type": validators.string()})
    else:
        raise errors.invalid_value(f"{path}.type", kind, ("function", "allowed_tools", *_HOSTED_TOOLS))


def check_choice_against_tools(choice: Any, tools: Sequence[JsonObject]) -> None:
    """Check that a tool choice is possible: there are tools, and a named function is one of them."""
    if choice == "required" and not tools:
        text = "Tool choice 'required' must be specified with 'tools' parameter."
        raise errors.ServiceError(text, param="tool_choice")
    if not is_json_object(choice) or choice["type"] == "allowed_tools":
        return
    kind, name = choice["type"], choice.get("name")
    if not any(tool["type"] == kind and tool.get("name") == name for tool in tools):
        raise errors.ServiceError(f"Tool choice '{kind}' not found in 'tools' parameter.", param="tool_choice")


def check_format(path: str, value: Any) -> None:
    """Check the flat `text.format` of the Responses API (§5)."""
    kind = validators.require_object(path, value).get("type")
    if kind is None:
        raise errors.missing_parameter(f"{path}.type")
    if kind not in _FORMATS:
        raise errors.invalid_value(f"{path}.type", kind, tuple(_FORMATS))
    allowed, required = _FORMATS[kind]
    validators.check_members(path, value, allowed, required=required)
    fault = find_strict_violation(value["schema"]) if value.get("strict") else None
    if fault is not None:
        text = f"Invalid schema for response_format '{value['name']}': {fault}"
        raise errors.ServiceError(text, param=f"{path}.schema", code="invalid_json_schema")


def echo_tool(tool: JsonObject) -> JsonObject:
    """A tool as in the response object. If `strict` is omitted, the tool becomes strict (recorded; §4)."""
    if tool["type"] == "code_interpreter":
        return tool
    if tool["type"] == "file_search":
        return {
            "type": "file_search",
            "filters": tool.get("filters"),
            "max_num_results": tool.get("max_num_results") or 20,
            "ranking_options": {"ranker": "auto", "score_threshold": 0.0}
            | (tool.get("ranking_options") or JsonObject()),
            "vector_store_ids": tool["vector_store_ids"],
        }
    parameters = tool.get("parameters")
    strict = tool.get("strict", True)
    if "strict" not in tool and parameters is not None:
        parameters = make_strict(parameters)
    return {
        "type": "function",
        "description": tool.get("description"),
        "name": tool["name"],
        "output_schema": tool.get("output_schema"),
        "parameters": parameters,
        "strict": bool(strict),
    }


def echo_format(value: JsonObject | None) -> JsonObject:
    """A text format as in the response object."""
    if value is None or value["type"] == "text":
        return {"type": "text"}
    if value["type"] == "json_object":
        return {"type": "json_object"}
    return {
        "type": "json_schema",
        "description": value.get("description"),
        "name": value["name"],
        "schema": value["schema"],
        "strict": bool(value.get("strict", True)),
    }

"""Tools, tool choice and text format: what is accepted, and how it is echoed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from threadbridge.ports import Wire
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator import _validators as checks
from threadbridge_adapters.simulator._attribute_filters import check_filter
from threadbridge_adapters.simulator._containers import check_file_ids, check_memory_limit
from threadbridge_adapters.simulator._schemas import made_strict, strict_fault
from threadbridge_adapters.simulator._validators import Check
from threadbridge_adapters.simulator._vector_search import MOST_RESULTS, RANKING

NAME_LENGTH = 64
_NAME = re.compile(r"[a-zA-Z0-9_-]+")
_MODES = ("none", "auto", "required")


def _name(path: str, value: Any) -> None:
    checks.string(longest=NAME_LENGTH)(path, value)
    if not _NAME.fullmatch(value):
        text = f"Invalid '{path}': string does not match pattern. Expected a string that matches the pattern "
        raise errors.ServiceError(f"{text}'^[a-zA-Z0-9_-]+$'.", param=path, code="invalid_value")


_FUNCTION: dict[str, Check] = {
    "type": checks.string(),
    "name": _name,
    "description": checks.string(),
    "parameters": checks.json_object,
    "strict": checks.boolean,
    "output_schema": checks.json_object,
}


def _container(path: str, value: Any) -> None:
    if isinstance(value, str):
        checks.identifier("cntr")(path, value)
        return
    kind = checks.mapping(path, value).get("type")
    if kind is None:
        raise errors.missing(f"{path}.type")
    checks.one_of("auto")(f"{path}.type", kind)
    checks.members(
        path, value, {"type": checks.string(), "file_ids": check_file_ids, "memory_limit": check_memory_limit}
    )


#: The tools the service runs itself: members, and which of them must be there.
_HOSTED: dict[str, tuple[dict[str, Check], tuple[str, ...]]] = {
    "file_search": (
        {
            "type": checks.string(),
            "vector_store_ids": checks.strings(),
            "filters": check_filter,
            "max_num_results": checks.integer(least=1, most=MOST_RESULTS),
            "ranking_options": checks.shape({**RANKING, "ranker": checks.one_of("auto", "default-2024-11-15")}),
        },
        ("vector_store_ids",),
    ),
    "code_interpreter": ({"type": checks.string(), "container": _container}, ("container",)),
}


def _tool_names(path: str, value: Any) -> None:
    for index, tool in enumerate(checks.array(path, value)):
        checks.mapping(f"{path}[{index}]", tool)


_CHOICE: dict[str, Check] = {"type": checks.string(), "name": checks.string()}
_ALLOWED_TOOLS: dict[str, Check] = {
    "type": checks.string(),
    "mode": checks.one_of("auto", "required"),
    "tools": _tool_names,
}
_FORMATS: dict[str, tuple[dict[str, Check], tuple[str, ...]]] = {
    "text": ({"type": checks.string()}, ()),
    "json_object": ({"type": checks.string()}, ()),
    "json_schema": (
        {
            "type": checks.string(),
            "name": _name,
            "description": checks.string(),
            "schema": checks.json_object,
            "strict": checks.boolean,
        },
        ("name", "schema"),
    ),
}


def check_tools(path: str, value: Any) -> None:
    """Flat function tools (§4), `file_search` and `code_interpreter`."""
    for index, tool in enumerate(checks.array(path, value)):
        where = f"{path}[{index}]"
        kind = checks.mapping(where, tool).get("type")
        if kind is None:
            raise errors.missing(f"{where}.type")
        if kind in _HOSTED:
            allowed, required = _HOSTED[kind]
            checks.members(where, tool, allowed, required=required)
            continue
        if kind != "function":
            raise errors.wrong_value(f"{where}.type", kind, ("function", *_HOSTED))
        if "name" not in tool:
            raise errors.missing(f"{where}.name")
        checks.members(where, tool, _FUNCTION)
        _check_strict(where, tool)


def _check_strict(where: str, tool: Wire) -> None:
    fault = strict_fault(tool.get("parameters") or {}) if tool.get("strict") else None
    if fault is not None:
        text = f"Invalid schema for function '{tool['name']}': {fault}"
        raise errors.ServiceError(text, param=f"{where}.parameters", code="invalid_function_parameters")


def check_tool_choice(path: str, value: Any) -> None:
    """A mode, one function, or a list of allowed ones; the Chat Completions shape is refused by name (§5)."""
    if isinstance(value, str):
        checks.one_of(*_MODES)(path, value)
        return
    kind = checks.mapping(path, value).get("type")
    if kind is None:
        raise errors.missing(f"{path}.type")
    if kind == "function":
        if "name" not in value:
            raise errors.missing(f"{path}.name")
        checks.members(path, value, _CHOICE)
    elif kind == "allowed_tools":
        checks.members(path, value, _ALLOWED_TOOLS, required=("mode", "tools"))
    elif kind in _HOSTED:
        checks.members(path, value, {"type": checks.string()})
    else:
        raise errors.wrong_value(f"{path}.type", kind, ("function", "allowed_tools", *_HOSTED))


def check_choice_against_tools(choice: Any, tools: Sequence[Wire]) -> None:
    """A choice must be possible: there are tools, and a named function is one of them."""
    if choice == "required" and not tools:
        text = "Tool choice 'required' must be specified with 'tools' parameter."
        raise errors.ServiceError(text, param="tool_choice")
    if not isinstance(choice, dict) or choice["type"] == "allowed_tools":
        return
    kind, name = choice["type"], choice.get("name")
    if not any(tool["type"] == kind and tool.get("name") == name for tool in tools):
        raise errors.ServiceError(f"Tool choice '{kind}' not found in 'tools' parameter.", param="tool_choice")


def check_format(path: str, value: Any) -> None:
    """The flat `text.format` of the Responses API (§5)."""
    kind = checks.mapping(path, value).get("type")
    if kind is None:
        raise errors.missing(f"{path}.type")
    if kind not in _FORMATS:
        raise errors.wrong_value(f"{path}.type", kind, tuple(_FORMATS))
    allowed, required = _FORMATS[kind]
    checks.members(path, value, allowed, required=required)
    fault = strict_fault(value["schema"]) if value.get("strict") else None
    if fault is not None:
        text = f"Invalid schema for response_format '{value['name']}': {fault}"
        raise errors.ServiceError(text, param=f"{path}.schema", code="invalid_json_schema")


def echoed_tool(tool: Wire) -> Wire:
    """A tool as the response object shows it. Omitted `strict` means: made strict (recorded; the trap of §4)."""
    if tool["type"] == "code_interpreter":
        return tool
    if tool["type"] == "file_search":
        return _echoed_file_search(tool)
    parameters = tool.get("parameters")
    strict = tool.get("strict", True)
    if "strict" not in tool and parameters is not None:
        parameters = made_strict(parameters)
    return {
        "type": "function",
        "description": tool.get("description"),
        "name": tool["name"],
        "output_schema": tool.get("output_schema"),
        "parameters": parameters,
        "strict": bool(strict),
    }


def _echoed_file_search(tool: Wire) -> Wire:
    return {
        "type": "file_search",
        "filters": tool.get("filters"),
        "max_num_results": tool.get("max_num_results") or 20,
        "ranking_options": {"ranker": "auto", "score_threshold": 0.0} | (tool.get("ranking_options") or {}),
        "vector_store_ids": tool["vector_store_ids"],
    }


def echoed_format(value: Wire | None) -> Wire:
    """A text format as the response object shows it."""
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

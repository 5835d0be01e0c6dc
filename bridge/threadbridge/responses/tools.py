"""Tools, tool choice and answer format in the words of the Responses API (§4, §5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from threadbridge.ports import Wire

_NO_PARAMETERS: Wire = {"type": "object", "properties": {}}  # A22


def function_tools(tools: Sequence[Wire]) -> list[Wire]:
    """The function tools, flat. `strict` is always said: left out, the two APIs mean opposite things by it (§4)."""
    return [_flat(tool["function"]) for tool in tools if tool["type"] == "function"]


def _flat(function: Wire) -> Wire:
    flat: Wire = {"type": "function", "name": function["name"]}
    if function.get("description") is not None:
        flat["description"] = function["description"]
    flat["parameters"] = function.get("parameters") or _NO_PARAMETERS
    flat["strict"] = bool(function.get("strict"))
    return flat


def left_out_tools(tools: Sequence[Wire]) -> list[str]:
    """The types of the tools that `function_tools` leaves out, each once, in order."""
    return list(dict.fromkeys(tool["type"] for tool in tools if tool["type"] != "function"))


def tool_choice(choice: str | Mapping[str, Any] | None, *, first_turn: bool) -> str | Wire:
    """The choice for this turn. What forces a call holds for the first turn only, or the run would not end (§5)."""
    if choice == "none":
        return "none"
    if choice is None or not first_turn:
        return "auto"
    if isinstance(choice, str):
        return choice
    if choice["type"] == "function":
        return {"type": "function", "name": choice["function"]["name"]}
    return "auto"  # forces a hosted tool, which is not among the tools sent


def text_format(response_format: str | Mapping[str, Any] | None) -> Wire | None:
    """`text.format`, or None where the model is left to its default."""
    if response_format is None or isinstance(response_format, str):
        return None
    if response_format["type"] != "json_schema":
        return {"type": response_format["type"]}
    schema = response_format["json_schema"]
    flat: Wire = {"type": "json_schema", "name": schema["name"]}
    if schema.get("description") is not None:
        flat["description"] = schema["description"]
    return {**flat, "schema": schema.get("schema") or {}, "strict": bool(schema.get("strict"))}

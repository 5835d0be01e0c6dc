"""Maps tools, tool choice and response format to the Responses API (§4, §5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from threadbridge.ports import Wire
from threadbridge.translation.hosted_tools.hosted_tool import HostedToolResources
from threadbridge.translation.hosted_tools.registry import HOSTED_TOOLS

_NO_PARAMETERS: Wire = {"type": "object", "properties": {}}  # A22


def build_tools(tools: Sequence[Wire], hosted_tools: HostedToolResources | None, *, model: str) -> list[Wire]:
    """The tools of the request, in order. Without `hosted_tools` the service has none of its own (S12)."""
    return [tool for tool in (_convert_tool(tool, hosted_tools, model) for tool in tools) if tool is not None]


def _convert_tool(tool: Wire, resources: HostedToolResources | None, model: str) -> Wire | None:
    if tool["type"] == "function":
        return _convert_function(tool["function"])
    hosted_tool = HOSTED_TOOLS.get(tool["type"])
    if hosted_tool is None or resources is None:
        return None
    return hosted_tool.build_request(tool, resources, model)


def _convert_function(function: Wire) -> Wire:
    """`strict` is always sent, because its defaults in the two APIs are opposite (§4)."""
    flat: Wire = {"type": "function", "name": function["name"]}
    if function.get("description") is not None:
        flat["description"] = function["description"]
    flat["parameters"] = function.get("parameters") or _NO_PARAMETERS
    flat["strict"] = bool(function.get("strict"))
    return flat


def list_omitted_tools(tools: Sequence[Wire], sent: Sequence[Wire]) -> list[str]:
    """The types of the tools that are not sent, each once, in order."""
    kinds = {tool["type"] for tool in sent}
    return list(dict.fromkeys(tool["type"] for tool in tools if tool["type"] not in kinds))


def list_includes(sent: Sequence[Wire]) -> list[str]:
    """The `include` values that complete the items of the tools sent (§3)."""
    hosted_tools = (HOSTED_TOOLS.get(tool["type"]) for tool in sent)
    return [tool.include for tool in hosted_tools if tool is not None and tool.include is not None]


def build_tool_choice(choice: str | Mapping[str, Any] | None, sent: Sequence[Wire], *, first_turn: bool) -> str | Wire:
    """The choice among the tools sent with this turn.

    What forces a call holds for the first turn only, or the run would not end (§5).
    """
    if choice == "none":
        return "none"
    if choice is None or not first_turn:
        return "auto"
    if isinstance(choice, str):
        return choice
    if choice["type"] == "function":
        return {"type": "function", "name": choice["function"]["name"]}
    if any(tool["type"] == choice["type"] for tool in sent):
        return {"type": choice["type"]}
    return "auto"  # see `forces_missing_tool`


def forces_missing_tool(choice: str | Mapping[str, Any] | None, sent: Sequence[Wire]) -> bool:
    """Whether the choice forces a call that no sent tool can make. The service checks the name of a function."""
    if choice is None or choice in ("auto", "none"):
        return False
    if isinstance(choice, str) or choice["type"] == "function":
        return not sent
    return all(tool["type"] != choice["type"] for tool in sent)


def build_text_format(response_format: str | Mapping[str, Any] | None) -> Wire | None:
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

"""Maps tools, tool choice and response format to the Responses API (§4, §5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from threadbridge.api_types import (
    AssistantTool,
    HostedToolChoice,
    JsonObject,
    ResponseFormat,
    ResponseFunctionTool,
    ResponseTool,
    ResponseToolChoice,
    TextFormat,
    TextFormatJsonSchema,
    ToolChoice,
)
from threadbridge.translation.hosted_tools.hosted_tool import HostedToolResources
from threadbridge.translation.hosted_tools.registry import HOSTED_TOOLS

_NO_PARAMETERS: JsonObject = {"type": "object", "properties": {}}  # A22
#: The same for a strict function, as the service requires it.
_NO_STRICT_PARAMETERS: JsonObject = {**_NO_PARAMETERS, "required": [], "additionalProperties": False}


def build_tools(
    tools: Sequence[AssistantTool], hosted_tools: HostedToolResources | None, *, model: str
) -> list[ResponseTool]:
    """The tools of the request, in order. Without `hosted_tools` the service has none of its own (S12)."""
    sent: list[ResponseTool] = []
    for tool in tools:
        if tool["type"] == "function":
            function = tool["function"]
            is_strict = bool(function.get("strict"))
            parameters = function.get("parameters") or _NO_PARAMETERS
            if is_strict and parameters == _NO_PARAMETERS:
                parameters = _NO_STRICT_PARAMETERS
            flat: ResponseFunctionTool = {
                "type": "function",
                "name": function["name"],
                "parameters": parameters,
                "strict": is_strict,  # always sent: the defaults of the two APIs are opposite (§4)
            }
            description = function.get("description")
            if description is not None:
                flat["description"] = description
            sent.append(flat)
            continue
        hosted_tool = HOSTED_TOOLS.get(tool["type"])
        if hosted_tool is None or hosted_tools is None:
            continue
        request = hosted_tool.build_request(tool, hosted_tools, model)
        if request is not None:
            sent.append(request)
    return sent


def list_omitted_tools(tools: Sequence[AssistantTool], sent: Sequence[ResponseTool]) -> list[str]:
    """The types of the tools that are not sent, each once, in order."""
    kinds = {tool["type"] for tool in sent}
    return list(dict.fromkeys(tool["type"] for tool in tools if tool["type"] not in kinds))


def list_includes(tool_types: Sequence[str]) -> list[str]:
    """The `include` values that complete the output items of the tools of these types (§3)."""
    hosted_tools = (HOSTED_TOOLS.get(tool_type) for tool_type in tool_types)
    return [tool.include for tool in hosted_tools if tool is not None and tool.include is not None]


def build_tool_choice(
    choice: ToolChoice | None, sent: Sequence[ResponseTool], *, first_turn: bool
) -> ResponseToolChoice:
    """The choice among the tools sent with this turn.

    A choice that forces a call applies to the first turn only; otherwise the run would not end (§5).
    """
    if choice == "none":
        return "none"
    if choice is None or not first_turn:
        return "auto"
    if isinstance(choice, str):
        return choice
    if "function" in choice:
        return {"type": "function", "name": choice["function"]["name"]}
    if any(tool["type"] == choice["type"] for tool in sent):
        return cast("HostedToolChoice", {"type": choice["type"]})  # a registered tool need not be one of the API
    return "auto"  # see `forces_missing_tool`


def forces_missing_tool(choice: ToolChoice | None, sent: Sequence[ResponseTool]) -> bool:
    """Whether the choice forces a call that no sent tool can make. The service checks the name of a function."""
    if choice is None or choice in ("auto", "none"):
        return False
    if isinstance(choice, str) or choice["type"] == "function":
        return not sent
    return all(tool["type"] != choice["type"] for tool in sent)


def build_text_format(response_format: ResponseFormat | None) -> TextFormat | None:
    """`text.format`, or None where the service's default applies."""
    if response_format is None or isinstance(response_format, str):
        return None
    if response_format["type"] != "json_schema":
        return {"type": response_format["type"]}
    schema = response_format["json_schema"]
    flat: TextFormatJsonSchema = {
        "type": "json_schema",
        "name": schema["name"],
        "schema": schema.get("schema") or {},
        "strict": bool(schema.get("strict")),
    }
    description = schema.get("description")
    if description is not None:
        flat["description"] = description
    return flat

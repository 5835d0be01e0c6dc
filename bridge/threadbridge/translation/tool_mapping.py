"""Tools, tool choice and answer format in the words of the Responses API (§4, §5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from threadbridge.ports import Wire
from threadbridge.translation.models.data import DEFAULT_SEARCH_RESULTS, MODEL_FAMILIES
from threadbridge.translation.models.resolution import get_base_model

_NO_PARAMETERS: Wire = {"type": "object", "properties": {}}  # A22

#: The names of the legacy ranker; the Responses API knows only a later one and `auto` (§4).
_LEGACY_RANKERS = frozenset({"auto", "default_2024_08_21"})


@dataclass(frozen=True, slots=True)
class HostedToolResources:
    """What the hosted tools of a run work on: the stores to search, and where code runs.

    `container` is the id of one, or None: a fresh one with the files, whose state ends with the response.
    """

    vector_store_ids: tuple[str, ...] = ()
    file_ids: tuple[str, ...] = ()
    container_id: str | None = None


def build_tools(tools: Sequence[Wire], hosted_tools: HostedToolResources | None, *, model: str) -> list[Wire]:
    """The tools to be sent, in order. Without `hosted` the service has none of its own (S12).

    A file search without any store is left out: the Responses API wants one, and nothing would be found (§4).
    """
    return [tool for tool in (_convert_tool(tool, hosted_tools, model) for tool in tools) if tool is not None]


def _convert_tool(tool: Wire, hosted_tools: HostedToolResources | None, model: str) -> Wire | None:
    match tool["type"]:
        case "function":
            return _convert_function(tool["function"])
        case "file_search" if hosted_tools is not None and hosted_tools.vector_store_ids:
            return _convert_file_search(tool.get("file_search", {}), hosted_tools.vector_store_ids, model)
        case "code_interpreter" if hosted_tools is not None:
            fresh = {"type": "auto", "file_ids": list(hosted_tools.file_ids)}
            return {"type": "code_interpreter", "container": hosted_tools.container_id or fresh}
        case _:
            return None


def _convert_file_search(options: Wire, vector_store_ids: Sequence[str], model: str) -> Wire:
    family = MODEL_FAMILIES.get(get_base_model(model))
    max_results = options.get("max_num_results") or (
        family.search_results if family is not None else DEFAULT_SEARCH_RESULTS
    )
    tool: Wire = {"type": "file_search", "vector_store_ids": list(vector_store_ids), "max_num_results": max_results}
    ranking = options.get("ranking_options") or {}
    ranker = ranking.get("ranker") or "auto"
    ranking_options: Wire = {
        "ranker": "auto" if ranker in _LEGACY_RANKERS else ranker,
        "score_threshold": ranking.get("score_threshold") or 0.0,
    }
    if ranking.get("hybrid_search") is not None:
        ranking_options["hybrid_search"] = ranking["hybrid_search"]
    return {**tool, "ranking_options": ranking_options}


def _convert_function(function: Wire) -> Wire:
    """`strict` is always said: left out, the two APIs mean opposite things by it (§4)."""
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


#: What a hosted tool's item tells only when it is asked for (§3).
_TOOL_INCLUDES: Mapping[str, str] = {
    "file_search": "file_search_call.results",
    "code_interpreter": "code_interpreter_call.outputs",
}


def list_includes(sent: Sequence[Wire]) -> list[str]:
    """What has to be asked for so that steps can be shown whole."""
    return [_TOOL_INCLUDES[tool["type"]] for tool in sent if tool["type"] in _TOOL_INCLUDES]


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
    return "auto"  # `forces_unsent`


def forces_missing_tool(choice: str | Mapping[str, Any] | None, sent: Sequence[Wire]) -> bool:
    """Whether the choice forces a call that no tool sent can make. A function's name is for the service to judge."""
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

"""Assistants as definitions of agents for the Agents SDK: an export only, with what agents do not have."""

from __future__ import annotations

from typing import Final

import orjson

from threadbridge.api_types import JsonMapping, JsonObject, is_json_object

_SETTINGS: Final = ("temperature", "top_p")


def render_agent(assistant: JsonMapping) -> tuple[dict[str, str], list[str]]:
    """The file `ID.agent.json` with the arguments of an agent, and what is lost, one sentence each."""
    assistant_id, losses = str(assistant["id"]), list[str]()
    tools: list[JsonObject] = []
    resources: object = assistant.get("tool_resources")
    resources = resources if is_json_object(resources) else {}
    for tool in assistant.get("tools") or ():
        kind = tool.get("type") if is_json_object(tool) else None
        details: object = resources.get(str(kind))
        details = details if is_json_object(details) else {}
        if kind == "function":
            tools.append({"type": "function", **tool["function"]})
            losses.append(
                f"{assistant_id}: the function {tool['function'].get('name')!r} needs code that the agent calls"
            )
        elif kind == "file_search":
            tools.append({"type": "file_search", "vector_store_ids": details.get("vector_store_ids") or []})
        elif kind == "code_interpreter":
            container: JsonObject = {"type": "auto", "file_ids": details.get("file_ids") or []}
            tools.append({"type": "code_interpreter", "container": container})
    model_settings: JsonObject = {name: assistant[name] for name in _SETTINGS if assistant.get(name) not in (None, 1.0)}
    if assistant.get("reasoning_effort"):
        model_settings["reasoning"] = {"effort": assistant["reasoning_effort"]}
    agent: JsonObject = {
        "name": assistant.get("name") or assistant_id,
        "instructions": assistant.get("instructions") or "",
        "model": assistant.get("model"),
        "model_settings": model_settings,
        "tools": tools,
    }
    form: object = assistant.get("response_format")
    if is_json_object(form) and form.get("type") == "json_schema":
        agent["output_schema"] = form.get("json_schema")
    losses.append(
        f"{assistant_id}: agents have no id that requests can name, and no threads; truncation is the program's"
    )
    for name in ("description", "metadata"):
        if assistant.get(name):
            losses.append(f"{assistant_id}: {name} is left out")
    text = orjson.dumps(agent, option=orjson.OPT_INDENT_2).decode() + "\n"
    return {f"{assistant_id}.agent.json": text}, losses

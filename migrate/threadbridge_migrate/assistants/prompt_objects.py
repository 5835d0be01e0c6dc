"""Prompt objects, which ended on 2026-11-30, as assistants: the last replacement for assistants becomes one again."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from threadbridge.api_types import JsonMapping, JsonObject, is_json_list, is_json_object
from threadbridge_migrate.dumps.values import derive_id

_VARIABLE: Final = re.compile(r"\{\{\s*([\w.-]+)\s*\}\}")
_HOSTED: Final = {"file_search", "code_interpreter"}


class ConvertedPrompt(NamedTuple):
    """An assistant made of a prompt, and what of the prompt it does not have, one sentence each."""

    assistant: JsonObject
    losses: list[str]


def find_prompts(value: object) -> list[JsonMapping]:
    """The prompt objects in a dump: one, a list, or a page of them."""
    if is_json_list(value):
        return [prompt for each in value for prompt in find_prompts(each)]
    if not is_json_object(value):
        return []
    if str(value.get("id", "")).startswith("pmpt_"):
        return [value]
    return [prompt for name in ("data", "prompts", "versions") for prompt in find_prompts(value.get(name))]


def convert_prompt(prompt: JsonMapping, variables: JsonMapping) -> ConvertedPrompt:
    """The assistant of a prompt: its id is derived of the prompt's, and always the same.

    Instructions and messages of the system and the developer become the instructions; `variables` replace the
    placeholders of these names.
    """
    prompt_id, losses = str(prompt["id"]), list[str]()
    texts = [text for name in ("instructions", "prompt") if isinstance(text := prompt.get(name), str)]
    messages: object = prompt.get("messages", prompt.get("input"))
    for message in messages if is_json_list(messages) else ():
        if not is_json_object(message):
            continue
        text = _join_text(message.get("content"))
        if message.get("role") in ("system", "developer"):
            texts.append(text)
        else:
            losses.append(f"{prompt_id}: a message of the role {message.get('role')!r} is left out: {text[:60]!r}")
    instructions = _VARIABLE.sub(lambda found: str(variables.get(found[1], found[0])), "\n\n".join(texts))
    if open_names := sorted(set(_VARIABLE.findall(instructions))):
        losses.append(
            f"{prompt_id}: the variables {', '.join(open_names)} stay as text; give them with --var NAME=VALUE"
        )
    metadata = {"prompt_id": prompt_id, **({"prompt_version": str(prompt["version"])} if prompt.get("version") else {})}
    tools, resources = _convert_tools(prompt_id, prompt.get("tools"), losses)
    assistant: JsonObject = {
        "id": derive_id("run", "prompt", prompt_id).replace("run_", "asst_"),
        "name": prompt.get("name") or prompt.get("title"),
        "model": prompt.get("model") or "gpt-5",
        "instructions": instructions,
        "tools": tools,
        "tool_resources": resources,
        "metadata": metadata,
    }
    if not prompt.get("model"):
        losses.append(f"{prompt_id}: names no model; gpt-5 was set")
    for name in ("temperature", "top_p"):
        if prompt.get(name) is not None:
            assistant[name] = prompt[name]
    reasoning: object = prompt.get("reasoning")
    if is_json_object(reasoning) and reasoning.get("effort"):
        assistant["reasoning_effort"] = reasoning["effort"]
    output: object = prompt.get("text")
    form: object = output.get("format") if is_json_object(output) else None
    if is_json_object(form) and form.get("type") == "json_schema":
        schema = {name: form[name] for name in ("name", "description", "schema", "strict") if name in form}
        assistant["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif is_json_object(form) and form.get("type") == "json_object":
        assistant["response_format"] = {"type": "json_object"}
    return ConvertedPrompt(assistant, losses)


def _convert_tools(prompt_id: str, tools: object, losses: list[str]) -> tuple[list[JsonObject], JsonObject]:
    converted: list[JsonObject] = []
    resources: JsonObject = {}
    for tool in tools if is_json_list(tools) else ():
        kind: object = tool.get("type") if is_json_object(tool) else None
        if not is_json_object(tool) or not isinstance(kind, str):
            continue
        if kind == "function":
            function: object = tool.get("function")
            names = ("name", "description", "parameters", "strict")
            body = function if is_json_object(function) else {name: tool[name] for name in names if name in tool}
            converted.append({"type": "function", "function": {**body}})
        elif kind in _HOSTED:
            converted.append({"type": kind})
            stores: object = tool.get("vector_store_ids")
            if kind == "file_search" and is_json_list(stores) and stores:
                resources["file_search"] = {"vector_store_ids": stores}
            container: object = tool.get("container")
            files: object = container.get("file_ids") if is_json_object(container) else None
            if is_json_list(files) and files:
                resources["code_interpreter"] = {"file_ids": files}
        else:
            losses.append(f"{prompt_id}: assistants have no tool {kind!r}; it is left out")
    return converted, resources


def _join_text(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = [part.get("text") for part in content if is_json_object(part)] if is_json_list(content) else []
    return "\n\n".join(text for text in parts if isinstance(text, str))

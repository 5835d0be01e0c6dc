"""The files of an assistant: `ID.toml`, instructions in `ID.md`, and tools that TOML cannot hold in `ID.tools.json`.

They are what `threadbridge serve --assistants DIR` reads. Texts are rendered and compared before anything is written.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, cast

import orjson

from threadbridge.api_types import CreateAssistantBody, JsonMapping, JsonObject, is_json_list, is_json_object
from threadbridge.runtime.clock_and_ids import new_id
from threadbridge.runtime.declared_assistants import read_declared_assistants
from threadbridge.service.context import ServiceContext
from threadbridge.service.object_factory import build_assistant
from threadbridge.settings import AssistantsSettings, Limits
from threadbridge_migrate.archive.reader import open_private
from threadbridge_migrate.errors import UsageError
from threadbridge_migrate.export.references import is_usable_id

#: The fields of a creation request in the order of the file. Others are the service's own.
_FIELDS: Final = (
    *("name", "description", "model", "temperature", "top_p", "reasoning_effort", "response_format"),
    *("metadata", "tool_resources", "tools"),
)

#: Values that a creation request has anyway.
_DEFAULTS: Final[Mapping[str, object]] = {"temperature": 1.0, "top_p": 1.0, "response_format": "auto"}


def render(assistant: JsonMapping) -> dict[str, str]:
    """The texts of the files of an assistant, by name. Raises UsageError for an id that cannot be a file name."""
    import tomli_w

    assistant_id = str(assistant["id"])
    if not is_usable_id(assistant_id):
        raise UsageError(
            f"The assistant id {assistant_id[:80]!r} cannot be the name of a file; leave it out with --only."
        )
    files: dict[str, str] = {}
    body: JsonObject = {}
    for name in _FIELDS:
        value: object = assistant.get(name)
        if value in (None, [], {}) or value == _DEFAULTS.get(name):
            continue
        body[name] = value
    instructions = assistant.get("instructions")
    if isinstance(instructions, str) and instructions:
        body["instructions_file"] = f"{assistant_id}.md"
        files[f"{assistant_id}.md"] = instructions
    for name in ("tools", "response_format"):
        if name in body and _has_null(body[name]):
            file = f"{assistant_id}.{name}.json"
            text = orjson.dumps(body.pop(name), option=orjson.OPT_INDENT_2).decode() + "\n"
            files[file], body[f"{name}_file"] = text, file
    order = {name: number for number, name in enumerate((*_FIELDS[:3], "instructions_file", *_FIELDS[3:]))}
    scalars_first = sorted(body.items(), key=lambda item: (is_json_object(item[1]), order.get(item[0], 99)))
    return {f"{assistant_id}.toml": tomli_w.dumps(dict(scalars_first), multiline_strings=True), **files}


def _has_null(value: object) -> bool:
    """Whether a value has a null, which TOML does not know."""
    if is_json_object(value):
        return any(map(_has_null, value.values()))
    return any(map(_has_null, value)) if is_json_list(value) else value is None


def write_files(folder: Path, texts: Mapping[str, str]) -> None:
    """Write the files of an assistant, each replaced as a whole. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, text in texts.items():
        draft = folder / f".{name}.new"
        with open_private(draft, "wb") as file:
            file.write(text.encode())
        os.replace(draft, folder / name)


def read_folder(folder: Path) -> Mapping[str, JsonMapping]:
    """The creation bodies in a folder by id, checked as the API checks them. Raises ConfigurationError."""
    return read_declared_assistants(AssistantsSettings(directory=str(folder)), Limits())


def build_stored_form(assistant_id: str, body: JsonMapping) -> JsonObject:
    """The assistant of a creation body, with the defaults that a store or a service adds."""
    context = ServiceContext(0, new_id, "")
    return {**build_assistant(context, cast("CreateAssistantBody", body)), "id": assistant_id}


def compare_texts(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    """The lines of a unified diff between the files of an assistant in two places."""
    for name in dict.fromkeys((*old, *new)):
        before, after = old.get(name, "").splitlines(), new.get(name, "").splitlines()
        sides = (name if name in old else "/dev/null", name if name in new else "/dev/null")
        yield from difflib.unified_diff(before, after, *sides, lineterm="")

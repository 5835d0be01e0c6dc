"""Reads the assistants that the configuration declares: tables of the settings, and a directory of TOML files.

`asst_….toml` has the fields of a creation request, and `id` if the file has another name. `instructions_file` names a
text file next to it, `tools_file` and `response_format_file` JSON files.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from threadbridge.api_types import CreateAssistantBody, JsonMapping, JsonObject
from threadbridge.errors import BridgeError, ConfigurationError
from threadbridge.settings import AssistantsSettings, Limits
from threadbridge.validation import ASSISTANT_CREATE, validate_body, validate_id

#: Fields that may be in a file of their own: a text, and JSON with nulls, which TOML does not know.
_FIELDS_IN_FILES: Final = ("instructions", "tools", "response_format")


def read_declared_assistants(settings: AssistantsSettings, limits: Limits) -> Mapping[str, CreateAssistantBody]:
    """The creation bodies of the declared assistants by id, checked as the API checks them; a file precedes a table.

    Raises ConfigurationError with the file or key: for an id twice, an unreadable file, or a wrong field.
    """
    bodies: dict[str, CreateAssistantBody] = {}
    for assistant_id, table in settings.declared.items():
        bodies[assistant_id] = _check(f'assistants."{assistant_id}"', assistant_id, table, Path(), limits)
    if settings.directory is None:
        return bodies
    directory = Path(settings.directory)
    if not directory.is_dir():
        raise ConfigurationError(f"assistants.directory: {directory} is not a directory.")
    for path in sorted(directory.glob("*.toml")):
        try:
            table = tomllib.loads(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{path} cannot be read: {type(error).__name__}.") from None
        except tomllib.TOMLDecodeError as error:
            raise ConfigurationError(f"{path} must be valid TOML: {error}.") from None
        assistant_id = table.pop("id", path.stem)
        if assistant_id in bodies:
            raise ConfigurationError(f"{path}: the assistant {assistant_id!r} is declared twice.")
        bodies[assistant_id] = _check(str(path), assistant_id, table, path.parent, limits)
    return bodies


def _check(label: str, assistant_id: object, table: JsonMapping, folder: Path, limits: Limits) -> CreateAssistantBody:
    body: JsonObject = {**table}
    for field in _FIELDS_IN_FILES:
        source = body.pop(f"{field}_file", None)
        if source is None:
            continue
        if field in body or not isinstance(source, str):
            raise ConfigurationError(f"{label}: give either {field} or {field}_file, the name of a file.")
        try:
            text = (folder / source).read_text("utf-8")
            body[field] = text if field == "instructions" else json.loads(text)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{label}: {folder / source} cannot be read: {type(error).__name__}.") from None
        except ValueError:
            raise ConfigurationError(f"{label}: {folder / source} must be valid JSON.") from None
    if not isinstance(assistant_id, str):
        raise ConfigurationError(f"{label}: the id must be a string such as asst_abc123.")
    try:
        validate_id("id", "asst", assistant_id)
        checked: CreateAssistantBody = validate_body(ASSISTANT_CREATE, body, limits=limits)
    except BridgeError as error:
        raise ConfigurationError(f"{label}: {error.message}") from None
    return checked

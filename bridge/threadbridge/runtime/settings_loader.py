"""Loads the settings: arguments take precedence over environment, file and defaults, in this order."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, cast, get_args

from pydantic import BaseModel, ValidationError

from threadbridge.api_types import is_json_object
from threadbridge.errors import ConfigurationError
from threadbridge.runtime import plugins
from threadbridge.settings import Settings, split_credentials

OWN_FILE = "threadbridge.toml"
PROJECT_FILE = "pyproject.toml"
ENVIRONMENT_PREFIX = "THREADBRIDGE_"

#: The keys that lead to a setting, for instance `("gateway", "port")`.
_KeyPath: TypeAlias = tuple[str, ...]
_Tree: TypeAlias = dict[str, Any]

#: Sections that can be a plain string, their `base_url`.
_ENDPOINT_SECTIONS = ("upstream", "assistants")


def load_settings(**arguments: Any) -> Settings:
    """The settings of this process.

    Arguments (`backend="assistants"`, `gateway={"port": 0}`; None counts as not set) take precedence over the
    environment (`THREADBRIDGE_STORE`, `THREADBRIDGE_UPSTREAM__BASE_URL`; a section can be JSON), which takes precedence
    over `threadbridge.toml` in the working directory or, without such a file, `[tool.threadbridge]` of its
    `pyproject.toml`. `upstream="https://…"` is short for `upstream={"base_url": "https://…"}`, likewise `assistants`.

    An unknown variable `THREADBRIDGE_SOMETHING` is no error (orchestrators create such names); an unknown key in
    another source is. Raises ConfigurationError: one sentence with the source, the key and the allowed values, and
    without the value unless it is the name of a backend.
    """
    from threadbridge.runtime.environment_settings import read_environment  # pydantic-settings takes 120 ms to import

    environment = _to_tree(read_environment(ENVIRONMENT_PREFIX, _ENDPOINT_SECTIONS))
    sources = [
        _load_file(),
        _SettingsSource("environment variable {variable}", environment),
        _SettingsSource("argument {dotted}", _to_tree(arguments)),
    ]
    merged: _Tree = {}
    for source in sources:
        _merge(merged, source.tree)
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as exc:
        error = exc.errors(include_url=False, include_input=False)[0]
        path = tuple(str(part) for part in error["loc"])
        key = _describe_key(path, sources)
        if error["type"] == "missing":
            key = _describe_key(path, sources, set_by=path[:-1])
            raise ConfigurationError(f"{key} is missing, and must be given.") from None
        if error["type"] == "extra_forbidden":
            allowed = ", ".join(_list_allowed_keys(path[:-1]))
            raise ConfigurationError(f"{key} is not a setting; it must be one of {allowed}.") from None
        raise ConfigurationError(f"{key} is wrong: {error['msg'][0].lower()}{error['msg'][1:]}.") from None
    if "backend" in settings.model_fields_set:  # only this function knows its source
        plugins.check_plugin_name("backends", settings.backend, key=_describe_key(("backend",), sources))
    return settings


#: Parts of settings whose values are secret; of a query, all but the version of the API.
_SECRET_KEY = re.compile(r"(?:.*\.)?(?:api_key|headers\..*|query\.(?!api-version$).*)")


def reject_secret_argument(option: str, key: str, value: str | None) -> None:
    """Raise ConfigurationError for an option of the command line whose value is or contains a secret.

    `key` is its setting (`assistants.api_key`). Every user of a machine can list the commands with their options.
    """
    has_credentials = value is not None and "://" in value and split_credentials(value)[1] is not None
    if has_credentials or (value and _SECRET_KEY.fullmatch(key)):
        variable = ENVIRONMENT_PREFIX + "__".join(key.split(".")[:2]).upper()
        raise ConfigurationError(
            f"{option}: other users of this machine can read a secret on the command line; set {variable} instead."
        )


@dataclass(frozen=True)
class _SettingsSource:
    """One source of settings. `label` describes a key of it in messages."""

    label: str
    tree: _Tree

    def describe_key(self, path: _KeyPath) -> str:
        dotted = ".".join(path)
        variable = ENVIRONMENT_PREFIX + "__".join(path).upper()
        return self.label.format(dotted=dotted, variable=variable)


def _load_file() -> _SettingsSource:
    own = Path(OWN_FILE)
    if own.is_file():
        return _SettingsSource(f"{OWN_FILE}: {{dotted}}", _to_tree(_read_toml(own)))
    project = Path(PROJECT_FILE)
    if project.is_file():
        tool: object = _read_toml(project).get("tool", {})
        table: object = tool.get("threadbridge", {}) if is_json_object(tool) else {}
        if not is_json_object(table):
            raise ConfigurationError(f"{PROJECT_FILE}: tool.threadbridge must be a table.")
        return _SettingsSource(f"{PROJECT_FILE}: tool.threadbridge.{{dotted}}", _to_tree(table))
    return _SettingsSource("", {})


def _read_toml(path: Path) -> _Tree:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigurationError(f"{path} cannot be read: {type(exc).__name__}.") from exc
    except tomllib.TOMLDecodeError as exc:
        raise ConfigurationError(f"{path} must be valid TOML: {exc}.") from exc


def _to_tree(values: Mapping[str, Any]) -> _Tree:
    """Plain nested dictionaries: models as dictionaries, services as sections instead of URLs, without None."""
    tree = {key: _to_tree_value(value) for key, value in values.items() if value is not None}
    for key in _ENDPOINT_SECTIONS:
        if isinstance(tree.get(key), str):
            tree[key] = {"base_url": tree[key]}
    return tree


def _to_tree_value(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return {name: _to_tree_value(getattr(value, name)) for name in value.model_fields_set}
    if isinstance(value, Mapping):
        mapping = cast("Mapping[str, object]", value)
        return {key: _to_tree_value(item) for key, item in mapping.items() if item is not None}
    return value


def _merge(into: _Tree, tree: _Tree) -> None:
    for key, value in tree.items():
        current: object = into.get(key)
        if is_json_object(current) and is_json_object(value):
            _merge(current, value)
        else:
            into[key] = dict(value) if is_json_object(value) else value


def _describe_key(path: _KeyPath, sources: list[_SettingsSource], *, set_by: _KeyPath | None = None) -> str:
    """A key with its source: the last one that has the key, or that has `set_by`, the section of a missing key."""
    for source in reversed(sources):
        tree: object = source.tree
        for part in set_by or path:
            if not is_json_object(tree) or part not in tree:
                break
            tree = tree[part]
        else:
            return source.describe_key(path)
    return ".".join(path)


def _list_allowed_keys(section: _KeyPath) -> list[str]:
    model: Any = Settings
    for part in section:
        fields: Any = getattr(model, "model_fields", None)
        # A type without fields is a dictionary of sections with the user's own names.
        model = fields[part].annotation if fields is not None else get_args(model)[-1]
    return sorted(model.model_fields)

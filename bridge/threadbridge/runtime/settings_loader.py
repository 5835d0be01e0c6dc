"""Settings from where people put them: arguments over environment over file over default."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, get_args

from pydantic import BaseModel, ValidationError

from threadbridge.errors import ConfigurationError
from threadbridge.runtime import plugins
from threadbridge.settings import Settings

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

OWN_FILE = "threadbridge.toml"
PROJECT_FILE = "pyproject.toml"
ENVIRONMENT_PREFIX = "THREADBRIDGE_"

#: A setting's place in the tree, for instance `("gateway", "port")`.
_KeyPath: TypeAlias = tuple[str, ...]
_Tree: TypeAlias = dict[str, Any]

#: Sections that may be given as a plain string, which then is their `base_url`.
_ENDPOINT_SECTIONS = ("upstream", "assistants")


def load_settings(**arguments: Any) -> Settings:
    """The settings of this process.

    Arguments (`backend="assistants"`, `gateway={"port": 0}`; None means "not given") come before the environment
    (`THREADBRIDGE_STORE`, `THREADBRIDGE_UPSTREAM__BASE_URL`; sections as JSON work too), which comes before
    `threadbridge.toml` in the working directory or, only where there is no such file, `[tool.threadbridge]` of its
    `pyproject.toml`. `upstream="https://…"` is short for `upstream={"base_url": "https://…"}`, likewise `assistants`.

    An unknown variable `THREADBRIDGE_SOMETHING` is no error (orchestrators make such names), an unknown key anywhere
    else is. Raises ConfigurationError: one sentence naming the place, the key and what is allowed; never a value but a
    backend's name.
    """
    sources = [_load_file(), _load_environment(), _SettingsSource("argument {dotted}", _to_tree(arguments))]
    merged: _Tree = {}
    for source in sources:
        _merge(merged, source.tree)
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as exc:
        raise ConfigurationError(
            _format_error(exc.errors(include_url=False, include_input=False)[0], sources)
        ) from None
    if "backend" in settings.model_fields_set:  # only here is it known who said so
        plugins.check_plugin_name("backends", settings.backend, key=_describe_key(("backend",), sources))
    return settings


@dataclass(frozen=True)
class _SettingsSource:
    """One place settings come from. `label` says where a key of it is found."""

    label: str
    tree: _Tree

    def describe_key(self, path: _KeyPath) -> str:
        dotted = ".".join(path)
        variable = ENVIRONMENT_PREFIX + "__".join(path).upper()
        return self.label.format(dotted=dotted, variable=variable)


# -- Reading -------------------------------------------------------------------------------------------------------


def _load_file() -> _SettingsSource:
    own = Path(OWN_FILE)
    if own.is_file():
        return _SettingsSource(f"{OWN_FILE}: {{dotted}}", _to_tree(_read_toml(own)))
    project = Path(PROJECT_FILE)
    if project.is_file():
        tool = _read_toml(project).get("tool", {})
        table = tool.get("threadbridge", {}) if isinstance(tool, dict) else {}
        if not isinstance(table, dict):
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


def _load_environment() -> _SettingsSource:
    from threadbridge.runtime.environment_settings import read_environment  # pydantic-settings takes 120 ms to import

    return _SettingsSource(
        "environment variable {variable}", _to_tree(read_environment(ENVIRONMENT_PREFIX, _ENDPOINT_SECTIONS))
    )


# -- Putting together ----------------------------------------------------------------------------------------------


def _to_tree(values: Mapping[str, Any]) -> _Tree:
    """Plain nested dictionaries: models opened, services given as a URL spelled out, None left out."""
    tree = {key: _to_tree_value(value) for key, value in values.items() if value is not None}
    for key in _ENDPOINT_SECTIONS:
        if isinstance(tree.get(key), str):
            tree[key] = {"base_url": tree[key]}
    return tree


def _to_tree_value(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return {name: _to_tree_value(getattr(value, name)) for name in value.model_fields_set}
    if isinstance(value, Mapping):
        return {key: _to_tree_value(item) for key, item in value.items() if item is not None}
    return value


def _merge(into: _Tree, tree: _Tree) -> None:
    for key, value in tree.items():
        current = into.get(key)
        if isinstance(current, dict) and isinstance(value, dict):
            _merge(current, value)
        else:
            into[key] = dict(value) if isinstance(value, dict) else value


# -- Complaining ---------------------------------------------------------------------------------------------------


def _format_error(error: ErrorDetails, sources: list[_SettingsSource]) -> str:
    path = tuple(str(part) for part in error["loc"])
    if error["type"] == "missing":
        return f"{_describe_key(path, sources, set_by=path[:-1])} is missing, and must be given."
    key = _describe_key(path, sources)
    if error["type"] == "extra_forbidden":
        return f"{key} is not a setting; it must be one of {', '.join(_iterate_allowed_keys(path[:-1]))}."
    return f"{key} is wrong: {error['msg'][0].lower()}{error['msg'][1:]}."


def _describe_key(path: _KeyPath, sources: list[_SettingsSource], *, set_by: _KeyPath | None = None) -> str:
    """Where a key is, or belongs: in the last source that holds it, or holds `set_by` where that is another."""
    sources_with_key = (source for source in reversed(sources) if _has_key(source.tree, set_by or path))
    return next((source.describe_key(path) for source in sources_with_key), ".".join(path))


def _has_key(tree: Any, path: _KeyPath) -> bool:
    """Whether the source set this key, or an ancestor of it that is no table and therefore wrong as a whole."""
    for part in path:
        if not isinstance(tree, dict) or part not in tree:
            return False
        tree = tree[part]
    return True


def _iterate_allowed_keys(section: _KeyPath) -> Iterator[str]:
    model: Any = Settings
    for part in section:
        fields: Any = getattr(model, "model_fields", None)
        # Without fields it is a dictionary of sections, whose names are the user's own.
        model = fields[part].annotation if fields is not None else get_args(model)[-1]
    yield from sorted(model.model_fields)

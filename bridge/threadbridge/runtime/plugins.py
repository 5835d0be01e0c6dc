"""Backends, stores, upstreams, doors and commands by name, as installed packages announce them (entry points)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Literal, TypeAlias, cast

from threadbridge.errors import ConfigurationError
from threadbridge.ports import Backend
from threadbridge.settings import Settings

PluginGroup: TypeAlias = Literal["backends", "stores", "upstreams", "executors", "doors", "commands"]


def list_plugin_names(group: PluginGroup) -> list[str]:
    """Everything announced in a group, sorted."""
    from importlib.metadata import entry_points  # costs 20 ms, and `import threadbridge` needs none of it

    return sorted(entry_points(group=f"threadbridge.{group}").names)


def check_plugin_name(group: PluginGroup, name: str, *, key: str) -> None:
    """Raises ConfigurationError naming `key`, the setting it was asked by, unless `name` is announced."""
    allowed = list_plugin_names(group)
    if name not in allowed:
        raise ConfigurationError(f"{key} is {name!r}, but must be one of {_format_names(allowed)}.")


def load_plugin(group: PluginGroup, name: str, *, key: str) -> Any:
    """The object announced as `name`. Raises ConfigurationError as `check` does."""
    from importlib.metadata import entry_points

    check_plugin_name(group, name, key=key)
    entry_point = next(entry for entry in entry_points(group=f"threadbridge.{group}") if entry.name == name)
    try:
        return entry_point.load()
    except ImportError as exc:
        raise ConfigurationError(f"{key} is {name!r}, but {entry_point.value!r} cannot be imported: {exc}.") from exc


async def open_backend(settings: Settings) -> Backend:
    """The backend that `settings.backend` names, opened; whoever asked for it closes it.

    Raises ConfigurationError for an unknown name, and what the backend raises when it cannot be opened.
    """
    opener = load_plugin("backends", settings.backend, key="backend")
    return await cast("Callable[[Settings], Coroutine[Any, Any, Backend]]", opener)(settings)


def _format_names(plugin_names: list[str]) -> str:
    return ", ".join(repr(name) for name in plugin_names) or "none (no package announces any)"

"""Plugins by name: the backends, stores, upstreams, executors and commands in the entry points of packages."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Literal, TypeAlias, cast

from threadbridge.errors import ConfigurationError
from threadbridge.ports import Backend
from threadbridge.settings import Settings

PluginGroup: TypeAlias = Literal["backends", "stores", "upstreams", "executors", "doors", "commands"]


def list_plugin_names(group: PluginGroup) -> list[str]:
    """The names of a group's entry points, sorted."""
    from importlib.metadata import entry_points  # costs 20 ms, and `import threadbridge` needs none of it

    return sorted(entry_points(group=f"threadbridge.{group}").names)


def check_plugin_name(group: PluginGroup, name: str, *, key: str) -> None:
    """Raises ConfigurationError with `key`, the name of the setting, unless the group has an entry point `name`."""
    allowed = list_plugin_names(group)
    if name not in allowed:
        names = ", ".join(repr(each) for each in allowed) or "none (no package announces any)"
        raise ConfigurationError(f"{key} is {name!r}, but must be one of {names}.")


def load_plugin(group: PluginGroup, name: str, *, key: str) -> Any:
    """The object of the entry point `name`. Raises ConfigurationError as `check_plugin_name` does."""
    from importlib.metadata import entry_points

    check_plugin_name(group, name, key=key)
    entry_point = next(entry for entry in entry_points(group=f"threadbridge.{group}") if entry.name == name)
    try:
        return entry_point.load()
    except Exception as exc:  # whatever the module of another package raises when it is imported
        reason = str(exc).partition("\n")[0].rstrip(".") or type(exc).__name__
        raise ConfigurationError(f"{key} is {name!r}, but {entry_point.value!r} cannot be loaded: {reason}.") from exc


async def open_backend(settings: Settings) -> Backend:
    """The open backend with the name `settings.backend`; the caller closes it.

    Raises ConfigurationError for an unknown name, and what the backend raises if it cannot be opened.
    """
    opener = load_plugin("backends", settings.backend, key="backend")
    return await cast("Callable[[Settings], Coroutine[Any, Any, Backend]]", opener)(settings)

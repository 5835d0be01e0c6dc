"""Backends, stores, upstreams, doors and commands by name, as installed packages announce them (entry points)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Literal, TypeAlias, cast

from threadbridge.errors import ConfigurationError
from threadbridge.ports import Backend
from threadbridge.settings import Settings

Group: TypeAlias = Literal["backends", "stores", "upstreams", "doors", "commands"]


def names(group: Group) -> list[str]:
    """Everything announced in a group, sorted."""
    from importlib.metadata import entry_points  # costs 20 ms, and `import threadbridge` needs none of it

    return sorted(entry_points(group=f"threadbridge.{group}").names)


def check(group: Group, name: str, *, key: str) -> None:
    """Raises ConfigurationError naming `key`, the setting it was asked by, unless `name` is announced."""
    allowed = names(group)
    if name not in allowed:
        raise ConfigurationError(f"{key} is {name!r}, but must be one of {_listed(allowed)}.")


def load(group: Group, name: str, *, key: str) -> Any:
    """The object announced as `name`. Raises ConfigurationError as `check` does."""
    from importlib.metadata import entry_points

    check(group, name, key=key)
    found = next(entry for entry in entry_points(group=f"threadbridge.{group}") if entry.name == name)
    try:
        return found.load()
    except ImportError as exc:
        raise ConfigurationError(f"{key} is {name!r}, but {found.value!r} cannot be imported: {exc}.") from exc


async def open_backend(settings: Settings) -> Backend:
    """The backend that `settings.backend` names, opened; whoever asked for it closes it.

    Raises ConfigurationError for an unknown name, and what the backend raises when it cannot be opened.
    """
    opener = load("backends", settings.backend, key="backend")
    return await cast("Callable[[Settings], Coroutine[Any, Any, Backend]]", opener)(settings)


def _listed(allowed: list[str]) -> str:
    return ", ".join(repr(name) for name in allowed) or "none (no package announces any)"

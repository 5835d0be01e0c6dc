"""The service's list of models in a file: `threadbridge models refresh` writes it, backends read it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path

import orjson

from threadbridge.api_types import JsonMapping, is_json_list, is_json_object
from threadbridge.errors import ConfigurationError, UpstreamError
from threadbridge.ports import Upstream
from threadbridge.settings import Settings
from threadbridge.translation.models.resolution import ModelCatalog
from threadbridge_adapters.stores.sqlite.connection import default_store_path

_FORMAT = 1


def get_catalog_path(settings: Settings) -> Path:
    """The path of the list: the configured one, or next to the user's default store."""
    if settings.model_catalog is not None:
        return Path(settings.model_catalog).expanduser()
    return default_store_path().with_name("models.json")


def read_catalog(path: Path) -> ModelCatalog | None:
    """The list as last fetched, or None if the file does not exist. Raises ConfigurationError for an invalid file."""
    try:
        stored = orjson.loads(path.read_bytes())
        days = {name: None if day is None else date.fromisoformat(day) for name, day in stored["models"].items()}
        return ModelCatalog(float(stored["fetched_at"]), days, stored.get("service", ""))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as exc:
        raise ConfigurationError(
            f"The list of models {path} cannot be read; remove it, or replace it with `threadbridge models refresh`."
        ) from exc


async def fetch_catalog(upstream: Upstream, *, service: str = "") -> ModelCatalog:
    """The models of the upstream. Raises UpstreamError if the service does not list them."""
    response: JsonMapping = await upstream.request("GET", "/models")
    models: object = response.get("data")
    if not is_json_list(models):
        raise UpstreamError("The service did not answer `GET /models` with a list of models.")
    return build_catalog(models, service=service)


def build_catalog(models: Iterable[object], *, service: str) -> ModelCatalog:
    """A catalog of the models in a service's response, fetched now."""
    shutdown_dates: dict[str, date | None] = {}
    for model in models:
        name: object = model.get("id") if is_json_object(model) else None
        if is_json_object(model) and isinstance(name, str):
            value: object = model.get("shutdown_date")
            day: date | None = None  # most servers do not send the field
            with suppress(ValueError, OverflowError, OSError):
                if isinstance(value, str):
                    day = datetime.fromisoformat(value).date()
                elif isinstance(value, int | float):
                    day = datetime.fromtimestamp(value, UTC).date()
            shutdown_dates[name] = day
    return ModelCatalog(time.time(), shutdown_dates, service)


def write_catalog(path: Path, catalog: ModelCatalog) -> None:
    """Replace the file atomically. Raises ConfigurationError if it cannot be written."""
    days = {name: None if day is None else day.isoformat() for name, day in sorted(catalog.shutdown_dates.items())}
    body = {"format": _FORMAT, "service": catalog.upstream, "fetched_at": catalog.fetched_at, "models": days}
    temporary_path = path.with_suffix(".draft")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary_path.write_bytes(orjson.dumps(body, option=orjson.OPT_INDENT_2))
        os.replace(temporary_path, path)
    except OSError as exc:
        raise ConfigurationError(f"The list of models {path} cannot be written ({exc.strerror}).") from exc

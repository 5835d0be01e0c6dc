"""The configuration page lists exactly the settings, with their defaults."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from threadbridge.settings import ModelOverride, ModelPrice, Settings

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "configuration.md"
_ROW = re.compile(r"^\| `(?P<key>[\w.]+)` \| (?P<default>[^|]+) \|", re.MULTILINE)


def iterate_fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from iterate_fields(annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


def read_documented() -> dict[str, str]:
    return {row["key"]: row["default"].strip("` ") for row in _ROW.finditer(PAGE.read_text())}


def list_settings() -> dict[str, str]:
    settings = {key: field for key, field in iterate_fields(Settings) if key not in ("models", "prices")}
    override = dict(iterate_fields(ModelOverride, "models.NAME.")) | dict(iterate_fields(ModelPrice, "prices.NAME."))
    return {key: _default(field) for key, field in (settings | override).items()}


def _default(field: FieldInfo) -> str:
    return "required" if field.is_required() else json.dumps(field.get_default(call_default_factory=True))


def test_the_page_lists_exactly_the_settings_with_their_defaults() -> None:
    page = read_documented()

    assert page == list_settings()


def test_the_page_lists_each_key_once() -> None:
    keys = [row["key"] for row in _ROW.finditer(PAGE.read_text())]

    assert len(keys) == len(set(keys))

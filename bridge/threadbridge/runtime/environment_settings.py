"""Environment variables as a tree of settings. Imported only when settings are loaded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, get_origin

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict, SettingsError

from threadbridge.errors import ConfigurationError
from threadbridge.settings import Settings


class _SettingsFields(Settings, BaseSettings):
    """The fields of Settings in the form that the library reads environment variables for."""

    model_config = SettingsConfigDict(arbitrary_types_allowed=True)


class _EnvironmentSource(EnvSettingsSource):
    """Reads `PREFIX_KEY` and `PREFIX_SECTION__KEY`. A service can be a URL alone, a list can be separated by commas."""

    endpoint_sections: Sequence[str] = ()
    #: The text that is not valid JSON, to find its variable by: the library only names the section.
    invalid_json: str | None = None

    def decode_complex_value(self, field_name: str, field: FieldInfo | None, value: Any) -> Any:
        if field_name in self.endpoint_sections and isinstance(value, str) and not value.lstrip().startswith("{"):
            return {"base_url": value}
        if field is not None and get_origin(field.annotation) is tuple and not value.lstrip().startswith("["):
            return [part.strip() for part in value.split(",")]
        try:
            return super().decode_complex_value(field_name, field, value)  # type: ignore[arg-type]  # None occurs
        except ValueError:
            self.invalid_json = value
            raise


def read_environment(prefix: str, endpoint_sections: Sequence[str]) -> dict[str, Any]:
    """The settings of the environment, as nested dictionaries of strings. Empty variables count as not set.

    Raises ConfigurationError for a section or list that is not valid JSON, nor a URL or a list with commas.
    """
    source = _EnvironmentSource(
        _SettingsFields, env_prefix=prefix, env_nested_delimiter="__", env_ignore_empty=True, case_sensitive=False
    )
    source.endpoint_sections = endpoint_sections
    try:
        return source()
    except SettingsError:
        variables = sorted(
            name for name, value in os.environ.items() if name.startswith(prefix) and value == source.invalid_json
        )
        raise ConfigurationError(f"environment variable {' or '.join(variables)} must hold valid JSON.") from None

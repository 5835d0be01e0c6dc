"""Settings for a backend on a loopback service."""

from __future__ import annotations

from typing import Any

from threadbridge.settings import AssistantsSettings, Settings

KEY = "sk-test-0123456789abcdef"


def make_settings(url: str | None, **overrides: Any) -> Settings:
    """The assistants backend on a URL, with a key and a short timeout."""
    section = {"base_url": url, "api_key": KEY, "timeout": 5.0, **overrides}
    return Settings(backend="assistants", assistants=AssistantsSettings.model_validate(section))

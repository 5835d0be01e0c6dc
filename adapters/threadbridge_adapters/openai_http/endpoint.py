"""The base URL and the key of a service: as configured, otherwise from the environment variables of the openai SDK."""

from __future__ import annotations

import os
from typing import Final
from urllib.parse import urlsplit

from threadbridge.settings import EndpointSettings, Settings
from threadbridge.translation.provider_profiles import serves_openai_models

OPENAI_BASE_URL: Final = "https://api.openai.com/v1"


def resolve_base_url(endpoint: EndpointSettings) -> str:
    """The base URL of the service."""
    if endpoint.azure:
        azure_endpoint = endpoint.base_url or os.environ.get("AZURE_OPENAI_ENDPOINT", "")
        return f"{azure_endpoint.rstrip('/')}/openai"
    return endpoint.base_url or read_sdk_variable(endpoint, "BASE_URL") or OPENAI_BASE_URL


def resolve_host(endpoint: EndpointSettings) -> str:
    """The host of the service, without its port; empty if the URL has none."""
    try:
        return urlsplit(resolve_base_url(endpoint)).hostname or ""
    except ValueError:
        return ""


def read_sdk_variable(endpoint: EndpointSettings, name: str) -> str | None:
    """The environment variable that the openai SDK reads for a setting that is not configured (`EndpointSettings`)."""
    return os.environ.get(f"AZURE_OPENAI_{name}" if endpoint.azure else f"OPENAI_{name}") or None


def has_openai_models(settings: Settings) -> bool:
    """Whether the model names of the upstream are OpenAI's; the simulator has OpenAI's models."""
    host = urlsplit(OPENAI_BASE_URL).hostname or "" if settings.simulate else resolve_host(settings.upstream)
    return serves_openai_models(settings.upstream, host=host)

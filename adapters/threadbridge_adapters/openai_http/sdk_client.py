"""The base URL, the key and the SDK client of a service, from one section of the settings."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import openai

from threadbridge.errors import ConfigurationError, Unauthorized
from threadbridge.settings import DEFAULT_RESPONSE_BYTES, EndpointSettings, Settings, TokenProvider, split_credentials
from threadbridge.translation.provider_profiles import serves_openai_models
from threadbridge_adapters.openai_http.response_checks import ResponseGuard

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


#: The SDK needs a key even if a configured `Authorization` header takes its place.
PLACEHOLDER_KEY = "none-the-authorization-header-is-configured"

#: Seconds to establish a connection; the response timeout is a setting.
CONNECT_SECONDS = 5.0


def open_client(
    settings: EndpointSettings,
    *,
    section: str,
    headers: Mapping[str, str] | None = None,
    max_response_bytes: int = DEFAULT_RESPONSE_BYTES,
    on_request: Callable[[Any], Awaitable[None]] | None = None,
) -> openai.AsyncOpenAI:
    """The client for these settings; the SDK reads unset ones from its own environment variables.

    `section` is the section of the settings, named in errors. `headers` are sent with every request unless the
    settings override them. `on_request` is called with every request of the HTTP library. A token provider takes
    precedence over a key, and a configured `Authorization` header over both. Raises ConfigurationError if the SDK
    client cannot be created. Sends no request.
    """
    configured_names = {name.lower() for name in settings.headers}
    hooks: Any = {
        "request": [] if on_request is None else [on_request],
        "response": [ResponseGuard(section=section, max_bytes=max_response_bytes)],
    }
    options: dict[str, Any] = {
        "timeout": openai.Timeout(settings.timeout, connect=min(settings.timeout, CONNECT_SECONDS)),
        "max_retries": settings.max_retries,
        "default_headers": {
            **{name: value for name, value in (headers or {}).items() if name.lower() not in configured_names},
            **settings.headers,
        },
        "default_query": dict(settings.query),
        "http_client": openai.DefaultAsyncHttpxClient(event_hooks=hooks),
    }
    key = _get_api_key(settings, section)
    if key is None and not settings.azure and "authorization" in configured_names:
        key = PLACEHOLDER_KEY
    provider = None if settings.token_provider is None else _wrap_token_provider(settings.token_provider)
    try:
        if not settings.azure:
            base_url = resolve_base_url(settings)
            if split_credentials(base_url)[1] is not None:  # of a variable of the SDK; settings have been split
                raise ConfigurationError(
                    f"OPENAI_BASE_URL has a user and a password; set `{section}.base_url` "
                    f"(THREADBRIDGE_{section.upper()}__BASE_URL), which sends them in a header."
                )
            if key is None and provider is None and not os.environ.get("OPENAI_API_KEY", "").strip():
                raise ConfigurationError(_format_missing_key(section, "OPENAI_API_KEY"))
            return openai.AsyncOpenAI(api_key=provider or key, base_url=settings.base_url, **options)
        variables = ("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN")
        if key is None and provider is None and not any(os.environ.get(name, "").strip() for name in variables):
            raise ConfigurationError(_format_missing_key(section, "AZURE_OPENAI_API_KEY"))
        if settings.base_url:
            options["azure_endpoint"] = settings.base_url
        return openai.AsyncAzureOpenAI(
            api_key=None if provider else key,
            azure_ad_token_provider=provider,
            api_version=settings.api_version or settings.query.get("api-version"),
            **options,
        )
    except (openai.OpenAIError, ValueError) as exc:
        # The SDK's message names its own arguments, so only its first sentence is used, followed by our settings.
        raise ConfigurationError(
            f"The client for the section `{section}` cannot be created ({str(exc).partition('. ')[0].rstrip('.')}); "
            f"set `{section}` (api_key, base_url, api_version; THREADBRIDGE_{section.upper()}__API_KEY …) or the SDK's "
            "own variables."
        ) from None


def _format_missing_key(section: str, variable: str) -> str:
    simulate = (
        ", or `simulate = true` (THREADBRIDGE_SIMULATE=true) to try everything without a service"
        if section == "upstream"
        else ""
    )
    return (
        f"There is no API key: set {variable}, `{section}.api_key` (THREADBRIDGE_{section.upper()}__API_KEY){simulate}."
    )


def _get_api_key(settings: EndpointSettings, section: str) -> str | None:
    if settings.api_key is None:
        return None
    key = settings.api_key.get_secret_value().strip()
    if not (key.isascii() and key.isprintable() and key):
        # The HTTP library's own error would contain the key.
        raise ConfigurationError(
            f"The key in `{section}.api_key` is empty or has characters that are not allowed in HTTP headers."
        )
    return key


def _wrap_token_provider(provider: TokenProvider) -> Callable[[], Awaitable[str]]:
    async def get_token() -> str:
        try:
            # A synchronous provider may use the network, as those of azure-identity do, so it runs on a worker thread.
            answer = provider() if inspect.iscoroutinefunction(provider) else await asyncio.to_thread(provider)
            value = await answer if inspect.isawaitable(answer) else answer
        except Exception as exc:
            raise Unauthorized(f"The configured token provider failed ({type(exc).__name__}).") from exc
        if not value or not value.isascii():
            raise Unauthorized("The configured token provider returned no usable token.")
        return value

    return get_token

"""Creates an SDK client from one section of the settings."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import openai

from threadbridge.errors import ConfigurationError, Unauthorized
from threadbridge.settings import EndpointSettings, TokenProvider

#: Seconds to establish a connection; the response timeout is a setting.
CONNECT_SECONDS = 5.0


def open_client(
    settings: EndpointSettings, *, section: str, headers: Mapping[str, str] | None = None, http_client: Any = None
) -> openai.AsyncOpenAI:
    """The client for these settings; the SDK reads unset ones from its own environment variables.

    `section` is the section of the settings, named in errors. `headers` are sent with every request unless the
    settings override them. A token provider takes precedence over a key. Raises ConfigurationError if the SDK client
    cannot be created. Sends no request.
    """
    configured_names = {name.lower() for name in settings.headers}
    options: dict[str, Any] = {
        "timeout": openai.Timeout(settings.timeout, connect=min(settings.timeout, CONNECT_SECONDS)),
        "max_retries": settings.max_retries,
        "default_headers": {
            **{name: value for name, value in (headers or {}).items() if name.lower() not in configured_names},
            **settings.headers,
        },
        "default_query": dict(settings.query),
        "http_client": http_client,
    }
    key = _get_api_key(settings, section)
    provider = None if settings.token_provider is None else _wrap_token_provider(settings.token_provider)
    try:
        if not settings.azure:
            return openai.AsyncOpenAI(api_key=provider or key, base_url=settings.base_url, **options)
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
        ) from exc


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

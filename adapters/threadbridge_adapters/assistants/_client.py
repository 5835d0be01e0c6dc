"""One SDK client from one section of the settings."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import openai

from threadbridge.errors import ConfigurationError, Unauthorized
from threadbridge.settings import ServiceSettings, TokenProvider

BETA_HEADER = "OpenAI-Beta"
BETA_VALUE = "assistants=v2"

#: Seconds in which a connection must come about; the time for the answer is a setting.
CONNECT_SECONDS = 5.0


def open_client(settings: ServiceSettings) -> openai.AsyncOpenAI:
    """The client these settings describe; what they leave open, the SDK reads from its own environment.

    A token provider wins over a key. Raises ConfigurationError where the SDK refuses to be set up.
    """
    try:
        return _azure(settings) if settings.azure else _plain(settings)
    except (openai.OpenAIError, ValueError) as exc:
        # The SDK's messages name its own arguments; the first sentence says what is missing, ours says where it goes.
        raise ConfigurationError(
            f"The assistants backend cannot be set up ({str(exc).partition('. ')[0].rstrip('.')}); set the section "
            "`assistants` (api_key, base_url, api_version; THREADBRIDGE_ASSISTANTS__API_KEY …) or the SDK's variables."
        ) from exc


def _plain(settings: ServiceSettings) -> openai.AsyncOpenAI:
    provider = settings.token_provider
    return openai.AsyncOpenAI(
        api_key=_token(provider) if provider else _key(settings),
        base_url=settings.base_url,
        timeout=_timeout(settings),
        max_retries=settings.max_retries,
        default_headers=_headers(settings.headers),
        default_query=dict(settings.query),
    )


def _azure(settings: ServiceSettings) -> openai.AsyncOpenAI:
    provider = settings.token_provider
    endpoint: dict[str, Any] = {"azure_endpoint": settings.base_url} if settings.base_url else {}
    return openai.AsyncAzureOpenAI(
        **endpoint,
        api_key=None if provider else _key(settings),
        azure_ad_token_provider=_token(provider) if provider else None,
        api_version=settings.api_version or settings.query.get("api-version"),
        timeout=_timeout(settings),
        max_retries=settings.max_retries,
        default_headers=_headers(settings.headers),
        default_query=dict(settings.query),
    )


def _timeout(settings: ServiceSettings) -> openai.Timeout:
    return openai.Timeout(settings.timeout, connect=min(settings.timeout, CONNECT_SECONDS))


def _headers(configured: Mapping[str, str]) -> dict[str, str]:
    if BETA_HEADER.lower() in {name.lower() for name in configured}:
        return dict(configured)
    return {BETA_HEADER: BETA_VALUE, **configured}


def _key(settings: ServiceSettings) -> str | None:
    if settings.api_key is None:
        return None
    key = settings.api_key.get_secret_value().strip()
    if not (key.isascii() and key.isprintable() and key):
        # Left to the HTTP library, the failure would show the key.
        raise ConfigurationError(
            "The key in `assistants.api_key` is empty or holds characters no HTTP header can carry."
        )
    return key


def _token(provider: TokenProvider) -> Callable[[], Awaitable[str]]:
    async def token() -> str:
        try:
            # A plain function may ask the network, as those of azure-identity do: not on the event loop.
            answer = provider() if inspect.iscoroutinefunction(provider) else await asyncio.to_thread(provider)
            value = await answer if inspect.isawaitable(answer) else answer
        except Exception as exc:
            raise Unauthorized(f"The configured token provider failed ({type(exc).__name__}).") from exc
        if not value or not value.isascii():
            raise Unauthorized("The configured token provider gave no usable token.")
        return value

    return token

"""Reaching a service through the openai SDK, whichever major is installed: client, response type, errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import openai

from threadbridge.errors import ConfigurationError, UpstreamError
from threadbridge.settings import ServiceSettings

if TYPE_CHECKING:
    from openai import AsyncOpenAI

#: The SDK's transport library: httpx up to 2.x, httpx2 from 3.x on.
if int(openai.__version__.split(".", 1)[0]) >= 3:
    import httpx2 as transport_library
else:
    import httpx as transport_library  # type: ignore[no-redef]

#: Asking the SDK for this type gives the raw response, unread when streamed.
ResponseType: Any = transport_library.Response


def open_client(service: ServiceSettings) -> AsyncOpenAI:
    """The SDK's own client for these settings; what is not set is left to the SDK and its environment.

    Raises ConfigurationError when the SDK finds no key.
    """
    options: dict[str, Any] = {
        "base_url": service.base_url,
        "default_headers": service.headers or None,
        "default_query": service.query or None,
        "timeout": service.timeout,
        "max_retries": service.max_retries,
        "http_client": _fast_http_client(service.timeout),
    }
    try:
        if service.azure:
            return _azure_client(service, options)
        return openai.AsyncOpenAI(api_key=_key(service), **options)
    except openai.OpenAIError as error:
        raise ConfigurationError(
            f"No usable key or address for the upstream service: set OPENAI_API_KEY, or upstream.api_key ({error})."
        ) from error


def _key(service: ServiceSettings) -> Any:
    if service.token_provider is not None:
        return _awaited(service.token_provider)
    return service.api_key.get_secret_value() if service.api_key else None


def _awaited(provider: Any) -> Any:
    async def token() -> str:
        value = provider()
        return await value if hasattr(value, "__await__") else value

    return token


def _azure_client(service: ServiceSettings, options: dict[str, Any]) -> AsyncOpenAI:
    endpoint = options.pop("base_url")
    return openai.AsyncAzureOpenAI(
        azure_endpoint=endpoint,
        api_version=service.api_version,
        api_key=service.api_key.get_secret_value() if service.api_key else None,
        azure_ad_token_provider=service.token_provider,
        **options,
    )


def _fast_http_client(timeout: float) -> Any:
    """aiohttp under the SDK where it is installed: less than half the CPU per streamed event (design §3)."""
    try:
        return openai.DefaultAioHttpClient(timeout=timeout)
    except RuntimeError:
        return None


@contextmanager
def foreign_errors(client: AsyncOpenAI, *, request_id: str | None = None) -> Iterator[None]:
    """The border: what the SDK or its transport raises becomes an UpstreamError, with the service's own words."""
    try:
        yield
    except openai.APIStatusError as error:
        raise _status_error(error) from error
    except openai.APITimeoutError as error:
        raise UpstreamError(f"The upstream service at {_host(client)} did not answer in time.") from error
    except (openai.APIConnectionError, transport_library.TransportError) as error:
        cause = error.__cause__ or error
        raise UpstreamError(
            f"The connection to the upstream service at {_host(client)} failed ({type(cause).__name__}); "
            "check its address and that it is running.",
            request_id=request_id,
        ) from error


def _status_error(error: openai.APIStatusError) -> UpstreamError:
    body = error.body if isinstance(error.body, dict) else {}
    message = body.get("message") or body.get("detail") or f"HTTP status {error.status_code}"
    return UpstreamError(
        str(message),
        status=error.status_code,
        type=_text(body.get("type")),
        param=_text(body.get("param")),
        code=_text(body.get("code")),
        request_id=error.request_id,
        body=body or None,
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _host(client: AsyncOpenAI) -> str:
    return urlsplit(str(client.base_url)).netloc

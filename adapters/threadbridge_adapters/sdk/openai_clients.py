"""openai clients whose Assistants calls are answered in the process; other calls go to the service over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import openai
from pydantic import SecretStr

from threadbridge.errors import ConfigurationError
from threadbridge.ports import RequestContext
from threadbridge.runtime.plugins import open_backend
from threadbridge.runtime.settings_loader import load_settings
from threadbridge.settings import Settings, UpstreamSettings
from threadbridge_adapters.openai_http.httpx_compat import import_httpx2
from threadbridge_adapters.sdk.dispatcher import Dispatcher
from threadbridge_adapters.sdk.transports import PLACEHOLDER_KEY, RenewClient, create_in_process_client

ClientT = TypeVar("ClientT", bound="openai.OpenAI | openai.AsyncOpenAI")


def openai_client(*, client_options: Mapping[str, Any] | None = None, **configuration: Any) -> openai.OpenAI:
    """A genuine `openai.OpenAI` whose `beta.assistants` and `beta.threads` are answered by the configured backend.

    `configuration` is what `threadbridge.connect` takes; `client_options` what `openai.OpenAI` takes. Calls other
    than Assistants calls (files, vector stores, responses …) go to the configured service over the network; with
    `simulate` the simulator answers them too. Without a key, Assistants calls work if the backend needs none, and
    other calls fail with an error that names the missing key.

    The backend is opened by the first Assistants call; `client.close()` closes it.
    Raises ConfigurationError.
    """
    settings = load_settings(**configuration)
    return _copy_with_dispatcher(_create_client(openai.OpenAI, settings, client_options), settings)


def async_openai_client(*, client_options: Mapping[str, Any] | None = None, **configuration: Any) -> openai.AsyncOpenAI:
    """As `openai_client`, asynchronous. The backend lives on the event loop that makes the first Assistants call."""
    settings = load_settings(**configuration)
    return _copy_with_dispatcher(_create_client(openai.AsyncOpenAI, settings, client_options), settings)


def wrap(client: ClientT, **configuration: Any) -> ClientT:
    """A client of the same class and with the same options, whose Assistants calls are answered by the backend.

    Accepts `OpenAI`, `AsyncOpenAI`, `AzureOpenAI` and `AsyncAzureOpenAI`. If the configuration names no upstream, the
    Responses service at the client's own base URL is used, with the client's own key, timeout and retries. The two
    clients share their connections; closing the new one closes these and the backend.
    Raises ConfigurationError, and TypeError for an object of another class.
    """
    if not isinstance(cast("object", client), (openai.OpenAI, openai.AsyncOpenAI)):
        raise TypeError(
            "wrap() takes a client of the openai SDK (OpenAI, AsyncOpenAI, AzureOpenAI or AsyncAzureOpenAI), "
            f"not {type(client).__name__}."
        )
    settings = load_settings(**configuration)
    upstream = settings.upstream
    is_configured = upstream.base_url or upstream.api_key or upstream.token_provider or upstream.azure
    if settings.backend == "responses" and not settings.simulate and not is_configured:
        # The client's own service, because its data must not go to another company's service.
        settings = settings.model_copy(update={"upstream": _derive_upstream_settings(client, upstream)})
    return _copy_with_dispatcher(client, settings)


def _copy_with_dispatcher(client: ClientT, settings: Settings) -> ClientT:
    on_close: Callable[[], None] | None = None
    if isinstance(client, openai.AsyncOpenAI) and _is_in_memory(settings):
        from threadbridge_adapters.stores.sqlite.shared_memory import SharedMemory

        memory = SharedMemory()  # one store for all loops that use the client
        settings, on_close = settings.model_copy(update={"store": memory.url}), memory.close
    import_httpx2()  # on the caller's thread, before another thread could import it
    dispatcher = Dispatcher(
        lambda: open_backend(settings),
        RequestContext(settings.tenant),
        max_body_bytes=settings.gateway.max_body_bytes,
        simulated=settings.simulate and settings.backend == "responses",
        on_close=on_close,
    )
    network_client = client._client  # pyright: ignore[reportPrivateUsage]  # the SDK has no public name for it
    return cast(
        "ClientT",
        client.copy(
            http_client=create_in_process_client(
                network_client, dispatcher, base_path=client.base_url.path, renew=_find_renewal(client)
            )
        ),
    )


def _find_renewal(client: openai.OpenAI | openai.AsyncOpenAI) -> RenewClient | None:
    """What creates the HTTP client of a forked process; None for one that the program made, which only it can renew."""
    network_client = client._client  # pyright: ignore[reportPrivateUsage]
    if type(network_client).__module__.partition(".")[0] != openai.__name__:
        return None
    client_class = openai.OpenAI if isinstance(client, openai.OpenAI) else openai.AsyncOpenAI
    base_url, timeout = client.base_url, client.timeout

    def renew() -> Any:
        return client_class(api_key=PLACEHOLDER_KEY, base_url=base_url, timeout=timeout)._client  # pyright: ignore[reportPrivateUsage]

    return renew


def _is_in_memory(settings: Settings) -> bool:
    """Whether the backend's store is one in memory without a name."""
    from threadbridge_adapters.stores.sqlite.connection import parse_store_url

    if settings.backend != "responses":
        return False
    if settings.store is None:
        return settings.simulate
    database = parse_store_url(settings.store)
    return database.path is None and not database.name


def _create_client(
    client_class: type[ClientT], settings: Settings, client_options: Mapping[str, Any] | None
) -> ClientT:
    # Files and all other requests go to the same service as runs.
    endpoint = settings.assistants if settings.backend == "assistants" else settings.upstream
    options: dict[str, Any] = {}
    if not endpoint.azure:  # Azure clients use other paths and another key header: `wrap` supports them
        configured = {
            "base_url": endpoint.base_url,
            "api_key": endpoint.api_key.get_secret_value() if endpoint.api_key else None,
            "default_headers": endpoint.headers or None,
            "default_query": endpoint.query or None,
        }
        options = {name: value for name, value in configured.items() if value is not None}
    options |= client_options or {}
    try:
        return client_class(**options)
    except openai.OpenAIError:
        if "api_key" in options:
            raise
        return client_class(**options, api_key=PLACEHOLDER_KEY)


def _derive_upstream_settings(
    client: openai.OpenAI | openai.AsyncOpenAI, upstream: UpstreamSettings
) -> UpstreamSettings:
    base_url = str(client.base_url)
    if isinstance(client, (openai.AzureOpenAI, openai.AsyncAzureOpenAI)):
        # Azure serves Responses under its versionless path, which takes the resource's key as a bearer token.
        base_url = base_url.partition("/openai")[0] + "/openai/v1/"
    key = client.api_key
    if not key or key.startswith("<"):
        raise ConfigurationError(
            "The wrapped client has no plain API key that could be used for the Responses service: "
            "name the service to use, for instance wrap(client, upstream={'base_url': ..., 'token_provider': ...})."
        )
    update: dict[str, object] = {"base_url": base_url, "api_key": SecretStr(key)}
    read_timeout = client.timeout if isinstance(client.timeout, (int, float)) else getattr(client.timeout, "read", None)
    for name, value in (("timeout", read_timeout), ("max_retries", client.max_retries)):
        if value is not None and name not in upstream.model_fields_set:
            update[name] = value
    return upstream.model_copy(update=update)

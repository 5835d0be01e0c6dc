"""HTTP clients that answer Assistants requests in the process and send all others through the client they wrap.

The openai SDK takes them as its `http_client`: each is an `httpx.Client` or `httpx2.Client`.
"""

from __future__ import annotations

import functools
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

from threadbridge.errors import Unauthorized
from threadbridge.wire import to_wire
from threadbridge_adapters.sdk.dispatcher import Dispatcher
from threadbridge_adapters.sdk.transports import (
    NotHandledError,
    get_path_below_base,
    get_transports,
    parse_api_target,
)

if TYPE_CHECKING:
    import httpx2
    from httpx2 import AsyncClient, Client
else:
    AsyncClient = Client = object

#: The SDK needs a key even if no request leaves the process. A request with this key is never sent.
PLACEHOLDER_KEY: Final = "none-answered-in-process"

_NO_KEY_MESSAGE = (
    "This client has no API key, so only its Assistants requests can be answered (they stay in the process). "
    "For everything else set OPENAI_API_KEY, or pass client_options={'api_key': ...}."
)


class InProcessClient(Client):
    """Closing it closes the backend that it opened and the client that it wraps."""

    def __init__(self, http: Any, network_client: Client, dispatcher: Dispatcher, base_path: str) -> None:
        self._http = http
        self._network_client = network_client
        self._dispatcher = dispatcher
        self._base_path = base_path
        super().__init__(
            **_copy_options(network_client), transport=get_transports(http).sync(dispatcher, base_path=base_path)
        )

    def build_request(self, method: str, url: Any, **options: Any) -> httpx2.Request:
        return self._network_client.build_request(method, url, **options)

    def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        if _may_be_local(request, self._base_path, self._dispatcher):
            with suppress(NotHandledError):
                return super().send(request, **options)
        return _refuse_placeholder_key(self._http, request) or self._network_client.send(request, **options)

    def close(self) -> None:
        super().close()
        self._network_client.close()


class AsyncInProcessClient(AsyncClient):
    """Closing it closes the backend of this event loop and the client that it wraps."""

    def __init__(self, http: Any, network_client: AsyncClient, dispatcher: Dispatcher, base_path: str) -> None:
        self._http = http
        self._network_client = network_client
        self._dispatcher = dispatcher
        self._base_path = base_path
        super().__init__(
            **_copy_options(network_client),
            transport=get_transports(http).asynchronous(dispatcher, base_path=base_path),
        )

    def build_request(self, method: str, url: Any, **options: Any) -> httpx2.Request:
        return self._network_client.build_request(method, url, **options)

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        if _may_be_local(request, self._base_path, self._dispatcher):
            with suppress(NotHandledError):
                return await super().send(request, **options)
        return _refuse_placeholder_key(self._http, request) or await self._network_client.send(request, **options)

    async def aclose(self) -> None:
        await super().aclose()
        await self._network_client.aclose()


def create_in_process_client(network_client: Client | AsyncClient, dispatcher: Dispatcher, *, base_path: str) -> Any:
    """A client like `network_client` (same library, synchronous or not) that answers requests in the process.

    `base_path` is the path of the openai client's base URL. Raises TypeError for a client of another library.
    """
    # The SDK accepts either library from 3.x on, and some applications have both installed.
    modules = [sys.modules[name] for name in ("httpx2", "httpx") if name in sys.modules]
    http: Any = next((each for each in modules if isinstance(network_client, (each.Client, each.AsyncClient))), None)
    if http is None:
        raise TypeError(f"expected an HTTP client of httpx or httpx2, got {type(network_client).__name__}")
    sync, asynchronous = _create_client_classes(http)
    client_class = sync if isinstance(network_client, http.Client) else asynchronous
    return client_class(http, network_client, dispatcher, base_path)


@functools.cache
def _create_client_classes(http: Any) -> tuple[Any, Any]:
    return (
        type("InProcessClient", (InProcessClient, http.Client), {}),
        type("AsyncInProcessClient", (AsyncInProcessClient, http.AsyncClient), {}),
    )


def _copy_options(client: Client | AsyncClient) -> dict[str, Any]:
    """The public options of a client except its transport, which holds proxies and certificates."""
    return {"timeout": client.timeout, "event_hooks": client.event_hooks, "trust_env": False}


def _may_be_local(request: httpx2.Request, base: str, dispatcher: Dispatcher) -> bool:
    return parse_api_target(request.url, base) is not None or dispatcher.may_handle_passthrough(
        request.method, get_path_below_base(request, base)
    )


def _refuse_placeholder_key(http: Any, request: httpx2.Request) -> httpx2.Response | None:
    if request.headers.get("authorization") != f"Bearer {PLACEHOLDER_KEY}":
        return None
    status, envelope = to_wire(Unauthorized(_NO_KEY_MESSAGE, code="missing_api_key"))
    return cast("httpx2.Response", http.Response(status, json=envelope, request=request))

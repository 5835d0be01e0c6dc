"""HTTP clients that keep in the process what the backend answers, and lend every other request to a genuine client.

They stand where the openai SDK expects an `httpx.Client` or `httpx2.Client`, and are one.
"""

from __future__ import annotations

import functools
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

from threadbridge.errors import Unauthorized
from threadbridge.wire import to_wire
from threadbridge_adapters.sdk.dispatcher import Desk
from threadbridge_adapters.sdk.local import LocalRequests
from threadbridge_adapters.sdk.request_routing import NotOursError, below
from threadbridge_adapters.sdk.transports import transports_for

if TYPE_CHECKING:
    import httpx2
    from httpx2 import AsyncClient, Client
else:
    AsyncClient = Client = object

#: The SDK wants some key even where nothing leaves the process. A request that carries this one is never sent.
PLACEHOLDER_KEY: Final = "none-answered-in-process"

_NO_KEY = (
    "This client was made without a key, so only its Assistants requests can be answered (they stay in the process). "
    "For everything else set OPENAI_API_KEY, or pass client_options={'api_key': ...}."
)


class InProcessClient(Client):
    """Closing it closes the backend it opened, and the genuine client with it."""

    def __init__(self, http: Any, genuine: Client, desk: Desk, base: str) -> None:
        self._http = http
        self._genuine = genuine
        self._desk = desk
        self._base = base
        self._local = LocalRequests(http, genuine, base=base)
        self._answers = transports_for(http).sync(desk, base=base)
        super().__init__(**_likeness(genuine), transport=self._answers)

    def build_request(self, method: str, url: Any, **options: Any) -> httpx2.Request:
        # Hooks are shown what the genuine client would have shown them.
        local = None if any(self.event_hooks.values()) else self._local.made(method, url, options)
        return local or self._genuine.build_request(method, url, **options)

    def send(self, request: httpx2.Request, *, stream: bool = False, **options: Any) -> httpx2.Response:
        way = self._local.way(request)
        if way is not None:
            if stream or options or self.is_closed or any(self.event_hooks.values()):
                return super().send(request, stream=stream, **options)
            request.read()
            return _read(self._local.answered(request, self._answers.answer(request, way)))
        options["stream"] = stream
        if self._desk.may_pass_on(request.method, below(request, self._base)):
            with suppress(NotOursError):
                return super().send(request, **options)
        return _refused(self._http, request) or self._genuine.send(request, **options)

    def close(self) -> None:
        super().close()
        self._genuine.close()


class AsyncInProcessClient(AsyncClient):
    """Closing it closes the backend that this event loop opened, and the genuine client with it."""

    def __init__(self, http: Any, genuine: AsyncClient, desk: Desk, base: str) -> None:
        self._http = http
        self._genuine = genuine
        self._desk = desk
        self._base = base
        self._local = LocalRequests(http, genuine, base=base)
        self._answers = transports_for(http).asynchronous(desk, base=base)
        super().__init__(**_likeness(genuine), transport=self._answers)

    def build_request(self, method: str, url: Any, **options: Any) -> httpx2.Request:
        # Hooks are shown what the genuine client would have shown them.
        local = None if any(self.event_hooks.values()) else self._local.made(method, url, options)
        return local or self._genuine.build_request(method, url, **options)

    async def send(self, request: httpx2.Request, *, stream: bool = False, **options: Any) -> httpx2.Response:
        way = self._local.way(request)
        if way is not None:
            if stream or options or self.is_closed or any(self.event_hooks.values()):
                return await super().send(request, stream=stream, **options)
            await request.aread()
            return await _aread(self._local.answered(request, await self._answers.answer(request, way)))
        options["stream"] = stream
        if self._desk.may_pass_on(request.method, below(request, self._base)):
            with suppress(NotOursError):
                return await super().send(request, **options)
        return _refused(self._http, request) or await self._genuine.send(request, **options)

    async def aclose(self) -> None:
        await super().aclose()
        await self._genuine.aclose()


def in_process(genuine: Client | AsyncClient, desk: Desk, *, base: str) -> Any:
    """A client of the same library as `genuine`, answering Assistants requests from `desk`.

    `base` is the path that the openai client puts before its own.
    """
    http = _library_of(genuine)
    sync, asynchronous = _clients_for(http)
    made = sync if isinstance(genuine, http.Client) else asynchronous
    return made(http, genuine, desk, base)


@functools.cache
def _clients_for(http: Any) -> tuple[Any, Any]:
    return (
        type("InProcessClient", (InProcessClient, http.Client), {}),
        type("AsyncInProcessClient", (AsyncInProcessClient, http.AsyncClient), {}),
    )


def _library_of(client: object) -> Any:
    """httpx or httpx2: the SDK takes either from 3.x on, and some applications have both."""
    for name in ("httpx2", "httpx"):
        http = sys.modules.get(name)
        if http is not None and isinstance(client, (http.Client, http.AsyncClient)):
            return http
    raise TypeError(f"expected an HTTP client of httpx or httpx2, got {type(client).__name__}")


def _likeness(genuine: Client | AsyncClient) -> dict[str, Any]:
    """What shows of a client beyond its transport. Proxies and certificates are the genuine client's affair."""
    return {"timeout": genuine.timeout, "event_hooks": genuine.event_hooks, "trust_env": False}


def _read(response: httpx2.Response) -> httpx2.Response:
    try:
        response.read()
    except BaseException:
        response.close()
        raise
    return response


async def _aread(response: httpx2.Response) -> httpx2.Response:
    try:
        await response.aread()
    except BaseException:
        await response.aclose()
        raise
    return response


def _refused(http: Any, request: httpx2.Request) -> httpx2.Response | None:
    if request.headers.get("authorization") != f"Bearer {PLACEHOLDER_KEY}":
        return None
    status, envelope = to_wire(Unauthorized(_NO_KEY, code="missing_api_key"))
    return cast("httpx2.Response", http.Response(status, json=envelope, request=request))

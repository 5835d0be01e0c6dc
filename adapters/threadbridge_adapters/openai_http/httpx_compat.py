"""The HTTP library under the openai SDK: httpx up to 2.x, httpx2 from 3.x on. The two have one interface."""

from __future__ import annotations

import importlib
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import Any, Final, Protocol

import openai


def import_httpx2() -> None:
    """Import httpx2 now, where it is installed.

    With every request the 2.x SDK looks into `sys.modules` for it, and trips over one that another thread is half
    through importing. Others import it late: the list of prices does, while the first run is under way.
    """
    with suppress(ImportError):
        importlib.import_module("httpx2")


import_httpx2()

_LIBRARY: Any = importlib.import_module("httpx" if openai.__version__.startswith("2.") else "httpx2")

#: Asking the SDK for this type gives the raw response, unread when streamed.
RESPONSE_TYPE: Final[type[Any]] = _LIBRARY.Response

#: What the library raises when a body that had begun does not arrive whole.
STREAM_ERRORS: Final[tuple[type[Exception], ...]] = (_LIBRARY.HTTPError, _LIBRARY.StreamError)

#: Makes the TLS settings the library uses itself.
SSL_CONTEXT: Final[Callable[[], ssl.SSLContext]] = _LIBRARY.create_ssl_context

#: What it raises when no connection came about in time.
CONNECT_TIMEOUT: Final[type[Exception]] = _LIBRARY.ConnectTimeout


class RawResponse(Protocol):
    """What the two libraries call a response, as far as we need it."""

    status_code: int

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def content(self) -> bytes: ...


class StreamedResponse(RawResponse, Protocol):
    """A response whose body is still on its way."""

    def aiter_bytes(self) -> AsyncIterator[bytes]: ...

    async def aclose(self) -> None: ...

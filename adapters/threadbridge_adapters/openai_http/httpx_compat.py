"""The HTTP library under the openai SDK: httpx up to 2.x, httpx2 from 3.x on. The two have one interface."""

from __future__ import annotations

import importlib
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import Any, Final, Protocol

import openai


def import_httpx2() -> None:
    """Import httpx2 now if it is installed.

    The 2.x SDK looks for it in `sys.modules` on every request and fails if another thread is still importing it.
    Other packages import it late: genai-prices does, during the first run.
    """
    with suppress(ImportError):
        importlib.import_module("httpx2")


import_httpx2()

_LIBRARY: Any = importlib.import_module("httpx" if openai.__version__.startswith("2.") else "httpx2")

#: As `cast_to` of an SDK call this type gives the raw response, unread if streamed.
RESPONSE_TYPE: Final[type[Any]] = _LIBRARY.Response

#: Raised by the library when a response body breaks off.
STREAM_ERRORS: Final[tuple[type[Exception], ...]] = (_LIBRARY.HTTPError, _LIBRARY.StreamError)

#: Creates the library's default TLS context.
SSL_CONTEXT: Final[Callable[[], ssl.SSLContext]] = _LIBRARY.create_ssl_context

#: Raised by the library when no connection was established in time.
CONNECT_TIMEOUT: Final[type[Exception]] = _LIBRARY.ConnectTimeout


class RawResponse(Protocol):
    """The part of both libraries' `Response` that is used here."""

    status_code: int

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def content(self) -> bytes: ...


class StreamedResponse(RawResponse, Protocol):
    """A response whose body has not been read."""

    def aiter_bytes(self) -> AsyncIterator[bytes]: ...

    async def aclose(self) -> None: ...

"""Checks of every response before its body is read: redirects stay at their origin, and bodies are bounded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import openai

#: The most bytes of an error response; the rest is not read.
MAX_ERROR_BYTES: Final = 1024 * 1024

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_ERROR_STATUS: Final = 400


class UnusableResponseError(openai.OpenAIError):
    """A response that is not read. `description` completes "The … service at HOST …"."""

    def __init__(self, description: str) -> None:
        super().__init__(description)
        self.description = description


class ResponseGuard:
    """The response hook of the HTTP library under the SDK.

    A redirect to another origin would send it the conversation, and every header that the library does not know as a
    credential. `section` is the section of the settings, for the error message. A body counts as it is unpacked.
    """

    def __init__(self, *, section: str, max_bytes: int) -> None:
        self._section = section
        self._max_bytes = max_bytes

    async def __call__(self, response: Any) -> None:
        """Raises UnusableResponseError for a redirect to another origin, and bounds the body of the response."""
        if response.has_redirect_location:
            request_url = str(response.request.url)
            check_redirect(request_url, response.headers["location"], section=self._section)
        is_error = response.status_code >= _ERROR_STATUS
        # Files have their own limit, streams one for each event.
        if is_error or response.request.headers.get("accept", "") == "application/json":
            limit = min(MAX_ERROR_BYTES, self._max_bytes) if is_error else self._max_bytes
            response.aiter_bytes = _BoundedBody(response, limit, is_truncated=is_error)


def check_redirect(url: str, location: str, *, section: str) -> None:
    """Raise UnusableResponseError for a redirect of `url` to another origin."""
    try:
        target = get_origin(urljoin(url, location))
    except ValueError:
        target = None
    if target is None or target != get_origin(url):
        where = "no usable address" if target is None else f"{target[0]}://{target[1]}"
        raise UnusableResponseError(
            f"redirects requests to another origin ({where}), which gets neither the key nor the request; check "
            f"`{section}.base_url`"
        )


def get_origin(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of a URL; None if it is not a URL of HTTP."""
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname else None


def describe_excess(max_bytes: int) -> str:
    """The description of a response that is too long."""
    return f"sent a response of more than {max_bytes} bytes (limits.response_bytes)"


class _BoundedBody:
    """Replaces `aiter_bytes` of one response, which every method that reads the whole body uses."""

    def __init__(self, response: Any, limit: int, *, is_truncated: bool) -> None:
        self._response = response
        self._iterate = response.aiter_bytes
        self._limit = limit
        self._is_truncated = is_truncated

    async def __call__(self, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._iterate(chunk_size):
            size += len(chunk)
            if size > self._limit:
                await self._response.aclose()
                if self._is_truncated:
                    yield chunk[: self._limit - size]
                    return
                raise UnusableResponseError(describe_excess(self._limit))
            yield chunk

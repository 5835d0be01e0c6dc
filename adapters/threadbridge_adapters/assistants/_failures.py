"""Foreign failures become ours, here and nowhere else.

| the service did                        | the caller gets                                              |
|----------------------------------------|--------------------------------------------------------------|
| 401, 403                               | Unauthorized                                                 |
| 404 with an Assistants error           | NotFound                                                     |
| 404 without one, or for an unknown URL | UpstreamError: this service no longer has the Assistants API |
| 409                                    | Conflict                                                     |
| 408, 429, 5xx                          | UpstreamError, with the error object and `retry_after`       |
| any other 4xx                          | InvalidRequest                                               |
| no answer, or half of one              | UpstreamError naming the host and the next step              |

Message, type, param, code, status and request id are the service's own; a key that it repeats is blanked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import openai
import orjson

from threadbridge.errors import (
    BridgeError,
    Conflict,
    InvalidRequest,
    NotFound,
    RequestError,
    Unauthorized,
    UpstreamError,
)
from threadbridge.ports import Wire

_REQUEST_ERRORS: Mapping[int, type[RequestError]] = {
    401: Unauthorized,
    403: Unauthorized,
    404: NotFound,
    409: Conflict,
}

#: Codes and message beginnings of a 404 that speaks of the URL and not of an object (OpenAI, Azure, A8).
_UNKNOWN_URL_CODES = frozenset({"unknown_url", "404", "DeploymentNotFound"})
_UNKNOWN_URL_TEXTS = ("invalid url", "unknown request url", "resource not found")

_REQUEST_ID_HEADERS = ("x-request-id", "apim-request-id", "x-ms-request-id")


class RawResponse(Protocol):
    """What httpx.Response and httpx2.Response have in common, as far as we need it."""

    status_code: int

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def content(self) -> bytes: ...


def request_id(response: RawResponse) -> str | None:
    """The id the service gave to the request, under OpenAI's name or Azure's."""
    return next((response.headers[name] for name in _REQUEST_ID_HEADERS if name in response.headers), None)


def retry_after(response: RawResponse) -> float | None:
    """The seconds of a `Retry-After` header, where it has any."""
    try:
        return max(0.0, float(response.headers["retry-after"]))
    except (KeyError, ValueError):
        return None


class Border:
    """Knows the host and the key, and turns what the SDK raises into what the port promises."""

    def __init__(self, client: openai.AsyncOpenAI) -> None:
        # Neither user name nor password of the URL: they are secrets too.
        self.host = client.base_url.netloc.decode("ascii", "replace").rpartition("@")[2]
        self._key = client.api_key if len(client.api_key) >= 8 else None

    def translate(self, error: openai.OpenAIError) -> BridgeError:
        """The error of the port for one of the SDK's."""
        match error:
            case openai.APIStatusError():
                return self.refusal(error.response)
            case openai.APITimeoutError():
                return self.broken("did not answer in time; try again, or raise `assistants.timeout`")
            case openai.APIConnectionError():
                why = type(error.__cause__).__name__ if error.__cause__ else "no connection"
                return self.broken(f"could not be reached ({why}); check `assistants.base_url` and the network")
            case _:
                return self.broken(f"could not be asked ({type(error).__name__}); check the section `assistants`")

    def refusal(self, response: RawResponse) -> BridgeError:
        """The error of the port for an answer with a status of 400 or more."""
        status, error = response.status_code, _envelope(response.content)
        if status == 404 and (error is None or _speaks_of_the_url(error)):
            return UpstreamError(
                f"{self.host} no longer has the Assistants API, or it lives at another base_url: the answer was a 404 "
                "that no Assistants service gives; use the responses backend, or correct `assistants.base_url`.",
                status=404,
                request_id=request_id(response),
                body=error,
            )
        if 400 <= status < 500 and status not in (408, 429):
            return self._request_error(status, error or {}, response)
        return self._upstream_error(status, error or {}, response)

    def reported(self, error: Wire, response: RawResponse) -> UpstreamError:
        """The error of the port for an `error` event within a stream."""
        return self._upstream_error(_status_of(error), error, response)

    def broken(self, what: str, *, request_id: str | None = None) -> UpstreamError:
        """No answer, or half of one."""
        return UpstreamError(f"The Assistants service at {self.host} {what}.", request_id=request_id)

    def _request_error(self, status: int, error: Wire, response: RawResponse) -> RequestError:
        made = _REQUEST_ERRORS.get(status, InvalidRequest)(
            self._message(status, error),
            param=_text(error, "param"),
            code=_text(error, "code"),
            request_id=request_id(response),
        )
        made.status = status
        made.type = _text(error, "type") or made.type
        return made

    def _upstream_error(self, status: int, error: Wire, response: RawResponse) -> UpstreamError:
        return UpstreamError(
            self._message(status, error),
            status=status,
            type=_text(error, "type"),
            param=_text(error, "param"),
            code=_text(error, "code"),
            request_id=request_id(response),
            body=error or None,
            retry_after=retry_after(response),
        )

    def _message(self, status: int, error: Wire) -> str:
        message = (
            _text(error, "message") or f"The Assistants service at {self.host} answered HTTP {status} without a reason."
        )
        return message.replace(self._key, "***") if self._key else message


def _envelope(body: bytes) -> Wire | None:
    """The `error` object of A3, or None where the body is none."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    error = parsed.get("error") if isinstance(parsed, dict) else None
    return error if isinstance(error, dict) and _text(error, "message") else None


def _speaks_of_the_url(error: Wire) -> bool:
    return error.get("code") in _UNKNOWN_URL_CODES or str(error["message"]).lower().startswith(_UNKNOWN_URL_TEXTS)


def _status_of(error: Wire) -> int:
    return 429 if error.get("code") == "rate_limit_exceeded" else 500


def _text(error: Wire, name: str) -> str | None:
    value = error.get(name)
    return None if value is None else str(value)

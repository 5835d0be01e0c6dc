"""Error mapping of the Assistants service: its error responses become the errors of the port.

| the service responded with             | the caller gets                                              |
|----------------------------------------|--------------------------------------------------------------|
| 401, 403                               | Unauthorized                                                 |
| 404 with an Assistants error           | NotFound                                                     |
| 404 without one, or for an unknown URL | UpstreamError: this service no longer has the Assistants API |
| 409                                    | Conflict                                                     |
| 408, 429, 5xx                          | UpstreamError, with the error object and `retry_after`       |
| any other 4xx                          | InvalidRequest                                               |
| nothing, or an incomplete response     | UpstreamError naming the host and the next step              |

Message, type, param, code, status and request id are the service's own; secrets in it are masked.
"""

from __future__ import annotations

from collections.abc import Mapping

import openai
import orjson

from threadbridge.api_types import JsonMapping, JsonObject, is_json_object
from threadbridge.errors import (
    BridgeError,
    Conflict,
    InvalidRequest,
    NotFound,
    RequestError,
    Unauthorized,
    UpstreamError,
)
from threadbridge_adapters.openai_http import error_mapping
from threadbridge_adapters.openai_http.error_mapping import get_request_id, get_text
from threadbridge_adapters.openai_http.httpx_compat import RawResponse

_REQUEST_ERRORS: Mapping[int, type[RequestError]] = {
    401: Unauthorized,
    403: Unauthorized,
    404: NotFound,
    409: Conflict,
}

#: Codes and message beginnings of a 404 that is about the URL and not about an object (OpenAI, Azure, A8).
_UNKNOWN_URL_CODES = frozenset({"unknown_url", "404", "DeploymentNotFound"})
_UNKNOWN_URL_TEXTS = ("invalid url", "unknown request url", "resource not found")


class AssistantsErrorMapper(error_mapping.ErrorMapper):
    """Maps errors of an Assistants service; a 4xx response becomes a RequestError."""

    def __init__(self, client: openai.AsyncOpenAI) -> None:
        super().__init__(client, name="Assistants", section="assistants")

    def map_status_error(self, response: RawResponse) -> BridgeError:
        status, error = response.status_code, _parse_error_envelope(self.secrets.mask_json(response.content))
        is_unknown_url = error is None or (
            error.get("code") in _UNKNOWN_URL_CODES or str(error["message"]).lower().startswith(_UNKNOWN_URL_TEXTS)
        )
        if status == 404 and is_unknown_url:
            return UpstreamError(
                f"{self.host} no longer has the Assistants API, or has it at another base_url: the response was a 404 "
                "that no Assistants service sends; use the responses backend, or correct `assistants.base_url`.",
                status=404,
                request_id=get_request_id(response.headers),
                body=error,
            )
        if 400 <= status < 500 and status not in (408, 429):
            details = error or {}
            request_error = _REQUEST_ERRORS.get(status, InvalidRequest)(
                self.format_message(status, details),
                param=get_text(details, "param"),
                code=get_text(details, "code"),
                request_id=get_request_id(response.headers),
            )
            request_error.status = status
            request_error.type = get_text(details, "type") or request_error.type
            return request_error
        return self.build_upstream_error(status, error or {}, response)

    def map_error_event(self, error: JsonMapping, response: RawResponse) -> UpstreamError:
        """The error of the port for an `error` event within a stream."""
        status = 429 if error.get("code") == "rate_limit_exceeded" else 500
        return self.build_upstream_error(status, error, response)


def _parse_error_envelope(body: bytes) -> JsonObject | None:
    """The `error` object of A3, or None for a body of another shape, which no Assistants service sends (A8)."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    error = parsed.get("error") if is_json_object(parsed) else None
    return error if is_json_object(error) and get_text(error, "message") else None

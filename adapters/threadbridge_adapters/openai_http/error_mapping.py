"""Error mapping: failures of a service or of its connection become UpstreamErrors that never contain the key."""

from __future__ import annotations

from collections.abc import Mapping

import openai
import orjson

from threadbridge.api_types import JsonMapping, JsonObject, is_json_list, is_json_object
from threadbridge.errors import BridgeError, UpstreamError
from threadbridge_adapters.openai_http.httpx_compat import CONNECT_TIMEOUT, RawResponse
from threadbridge_adapters.openai_http.response_checks import UnusableResponseError
from threadbridge_adapters.openai_http.secrets_mask import SecretsMask

_RESPONSES_PATH = "/responses"
_REQUEST_ID_HEADERS = ("x-request-id", "apim-request-id", "x-ms-request-id")


def get_request_id(headers: Mapping[str, str]) -> str | None:
    """The request id in OpenAI's or Azure's header."""
    return next((headers[name] for name in _REQUEST_ID_HEADERS if name in headers), None)


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds of a `Retry-After` header, or None."""
    try:
        return max(0.0, float(headers["retry-after"]))
    except (KeyError, ValueError):
        return None


class ErrorMapper:
    """Maps the exceptions of one SDK client to the errors of the ports.

    `name` is the name of the service in messages, `section` its section of the settings.
    """

    def __init__(self, client: openai.AsyncOpenAI, *, name: str, section: str) -> None:
        # Neither user name nor password of the URL: they are secrets too.
        self.host = client.base_url.netloc.decode("ascii", "replace").rpartition("@")[2]
        self._service_label = f"The {name} service at {self.host}"
        self._section = section
        headers = {name: str(value) for name, value in client.default_headers.items()}
        self.secrets = SecretsMask(client.api_key, headers, client.default_query)
        self.secrets.protect_logs()

    def map_error(self, error: openai.OpenAIError) -> BridgeError:
        """The port's error for an exception of the SDK."""
        match error:
            case UnusableResponseError():
                return self.build_failure(error.description)
            case openai.APIConnectionError(
                __cause__=UnusableResponseError() as rejection
            ):  # up to version 2 of the SDK
                return self.build_failure(rejection.description)
            case openai.APIStatusError():
                return self._add_request(self.map_status_error(error.response), error)
            case openai.APITimeoutError() if not isinstance(error.__cause__, CONNECT_TIMEOUT):
                return self.build_failure(f"did not answer in time; try again, or raise `{self._section}.timeout`")
            case openai.APIConnectionError():
                cause = error.__cause__
                if isinstance(cause, CONNECT_TIMEOUT):  # the SDK's message for a refused connection over aiohttp
                    cause = cause.__cause__ or cause
                reason = type(cause).__name__ if cause else "no connection"
                return self.build_failure(
                    f"could not be reached ({reason}); check `{self._section}.base_url` and the network"
                )
            case _:
                return self.build_failure(
                    f"could not be called ({type(error).__name__}); check the section `{self._section}`"
                )

    def _add_request(self, mapped: BridgeError, error: openai.APIStatusError) -> BridgeError:
        """The error with the request and the setting to check, where a wrong key or a wrong URL may be the cause."""
        setting = {401: "api_key", 404: "base_url", 405: "base_url"}.get(error.status_code)
        is_about_an_object = error.status_code != 401 and (mapped.code is not None or mapped.param is not None)
        path = error.request.url.path
        if setting is None or is_about_an_object or not path.endswith(_RESPONSES_PATH):
            return mapped
        request = f"HTTP {error.status_code} to {error.request.method} {path} at {self.host}"
        mapped.message = f"{mapped.message.rstrip('.')} ({request}; check `{self._section}.{setting}`)."
        mapped.args = (mapped.message,)
        return mapped

    def map_status_error(self, response: RawResponse) -> BridgeError:
        """The port's error for a response with a status of 400 or more."""
        error = parse_error_envelope(self.secrets.mask_json(response.content)) or {}
        return self.build_upstream_error(response.status_code, error, response)

    def build_upstream_error(self, status: int, error: JsonMapping, response: RawResponse) -> UpstreamError:
        """An error with the service's own message, type, param, code, request id and error object."""
        return UpstreamError(
            self.format_message(status, error),
            status=status,
            type=get_text(error, "type"),
            param=get_text(error, "param"),
            code=get_text(error, "code"),
            request_id=get_request_id(response.headers),
            body=error or None,
            retry_after=parse_retry_after(response.headers),
        )

    def build_error_in_answer(self, error: JsonObject) -> UpstreamError:
        """An error that was sent with a status of success."""
        return UpstreamError(
            self.format_message(200, error), type=get_text(error, "type"), code=get_text(error, "code"), body=error
        )

    def build_failure(self, description: str, *, request_id: str | None = None) -> UpstreamError:
        """The error for a missing or unusable response; `description` completes "The … service at HOST …"."""
        return UpstreamError(f"{self._service_label} {description}.", request_id=request_id)

    def build_interruption_error(self, error: Exception, *, request_id: str | None) -> UpstreamError:
        """The error for a response that broke off."""
        return self.build_failure(
            f"broke off in the middle of a response ({type(error).__name__})", request_id=request_id
        )

    def format_message(self, status: int, error: JsonMapping) -> str:
        """The service's message with secrets masked."""
        message = get_text(error, "message") or f"{self._service_label} answered HTTP {status} without a reason."
        return self.secrets.mask_text(message)


def parse_error_envelope(body: bytes) -> JsonObject | None:
    """The error object of a response, in the envelope of A3 or in a shape of another server (S6)."""
    try:
        parsed: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not is_json_object(parsed):
        return None
    error: object = parsed.get("error", parsed)
    if isinstance(error, str):
        error = {"message": error}
    if not is_json_object(error):
        return None
    detail: object = error.get("detail")  # a text, or a list of validation errors with their locations
    if "message" not in error and is_json_list(detail):
        problems: list[str] = []
        for each in detail:
            if is_json_object(each) and isinstance(each.get("msg"), str):
                location: object = each.get("loc")
                keys = [str(part) for part in location if part != "body"] if is_json_list(location) else None
                problems.append(each["msg"] if keys is None else f"{'.'.join(keys)}: {each['msg']}")
        detail = "; ".join(problems)
    if "message" not in error and isinstance(detail, str) and detail:
        error = {**error, "message": detail}
    return error if get_text(error, "message") else None


def get_text(error: JsonMapping, name: str) -> str | None:
    """A field of an error object as text, or None."""
    value: object = error.get(name)
    return None if value is None else str(value)

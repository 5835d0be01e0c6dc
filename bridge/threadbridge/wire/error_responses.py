"""The only place where an error becomes an HTTP status and a body (A3)."""

from __future__ import annotations

import logging

from threadbridge.errors import BridgeError, RequestError, UpstreamError
from threadbridge.ports import Wire

_log = logging.getLogger(__name__)

_BAD_GATEWAY = 502


class MethodNotAllowed(RequestError):
    """The path exists, but only for the methods in `allowed`."""

    status = 405

    def __init__(self, message: str, *, allowed_methods: tuple[str, ...]) -> None:
        super().__init__(message, code="method_not_supported")
        self.allowed_methods = allowed_methods


class BodyTooLarge(RequestError):
    """The request body is longer than the limit."""

    status = 413


def to_wire(error: BridgeError) -> tuple[int, Wire]:
    """Status and envelope of an error: exactly `message`, `type`, `param` and `code`, in this order (A3).

    The error object of an upstream keeps the other fields that the upstream sent.
    """
    envelope: Wire = {"message": error.message, "type": error.type, "param": error.param, "code": error.code}
    if isinstance(error, UpstreamError) and error.body:
        # Our own message stays: the adapter removed from it what must not be repeated.
        envelope = {**envelope, **error.body, "message": error.message}
    return _get_status(error), {"error": envelope}


def build_error_headers(error: BridgeError) -> dict[str, str]:
    """The headers of an error besides the usual ones; the upstream's request id replaces ours."""
    headers: dict[str, str] = {}
    if error.request_id is not None:
        headers["x-request-id"] = error.request_id
    if isinstance(error, UpstreamError) and error.retry_after is not None:
        headers["retry-after"] = f"{error.retry_after:g}"
    if isinstance(error, MethodNotAllowed):
        headers["allow"] = ", ".join(error.allowed_methods)
    return headers


def to_bridge_error(error: Exception, *, request_id: str) -> BridgeError:
    """The error as a BridgeError. Any other exception is a bug: it is logged in full and answered with a 500."""
    if isinstance(error, BridgeError):
        return error
    _log.error("The bridge failed on request %s", request_id, exc_info=error)
    return BridgeError(
        f"The bridge had an error processing your request. Its log says more under the request id {request_id}."
    )


def _get_status(error: BridgeError) -> int:
    return error.status if 400 <= error.status <= 599 else _BAD_GATEWAY

"""Every error that this package raises on purpose, sorted by its cause.

BridgeError
  ConfigurationError           a setting is wrong; names the file, the key and the allowed values
  RequestError                 the request cannot be served                          -> 4xx
    InvalidRequest             400, with the legacy service's own text, param and code
      UnknownEvent             400; the run has no stored event with this id
    Unauthorized               401
    Forbidden                  403; a web page of an origin that is not allowed
    NotFound                   404
    MethodNotAllowed           405
    Conflict                   409; the store rejected a duplicate
    BodyTooLarge               413
    Unsupported                400; this backend has no counterpart
  UpstreamError                the upstream failed or was unreachable                -> its status, or 502
    UpstreamTimeout            the upstream exceeded the caller's timeout            -> 504
  StoreError                   the store failed                                      -> 500
  TranslationError             an impossible order of events or statuses: a bug      -> 500
  RunError                     a run did not complete; carries the run
    RunFailed, RunExpired, RunCancelled, RunIncomplete
"""

from __future__ import annotations

from threadbridge.api_types import JsonMapping, RunObject


class BridgeError(Exception):
    """Base of all errors. `status` is the HTTP status of its response; `message` is the text that a client reads."""

    status = 500
    type = "server_error"

    def __init__(
        self, message: str, *, param: str | None = None, code: str | None = None, request_id: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code
        self.request_id = request_id


class ConfigurationError(BridgeError):
    """A setting is missing, unknown or malformed. The message is one sentence that names the allowed values."""


class RequestError(BridgeError):
    """The request cannot be served; nothing was changed."""

    status = 400
    type = "invalid_request_error"


class InvalidRequest(RequestError):
    """The request breaks a rule of the API (A13, A16-A18, A42, A52, A66-A68 …)."""


class UnknownEvent(InvalidRequest):
    """A run cannot be followed from this event id: it is unknown, or the event is no longer stored."""

    def __init__(self, event_id: str) -> None:
        super().__init__(
            f"Unknown event id in 'Last-Event-ID': '{event_id}'. The events of a run are kept for a while after its "
            "end, by the process that performed it. Without an id you get the events that are still known.",
            param="Last-Event-ID",
            code="unknown_event_id",
        )


class Unauthorized(RequestError):
    """The API key is missing or wrong."""

    status = 401


class Forbidden(RequestError):
    """The sender of the request has no permission."""

    status = 403


class NotFound(RequestError):
    """No such object, for this tenant (A15)."""

    status = 404


class MethodNotAllowed(RequestError):
    """The path exists, but only for the methods in `allowed_methods`."""

    status = 405

    def __init__(self, message: str, *, allowed_methods: tuple[str, ...]) -> None:
        super().__init__(message, code="method_not_supported")
        self.allowed_methods = allowed_methods


class Conflict(RequestError):
    """The store already has this id, or an active run for this thread."""

    status = 409


class BodyTooLarge(RequestError):
    """The request body is longer than the limit."""

    status = 413


class Unsupported(RequestError):
    """This backend has no counterpart for the request."""


class UpstreamError(BridgeError):
    """The upstream (or the legacy service) answered with an error, or not at all.

    `status` is its HTTP status, or 502 without a response; `body` its error object, if it sent one; `retry_after` the
    seconds that it asks a client to wait before the next attempt.
    """

    status = 502
    type = "upstream_error"

    def __init__(
        self,
        message: str,
        *,
        status: int = 502,
        type: str | None = None,
        param: str | None = None,
        code: str | None = None,
        request_id: str | None = None,
        body: JsonMapping | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, param=param, code=code, request_id=request_id)
        self.status = status
        self.type = type or ("invalid_request_error" if 400 <= status < 500 else "server_error")
        self.body = body
        self.retry_after = retry_after


class UpstreamTimeout(UpstreamError, TimeoutError):
    """No response within the timeout. The upstream may still serve the request."""

    def __init__(self, message: str) -> None:
        super().__init__(message, status=504, code="timeout")


class StoreError(BridgeError):
    """The store could not be opened, read or written."""


class TranslationError(BridgeError):
    """An impossible order of events or statuses: a bug in ThreadBridge or in the upstream."""


class RunError(BridgeError):
    """A run ended without completing. `run` is the run object, with its `last_error` if it has one."""

    def __init__(self, message: str, run: RunObject) -> None:
        super().__init__(message)
        self.run = run


class RunFailed(RunError):
    """The run's status is `failed`; `run["last_error"]` says why."""


class RunExpired(RunError):
    """The run did not finish, or its tool outputs were not submitted, before `expires_at`."""


class RunCancelled(RunError):
    """The run was cancelled."""


class RunIncomplete(RunError):
    """A token limit or a content filter ended the run; `run["incomplete_details"]` says which."""

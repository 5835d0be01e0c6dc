"""Every error this package raises on purpose. The first question a class answers is whose fault it was.

BridgeError
  ConfigurationError           a setting is wrong; names the file, the key and the allowed values
  RequestError                 the caller asked for something impossible             -> 4xx
    InvalidRequest             400, with the legacy service's own text, param and code
      UnknownEvent             400; no event of this id is known to go on after
    Unauthorized               401
    Forbidden                  403; a page in a browser that may not ask
    NotFound                   404
    Conflict                   409; the store refused a duplicate
    Unsupported                400; no counterpart on this backend
  UpstreamError                the service behind failed or was unreachable          -> its status, or 502
    UpstreamTimeout            it took longer than the caller would wait            -> 504
  StoreError                   our own storage failed                                -> 500
  TranslationError             the upstream did what the tables forbid: a bug here   -> 500
  RunError                     a run ended other than completed; carries the run
    RunFailed, RunExpired, RunCancelled, RunIncomplete
"""

from __future__ import annotations

from threadbridge.api_types import Wire


class BridgeError(Exception):
    """Base of all. `status` is the HTTP status the wire gives it; `message` is what a client reads."""

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
    """A setting is missing, unknown or malformed. The message is one sentence and says what would be right."""


class RequestError(BridgeError):
    """The caller's request cannot be done; nothing was changed."""

    status = 400
    type = "invalid_request_error"


class InvalidRequest(RequestError):
    """The request breaks a rule of the API (A13, A16-A18, A42, A52, A66-A68 …)."""


class UnknownEvent(InvalidRequest):
    """A run cannot be followed from there: no event of this id is known, or it is known no longer."""

    def __init__(self, event_id: str) -> None:
        super().__init__(
            f"Unknown event id in 'Last-Event-ID': '{event_id}'. The events of a run are kept for a while after its "
            "end, by the process that performed it. Without an id you are told what is known.",
            param="Last-Event-ID",
            code="unknown_event_id",
        )


class Unauthorized(RequestError):
    """The key is missing or wrong."""

    status = 401


class Forbidden(RequestError):
    """Whoever asks may not."""

    status = 403


class NotFound(RequestError):
    """No such object, for this tenant (A15)."""

    status = 404


class Conflict(RequestError):
    """The store already holds this id, or an active run for this thread."""

    status = 409


class Unsupported(RequestError):
    """This backend has no counterpart for the request."""


class UpstreamError(BridgeError):
    """The service behind the bridge answered with an error, or not at all.

    `status` is its HTTP status, or 502 where there was none; `body` its error object where it sent one;
    `retry_after` the seconds it asked to wait before another attempt.
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
        body: Wire | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, param=param, code=code, request_id=request_id)
        self.status = status
        self.type = type or ("invalid_request_error" if 400 <= status < 500 else "server_error")
        self.body = body
        self.retry_after = retry_after


class UpstreamTimeout(UpstreamError, TimeoutError):
    """No answer within the time the caller gave. What was asked for may still happen."""

    def __init__(self, message: str) -> None:
        super().__init__(message, status=504, code="timeout")


class StoreError(BridgeError):
    """The store could not be opened, read or written."""


class TranslationError(BridgeError):
    """An impossible order of events or statuses: a bug in ThreadBridge or in the service behind it."""


class RunError(BridgeError):
    """A run ended in another way than completed. `run` is its wire object, with `last_error` where it has one."""

    def __init__(self, message: str, run: Wire) -> None:
        super().__init__(message)
        self.run = run


class RunFailed(RunError):
    """The run's status is `failed`; `run["last_error"]` says why."""


class RunExpired(RunError):
    """The run was not finished, or its calls not answered, before `expires_at`."""


class RunCancelled(RunError):
    """Somebody cancelled the run."""


class RunIncomplete(RunError):
    """A token limit or a content filter ended the run; `run["incomplete_details"]` says which."""

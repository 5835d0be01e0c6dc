"""How a turn ends without success: what becomes of the run, its open message and its open step (§7, A39, A47, A81)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from threadbridge.api_types import LastError, MessageIncompleteReason, ResponseObject, StepStatus, is_json_object
from threadbridge.errors import BridgeError
from threadbridge.run_states import RunStatus
from threadbridge.schemas.error_messages import mask_partial_keys


@dataclass(frozen=True, slots=True)
class TurnClosure:
    """What becomes of everything that is open when the run enters `run_status`."""

    run_status: RunStatus
    #: `incomplete_details.reason` of the message that was being written (A39).
    message_reason: MessageIncompleteReason
    step_status: StepStatus
    #: `incomplete_details.reason` of the run.
    run_reason: Literal["max_completion_tokens", "max_prompt_tokens"] | None = None


#: Endings that come from outside, by the status they lead to (A60, A95, A96).
INTERRUPTION_CLOSURES: Mapping[str, TurnClosure] = {
    "failed": TurnClosure(RunStatus.FAILED, "run_failed", "failed"),
    "cancelled": TurnClosure(RunStatus.CANCELLED, "run_cancelled", "cancelled"),
    "expired": TurnClosure(RunStatus.EXPIRED, "run_expired", "expired"),
    # Before the request was sent: the prompt is longer than the budget (A80).
    "incomplete": TurnClosure(RunStatus.INCOMPLETE, "max_tokens", "completed", run_reason="max_prompt_tokens"),
}

_TOKEN_LIMIT_CLOSURE = TurnClosure(RunStatus.INCOMPLETE, "max_tokens", "completed", run_reason="max_completion_tokens")

#: Endings of an incomplete response, by its reason (A81). A run has no reason of its own for a content filter (§7).
_INCOMPLETE_CLOSURES: Mapping[str, TurnClosure] = {
    "max_output_tokens": _TOKEN_LIMIT_CLOSURE,
    "length": _TOKEN_LIMIT_CLOSURE,  # S5: the reason that some servers give
    "content_filter": TurnClosure(RunStatus.INCOMPLETE, "content_filter", "completed"),
}

#: An unknown reason: the message needs one of A39, but the run gets none that may be wrong.
_UNKNOWN_REASON_CLOSURE = TurnClosure(RunStatus.INCOMPLETE, "max_tokens", "completed")

#: Upstream error codes that become `rate_limit_exceeded` in `last_error` (§7).
_RATE_LIMIT_CODES = frozenset(
    # The second one is a 429 too, which the legacy service reported under the same code.
    {"rate_limit_exceeded", "insufficient_quota"}
)
#: Upstream error codes that become `invalid_prompt`; every other code becomes `server_error`.
_INVALID_PROMPT_CODES = frozenset(
    {
        "invalid_prompt",
        "invalid_image",
        "invalid_image_format",
        "invalid_base64_image",
        "invalid_image_url",
        "image_too_large",
        "image_too_small",
        "image_parse_error",
        "image_content_policy_violation",
        "invalid_image_mode",
        "image_file_too_large",
        "unsupported_image_media_type",
        "empty_image_file",
        "failed_to_download_image",
        "image_file_not_found",
    }
)

_DEFAULT_MESSAGE = "Sorry, something went wrong."  # the legacy service's own text (A47)
_TOO_MANY_REQUESTS = 429


def get_incomplete_closure(response: ResponseObject) -> TurnClosure:
    """How a run ends whose response came back incomplete."""
    details: object = response.get("incomplete_details")
    reason: object = details.get("reason") if is_json_object(details) else None
    return (
        _INCOMPLETE_CLOSURES.get(reason, _UNKNOWN_REASON_CLOSURE)
        if isinstance(reason, str)
        else _UNKNOWN_REASON_CLOSURE
    )


def build_last_error(
    message: str | None, *, code: str | None = None, status: int | None = None, request_id: str | None = None
) -> LastError:
    """A run's `last_error` (A47) for an upstream error: its code, or else its HTTP status, decides (§7, §15).

    End users may read the message: it contains no part of a key. It names the ID of the upstream's request, so that its
    operators can look it up (D14).
    """
    text = mask_partial_keys(message or _DEFAULT_MESSAGE)
    if request_id is not None and request_id not in text:
        text = f"{text} (request id {request_id})"
    if code in _INVALID_PROMPT_CODES:
        return {"code": "invalid_prompt", "message": text}
    if code in _RATE_LIMIT_CODES or status == _TOO_MANY_REQUESTS:
        return {"code": "rate_limit_exceeded", "message": text}
    return {"code": "server_error", "message": text}


def convert_error(error: object, *, request_id: str | None = None) -> LastError:
    """The `last_error` for an error object of the Responses API, however incomplete it is (S6)."""
    if not is_json_object(error):
        return build_last_error(error if isinstance(error, str) else None, request_id=request_id)
    code, message = error.get("code"), error.get("message")
    return build_last_error(
        message if isinstance(message, str) else None,
        code=code if isinstance(code, str) else None,
        request_id=request_id,
    )


def build_last_error_from_exception(error: BridgeError) -> LastError:
    """The `last_error` of a turn that an exception ended: the upstream's own message and request id (D14)."""
    return build_last_error(error.message, code=error.code, status=error.status, request_id=error.request_id)


def build_generic_last_error() -> LastError:
    """The legacy service's error without a particular cause (A47)."""
    return build_last_error(None)

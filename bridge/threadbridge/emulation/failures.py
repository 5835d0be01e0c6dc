"""Why a run failed, in the codes the legacy service had (A47, mapping §7, §15)."""

from __future__ import annotations

from threadbridge.errors import BridgeError
from threadbridge.ports import Wire
from threadbridge.responses import endings


def last_error(error: BridgeError) -> Wire:
    """The error behind a failed turn: the upstream's own message, with the id its operators can look up (D14)."""
    unnamed = error.request_id is not None and error.request_id not in error.message
    message = f"{error.message} (request id {error.request_id})" if unnamed else error.message
    return endings.last_error(message, code=error.code, status=error.status)


def something_went_wrong() -> Wire:
    """What the legacy service said when it had nothing better to say (A47)."""
    return endings.last_error(None)

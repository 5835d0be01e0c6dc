"""Why a run failed, in the two or three codes the legacy service had (A47, mapping §7, §15)."""

from __future__ import annotations

from threadbridge.errors import BridgeError
from threadbridge.ports import Wire

#: What the legacy service said when it had nothing better to say (A47).
SOMETHING_WENT_WRONG: Wire = {"code": "server_error", "message": "Sorry, something went wrong."}

_TOO_MANY_REQUESTS = 429


def last_error(error: BridgeError) -> Wire:
    """The error behind a failed turn: the upstream's own message, with the id its operators can look up."""
    code = "rate_limit_exceeded" if error.status == _TOO_MANY_REQUESTS else "server_error"
    known = error.request_id and error.request_id not in error.message
    return {"code": code, "message": f"{error.message} (request id {error.request_id})" if known else error.message}

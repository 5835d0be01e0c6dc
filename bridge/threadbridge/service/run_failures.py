"""Why a run failed, in the codes the legacy service had (A47, mapping §7, §15)."""

from __future__ import annotations

from threadbridge.errors import BridgeError
from threadbridge.ports import Wire
from threadbridge.translation import run_errors


def build_last_error_from_exception(error: BridgeError) -> Wire:
    """The error behind a failed turn: the upstream's own message, with the id its operators can look up (D14)."""
    return run_errors.build_last_error(error.message, code=error.code, status=error.status, request_id=error.request_id)


def build_generic_last_error() -> Wire:
    """What the legacy service said when it had nothing better to say (A47)."""
    return run_errors.build_last_error(None)

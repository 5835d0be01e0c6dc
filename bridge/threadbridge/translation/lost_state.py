"""Refusals that say that the service does not keep what a request goes on from, or keeps something else (§2, §9)."""

from __future__ import annotations

from collections.abc import Iterator

from threadbridge.context_window.upstream_continuation import NoContinuationReason
from threadbridge.errors import UpstreamError

_REJECTION_STATUSES = frozenset({400, 404, 409, 422})
_LOCKED_CODE = "conversation_locked"
_STATE_PARAMETERS = frozenset({"previous_response_id", "conversation"})
#: How the service begins to say that calls and outputs do not go together.
_UNPAIRED_CALL_PREFIXES = ("No tool output found for function call", "No tool call found for function call output")

#: Seconds of the first wait for a conversation that somebody holds; each one is twice as long as the one before.
_INITIAL_DELAY = 0.5


def is_conversation_locked(error: UpstreamError) -> bool:
    """Whether somebody else holds the conversation at the moment."""
    return error.code == _LOCKED_CODE


def classify_lost_state(error: UpstreamError, upstream_id: str) -> NoContinuationReason | None:
    """Why a request that went on from `upstream_id` cannot; None where it was refused for anything else."""
    if error.status not in _REJECTION_STATUSES or is_conversation_locked(error):
        return None
    if error.message.startswith(_UNPAIRED_CALL_PREFIXES):
        return "unanswered_calls"
    if error.status == 404 and upstream_id in error.message:
        return "not_found"
    if error.code == "previous_response_not_found":
        return "not_found"
    return "refused" if error.param in _STATE_PARAMETERS or upstream_id in error.message else None


def iterate_lock_delays(seconds: float) -> Iterator[float]:
    """How long to wait before each further attempt, so many seconds together at most."""
    delay = _INITIAL_DELAY
    while seconds > 0:
        yield min(delay, seconds)
        seconds -= delay
        delay *= 2

"""Refusals that say that the service does not keep what a request goes on from, or keeps something else (§2, §9)."""

from __future__ import annotations

from collections.abc import Iterator

from threadbridge.context_window.upstream_continuation import Reason
from threadbridge.errors import UpstreamError

_REFUSED = frozenset({400, 404, 409, 422})
_LOCKED = "conversation_locked"
_NAMING = frozenset({"previous_response_id", "conversation"})
#: How the service begins to say that calls and outputs do not go together.
_CALLS = ("No tool output found for function call", "No tool call found for function call output")

#: Seconds of the first wait for a conversation that somebody holds; each one is twice as long as the one before.
_FIRST_WAIT = 0.5


def is_locked(error: UpstreamError) -> bool:
    """Whether somebody else holds the conversation at the moment."""
    return error.code == _LOCKED


def lost_state(error: UpstreamError, upstream_id: str) -> Reason | None:
    """Why a request that went on from `upstream_id` cannot; None where it was refused for anything else."""
    if error.status not in _REFUSED or is_locked(error):
        return None
    if error.message.startswith(_CALLS):
        return "unanswered_calls"
    if error.status == 404 and upstream_id in error.message:
        return "not_found"
    if error.code == "previous_response_not_found":
        return "not_found"
    return "refused" if error.param in _NAMING or upstream_id in error.message else None


def lock_waits(seconds: float) -> Iterator[float]:
    """How long to wait before each further attempt, so many seconds together at most."""
    wait = _FIRST_WAIT
    while seconds > 0:
        yield min(wait, seconds)
        seconds -= wait
        wait *= 2

"""What to do about a failure that is not of one thread alone."""

from __future__ import annotations

from threadbridge.errors import BridgeError, UpstreamError

#: By the status of the failure.
_NEXT_STEPS = {
    401: "give a key that the source accepts (THREADBRIDGE_ASSISTANTS__API_KEY)",
    403: "give a key that may read these threads (THREADBRIDGE_ASSISTANTS__API_KEY)",
    429: "ask more slowly (--rate)",
}


def affects_whole_source(error: BridgeError) -> bool:
    """Whether the next thread will probably fail in the same way."""
    return isinstance(error, UpstreamError) or error.status in (401, 403)


def describe_next_step(error: BridgeError) -> str:
    """The failure and the next step."""
    step = _NEXT_STEPS.get(error.status, "see that the source can be reached and answers")
    return f"{error.message} Next: {step}, then run the same command again."

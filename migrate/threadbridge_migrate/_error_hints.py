"""Next steps for failures that affect the whole source and not only one thread."""

from __future__ import annotations

from threadbridge.errors import BridgeError, UpstreamError

#: By HTTP status.
_NEXT_STEPS = {
    401: "set a key that the source accepts (THREADBRIDGE_ASSISTANTS__API_KEY)",
    403: "set a key that may read these threads (THREADBRIDGE_ASSISTANTS__API_KEY)",
    429: "lower the request rate (--rate)",
}


def affects_whole_source(error: BridgeError) -> bool:
    """Whether other threads will probably fail in the same way."""
    return isinstance(error, UpstreamError) or error.status in (401, 403)


def describe_next_step(error: BridgeError) -> str:
    """The error message and the next step."""
    step = _NEXT_STEPS.get(error.status, "check that the source is reachable and responds")
    return f"{error.message} Next: {step}, then run the same command again."

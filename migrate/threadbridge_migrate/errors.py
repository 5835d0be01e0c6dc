"""Errors of archives and exports in addition to those of the source, and the next steps after them."""

from __future__ import annotations

from threadbridge.errors import BridgeError, ConfigurationError, StoreError, UpstreamError


class ArchiveError(StoreError):
    """The directory is not an archive, or the archive is damaged, locked, or of an unsupported version."""


class UsageError(ConfigurationError):
    """Wrong usage of the command; the message names a correct one."""


#: What to do after a failure of the whole source, by HTTP status.
_NEXT_STEPS = {
    401: "set a key that the source accepts (THREADBRIDGE_ASSISTANTS__API_KEY)",
    403: "set a key that may read these threads (THREADBRIDGE_ASSISTANTS__API_KEY)",
    429: "lower the request rate (--tpslimit)",
}


def affects_whole_source(error: BridgeError) -> bool:
    """Whether other threads will probably fail in the same way."""
    return isinstance(error, UpstreamError) or error.status in (401, 403)


def describe_next_step(error: BridgeError) -> str:
    """The error message and the next step."""
    step = _NEXT_STEPS.get(error.status, "check that the source is reachable and responds")
    return f"{error.message} Next: {step}, then run the same command again."

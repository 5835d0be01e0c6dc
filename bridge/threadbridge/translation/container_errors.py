"""How a service says that the container in which a thread's code ran is gone (§4): refusing, or in mid-response."""

from __future__ import annotations

from threadbridge.errors import UpstreamError
from threadbridge.ports import Wire
from threadbridge.translation.run_errors import error_in

_REFUSALS = frozenset({400, 404})
_CONTAINER = "container"
#: Seen: "Container is expired." and "Container with id '…' not found."; the others are what services might say.
_GONE = ("expired", "not found", "does not exist", "no longer", "not running", "terminated")


def refused_for_container(error: UpstreamError) -> bool:
    """Whether a request was refused because its container has expired or was deleted."""
    return error.status in _REFUSALS and _CONTAINER in error.message.lower()


def ended_by_container(event: Wire) -> Wire | None:
    """The error of an event that ends a response because its container died; None for any other event."""
    error = error_in(event)
    return error if error is not None and _tells_of_death(error) else None


def _tells_of_death(error: Wire) -> bool:
    message = error.get("message")
    words = message.lower() if isinstance(message, str) else ""
    return _CONTAINER in words and any(word in words for word in _GONE)

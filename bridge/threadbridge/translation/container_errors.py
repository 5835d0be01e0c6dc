"""How a service says that the container in which a thread's code ran is gone (§4): refusing, or in mid-response."""

from __future__ import annotations

from threadbridge.errors import UpstreamError
from threadbridge.ports import Wire
from threadbridge.translation.run_errors import get_event_error

_REJECTION_STATUSES = frozenset({400, 404})
_CONTAINER = "container"
#: Seen: "Container is expired." and "Container with id '…' not found."; the others are what services might say.
_LOST_PHRASES = ("expired", "not found", "does not exist", "no longer", "not running", "terminated")


def is_container_lost(error: UpstreamError) -> bool:
    """Whether a request was refused because its container has expired or was deleted."""
    return error.status in _REJECTION_STATUSES and _CONTAINER in error.message.lower()


def find_container_error(event: Wire) -> Wire | None:
    """The error of an event that ends a response because its container died; None for any other event."""
    error = get_event_error(event)
    return error if error is not None and _describes_lost_container(error) else None


def _describes_lost_container(error: Wire) -> bool:
    message = error.get("message")
    text = message.lower() if isinstance(message, str) else ""
    return _CONTAINER in text and any(word in text for word in _LOST_PHRASES)

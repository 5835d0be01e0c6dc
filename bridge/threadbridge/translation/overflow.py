"""How a service says that a prompt is longer than its model can read: refusing, or in mid-response."""

from __future__ import annotations

import re

from threadbridge.errors import UpstreamError
from threadbridge.ports import Wire
from threadbridge.translation.run_errors import get_event_error

_REJECTION_STATUSES = frozenset({400, 413, 422})
_OVERFLOW_CODE = "context_length_exceeded"
#: Seen of OpenAI, vLLM and llama.cpp; most servers have no code for it (S6).
_OVERFLOW_PHRASES = re.compile(r"\b(context (length|size|window)|maximum model length)\b", re.IGNORECASE)


def is_context_overflow(error: UpstreamError) -> bool:
    """Whether a request was refused because its prompt does not fit into the model's window."""
    return error.status in _REJECTION_STATUSES and _describes_overflow(error.code, error.message)


def is_context_overflow_event(event: Wire) -> bool:
    """Whether an event ends its response because the prompt does not fit into the model's window."""
    error = get_event_error(event)
    return error is not None and _describes_overflow(error.get("code"), error.get("message"))


def _describes_overflow(code: object, message: object) -> bool:
    return code == _OVERFLOW_CODE or (isinstance(message, str) and _OVERFLOW_PHRASES.search(message) is not None)

"""How a service says that a prompt is longer than its model can read: refusing, or in mid-response."""

from __future__ import annotations

import re

from threadbridge.errors import UpstreamError
from threadbridge.ports import Wire
from threadbridge.translation.run_errors import error_in

_REFUSALS = frozenset({400, 413, 422})
_CODE = "context_length_exceeded"
#: Seen of OpenAI, vLLM and llama.cpp; most servers have no code for it (S6).
_WORDS = re.compile(r"\b(context (length|size|window)|maximum model length)\b", re.IGNORECASE)


def refused_as_too_long(error: UpstreamError) -> bool:
    """Whether a request was refused because its prompt does not fit into the model's window."""
    return error.status in _REFUSALS and _tells_of_overflow(error.code, error.message)


def ended_as_too_long(event: Wire) -> bool:
    """Whether an event ends its response because the prompt does not fit into the model's window."""
    error = error_in(event)
    return error is not None and _tells_of_overflow(error.get("code"), error.get("message"))


def _tells_of_overflow(code: object, message: object) -> bool:
    return code == _CODE or (isinstance(message, str) and _WORDS.search(message) is not None)

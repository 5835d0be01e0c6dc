"""What an error of the upstream means, as far as a run can recover from it: one table (§2, §4, §9, §11, §15).

An error arrives as the answer to a request or as an event that ends a response. Services agree on few codes, so most
rows also read the message.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from threadbridge.errors import UpstreamError
from threadbridge.ports import Wire


class ErrorKind(StrEnum):
    """A condition that an error reports."""

    #: The model does not accept a sampling parameter; the detail is its name (§15).
    SAMPLING_REJECTED = "sampling_rejected"
    #: Another request is using the conversation (§9).
    CONVERSATION_LOCKED = "conversation_locked"
    #: The continuation leaves function calls without outputs, or outputs without calls (§9).
    CALLS_UNANSWERED = "calls_unanswered"
    #: The response or the conversation to continue from does not exist (§9).
    STATE_NOT_FOUND = "state_not_found"
    #: The service does not continue from the response or the conversation for another reason (§9).
    STATE_REJECTED = "state_rejected"
    #: The container in which the thread's code ran has expired or was deleted (§4).
    CONTAINER_LOST = "container_lost"
    #: The prompt is longer than the model's context window (§11).
    CONTEXT_OVERFLOW = "context_overflow"
    #: The service does not support compaction, whatever its profile says (S9).
    COMPACTION_REJECTED = "compaction_rejected"


class ErrorMatch(NamedTuple):
    """One meaning of an error. `detail` is what the kind says it is, otherwise empty."""

    kind: ErrorKind
    detail: str = ""


class _ErrorFields(NamedTuple):
    """What an answer and an ending event have in common. Only an answer has a parameter."""

    code: object
    param: str | None
    message: str


#: Returns the detail of a match, or None where the error means something else.
_Matcher: TypeAlias = Callable[[_ErrorFields, Wire], str | None]


class _Row(NamedTuple):
    kind: ErrorKind
    #: Statuses of the answers the row applies to; None: any.
    statuses: frozenset[int] | None
    #: Whether the row applies to events that end a response.
    applies_to_events: bool
    match: _Matcher


def classify_error(error: UpstreamError | Wire, body: Wire) -> tuple[ErrorMatch, ...]:
    """The meanings of an error, in the order in which to try to recover; empty where nothing is known to help.

    `error` is the answer to a request, or the error object of an event (`get_event_error`). `body` is the request:
    only what it contains can be the cause.
    """
    if isinstance(error, UpstreamError):
        rows = [row for row in _ROWS if row.statuses is None or error.status in row.statuses]
        fields = _ErrorFields(error.code, error.param, error.message)
    else:
        rows = [row for row in _ROWS if row.applies_to_events]
        message = error.get("message")
        fields = _ErrorFields(error.get("code"), None, message if isinstance(message, str) else "")
    details = ((row.kind, row.match(fields, body)) for row in rows)
    return tuple(ErrorMatch(kind, detail) for kind, detail in details if detail is not None)


def get_event_error(event: Wire) -> Wire | None:
    """The error object of an event that ends a response with an error; None for any other event."""
    match event:
        case {"type": "response.failed", "response": {"error": dict(error)}} | {"type": "error", "error": dict(error)}:
            return error
        case {"type": "error"}:  # its fields are on the event itself
            return event
        case _:
            return None


_SAMPLING_PARAMETERS = frozenset({"temperature", "top_p"})
_SAMPLING_PATTERN = re.compile(r"\b(temperature|top_p)\b")


def _match_sampling(error: _ErrorFields, body: Wire) -> str | None:
    """A server that names no parameter mentions it in its message, if at all (S6)."""
    named = [error.param] if error.param is not None else _SAMPLING_PATTERN.findall(error.message)
    return next((name for name in named if name in _SAMPLING_PARAMETERS and name in body), None)


def _match_locked(error: _ErrorFields, _: Wire) -> str | None:
    return "" if error.code == "conversation_locked" else None


_STATE_PARAMETERS = ("previous_response_id", "conversation")
_UNPAIRED_CALL_PREFIXES = ("No tool output found for function call", "No tool call found for function call output")


def _get_state_id(body: Wire) -> str | None:
    return next((body[name] for name in _STATE_PARAMETERS if name in body), None)


def _match_unanswered_calls(error: _ErrorFields, body: Wire) -> str | None:
    is_unpaired = error.message.startswith(_UNPAIRED_CALL_PREFIXES)
    return "" if is_unpaired and _get_state_id(body) is not None else None


def _match_state_not_found(error: _ErrorFields, body: Wire) -> str | None:
    is_coded = error.code == "previous_response_not_found"
    return "" if is_coded and _get_state_id(body) is not None else None


def _match_state_mentioned(error: _ErrorFields, body: Wire) -> str | None:
    state_id = _get_state_id(body)
    return "" if state_id is not None and state_id in error.message else None


def _match_state_rejected(error: _ErrorFields, body: Wire) -> str | None:
    if error.param in _STATE_PARAMETERS and _get_state_id(body) is not None:
        return ""
    return _match_state_mentioned(error, body)


#: Seen: "Container is expired." and "Container with id '…' not found."; the others are what services might say.
_LOST_PHRASES = ("expired", "not found", "does not exist", "no longer", "not running", "terminated")


def _match_container(error: _ErrorFields, _: Wire) -> str | None:
    return "" if "container" in error.message.lower() else None


def _match_lost_container(error: _ErrorFields, _: Wire) -> str | None:
    text = error.message.lower()
    return "" if "container" in text and any(phrase in text for phrase in _LOST_PHRASES) else None


#: Seen of OpenAI, vLLM and llama.cpp; most servers have no code for it (S6).
_OVERFLOW_PHRASES = re.compile(r"\b(context (length|size|window)|maximum model length)\b", re.IGNORECASE)


def _match_overflow(error: _ErrorFields, _: Wire) -> str | None:
    is_overflow = error.code == "context_length_exceeded" or _OVERFLOW_PHRASES.search(error.message) is not None
    return "" if is_overflow else None


_COMPACTION = "context_management"


def _match_compaction(error: _ErrorFields, body: Wire) -> str | None:
    return "" if _COMPACTION in body and _COMPACTION in f"{error.param} {error.message}" else None


_INVALID = frozenset({400, 422})
_STATE_STATUSES = frozenset({400, 404, 409, 422})
_NO_ANSWERS: frozenset[int] = frozenset()

#: In the order in which to try to recover; of several rows about one thing the most specific comes first.
_ROWS = (
    _Row(ErrorKind.SAMPLING_REJECTED, _INVALID, False, _match_sampling),
    _Row(ErrorKind.CONVERSATION_LOCKED, None, False, _match_locked),
    _Row(ErrorKind.CALLS_UNANSWERED, _STATE_STATUSES, False, _match_unanswered_calls),
    _Row(ErrorKind.STATE_NOT_FOUND, frozenset({404}), False, _match_state_mentioned),
    _Row(ErrorKind.STATE_NOT_FOUND, _STATE_STATUSES, False, _match_state_not_found),
    _Row(ErrorKind.STATE_REJECTED, _STATE_STATUSES, False, _match_state_rejected),
    # An answer need not say what happened: its status does.
    _Row(ErrorKind.CONTAINER_LOST, frozenset({400, 404}), False, _match_container),
    _Row(ErrorKind.CONTEXT_OVERFLOW, frozenset({400, 413, 422}), True, _match_overflow),
    _Row(ErrorKind.CONTAINER_LOST, _NO_ANSWERS, True, _match_lost_container),
    _Row(ErrorKind.COMPACTION_REJECTED, _INVALID, False, _match_compaction),
)

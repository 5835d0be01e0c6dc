"""What an error of the upstream means, as far as a run can recover from it: one table (§2, §4, §9, §11, §15).

An error arrives as the answer to a request or as an event that ends a response. Services agree on few codes, so most
rows also read the message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from threadbridge.api_types import JsonMapping, is_json_object
from threadbridge.errors import UpstreamError
from threadbridge.translation.rejected_references import find_rejected_references


class ErrorKind(StrEnum):
    """A condition that an error reports."""

    #: The model does not accept a parameter that can be left out; the detail is its name (§15).
    PARAMETER_REJECTED = "parameter_rejected"
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
    #: The service cannot use an image, a file, a vector store or reasoning that the request refers to (§6).
    REFERENCE_REJECTED = "reference_rejected"
    #: The service does not support compaction, whatever its profile says (S9).
    COMPACTION_REJECTED = "compaction_rejected"
    #: The service rejects the request for a reason that no row knows.
    UNKNOWN = "unknown"


class ErrorMatch(NamedTuple):
    """One meaning of an error. `detail` is what the kind says it is, otherwise empty."""

    kind: ErrorKind
    detail: str = ""


class _Row(NamedTuple):
    """A meaning, and the errors that have it: those that meet one of the criteria from `codes` on."""

    kind: ErrorKind
    #: Statuses of the answers the row applies to; None: any.
    statuses: frozenset[int] | None
    #: Whether the row applies to events that end a response.
    applies_to_events: bool = False
    #: Parameters of which the request must contain one, because only what it contains can be the cause.
    required_parameters: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    #: What the error gives as its parameter; only an answer does.
    parameters: tuple[str, ...] = ()
    #: A pattern in the message.
    pattern: re.Pattern[str] | None = None
    #: The message contains the ID of the response or the conversation to continue from.
    names_state: bool = False
    #: The message or the parameter contains this word.
    word: str | None = None
    #: The message compares the length of the prompt with a limit.
    compares_lengths: bool = False
    #: The error is about an image, a file, a vector store or reasoning of the request.
    names_reference: bool = False


_INVALID = frozenset({400, 422})
#: Rejections that no other request can help.
_FINAL_CODES = frozenset({"content_filter", "content_policy_violation", "invalid_prompt", "model_not_found"})
_STATE_STATUSES = frozenset({400, 404, 409, 422})
_NO_ANSWERS: frozenset[int] = frozenset()

#: Parameters that a run can do without, and how a message mentions each. A name that is also an everyday word counts
#: only in quotes.
OPTIONAL_PARAMETERS: Mapping[str, re.Pattern[str]] = {
    "temperature": re.compile(r"\btemperature\b", re.IGNORECASE),
    "top_p": re.compile(r"\btop_p\b", re.IGNORECASE),
    "parallel_tool_calls": re.compile(r"\bparallel[_ ]tool[_ ](calls?|use)\b", re.IGNORECASE),
    "prompt_cache_key": re.compile(r"\bprompt_cache_key\b"),
    "include": re.compile(r"['\"`]include\b|\binclude\[|encrypted_content|_call\.(outputs|results)"),
    "reasoning": re.compile(r"\breasoning[._ ]effort\b|['\"`]reasoning['\"`]", re.IGNORECASE),
    "store": re.compile(r"['\"`]store['\"`]"),
}
_STATE_PARAMETERS = ("previous_response_id", "conversation")
_COMPACTION_PARAMETERS = ("context_management",)

_UNPAIRED_CALL = re.compile(r"\ANo tool (output found for function call|call found for function call output)")
_CONTAINER = re.compile(r"container", re.IGNORECASE)
#: Seen: "Container is expired." and "Container with id '…' not found."; the others are what services might say.
_LOST_CONTAINER = re.compile(
    r"(?=.*container).*(expired|not found|does not exist|no longer|not running|terminated)", re.IGNORECASE | re.DOTALL
)
#: Most servers have no code for it (S6). Phrases seen of OpenAI, vLLM, llama.cpp, Anthropic, Gemini, Bedrock, Groq.
_OVERFLOW = re.compile(
    r"\bcontext[ _](length|size|window|limit)\b|ContextWindowExceeded|\bmaximum model length\b"
    r"|\b(prompt|input|request|messages?)( \w+)? (is|are|was) too (long|large|big)\b"
    r"|\breduce the length\b|\btoo many (input )?tokens\b|\brequest too large\b",
    re.IGNORECASE,
)
#: Tokens of the smallest context window.
_LEAST_CONTEXT = 512
_NUMBER = re.compile(r"\d[\d,_]*\d")
_LENGTH_WORDS = re.compile(r"\b(token|length|long|large|size|limit|maximum|exceed)", re.IGNORECASE)
_TOKEN_WORDS = re.compile(r"\b(tokens?|context|prompt|input)\b", re.IGNORECASE)
#: The answer is to be too long, not the prompt.
_ANSWER_WORDS = re.compile(r"\bmax_(output_|completion_)?tokens\b|\b(completion|output) tokens\b", re.IGNORECASE)

#: In the order in which to try to recover; of several rows about one thing the most specific comes first.
_ROWS = (
    _Row(ErrorKind.CONVERSATION_LOCKED, None, codes=("conversation_locked",)),
    _Row(ErrorKind.CALLS_UNANSWERED, _STATE_STATUSES, required_parameters=_STATE_PARAMETERS, pattern=_UNPAIRED_CALL),
    _Row(ErrorKind.STATE_NOT_FOUND, frozenset({404}), required_parameters=_STATE_PARAMETERS, names_state=True),
    _Row(
        ErrorKind.STATE_NOT_FOUND,
        _STATE_STATUSES,
        required_parameters=_STATE_PARAMETERS,
        codes=("previous_response_not_found",),
    ),
    _Row(
        ErrorKind.STATE_REJECTED,
        _STATE_STATUSES,
        required_parameters=_STATE_PARAMETERS,
        parameters=_STATE_PARAMETERS,
        names_state=True,
    ),
    # The status of an answer says that the container was lost; its message only has to be about a container.
    _Row(ErrorKind.CONTAINER_LOST, frozenset({400, 404}), pattern=_CONTAINER),
    _Row(
        ErrorKind.CONTEXT_OVERFLOW,
        frozenset({400, 413, 422}),
        applies_to_events=True,
        codes=("context_length_exceeded", "context_window_exceeded", "exceed_context_size_error"),
        pattern=_OVERFLOW,
        compares_lengths=True,
    ),
    _Row(ErrorKind.CONTEXT_OVERFLOW, frozenset({413}), pattern=re.compile("")),
    _Row(ErrorKind.REFERENCE_REJECTED, frozenset({400, 404, 422}), applies_to_events=True, names_reference=True),
    _Row(ErrorKind.CONTAINER_LOST, _NO_ANSWERS, applies_to_events=True, pattern=_LOST_CONTAINER),
    _Row(
        ErrorKind.COMPACTION_REJECTED,
        _INVALID,
        required_parameters=_COMPACTION_PARAMETERS,
        word=_COMPACTION_PARAMETERS[0],
    ),
)


def classify_error(error: UpstreamError | JsonMapping, body: JsonMapping) -> tuple[ErrorMatch, ...]:
    """The meanings of an error, in the order in which to try to recover; empty where nothing is known to help.

    `error` is the answer to a request, or the error object of an event (`get_event_error`). `body` is the request:
    only what it contains can be the cause.
    """
    matches: list[ErrorMatch] = []
    if isinstance(error, UpstreamError):
        rows = [row for row in _ROWS if row.statuses is None or error.status in row.statuses]
        code: object = error.code
        parameter, message = error.param, error.message
        if error.status in _INVALID and (rejected := _find_parameter(parameter, message, body)) is not None:
            matches.append(ErrorMatch(ErrorKind.PARAMETER_REJECTED, rejected))
    else:
        rows = [row for row in _ROWS if row.applies_to_events]
        code, param, text = error.get("code"), error.get("param"), error.get("message")
        parameter = param if isinstance(param, str) else None
        message = text if isinstance(text, str) else ""
    state_id = next((body[name] for name in _STATE_PARAMETERS if name in body), None)
    for row in rows:
        if row.required_parameters and not any(name in body for name in row.required_parameters):
            continue
        if (
            code in row.codes
            or parameter in row.parameters
            or (row.pattern is not None and row.pattern.search(message) is not None)
            or (row.names_state and state_id is not None and state_id in message)
            or (row.word is not None and row.word in f"{parameter} {message}")
            or (row.compares_lengths and _compares_lengths(message))
            or (row.names_reference and find_rejected_references(message, parameter, body))
        ):
            matches.append(ErrorMatch(row.kind))
    if not matches and isinstance(error, UpstreamError) and error.status in _INVALID and code not in _FINAL_CODES:
        return (ErrorMatch(ErrorKind.UNKNOWN),)
    return tuple(matches)


def _find_parameter(parameter: str | None, message: str, body: JsonMapping) -> str | None:
    """The parameter of the request that the error is about, if it can be left out.

    A server that gives no parameter mentions it in its message, if at all (S6).
    """
    if parameter is not None:
        name = re.split(r"[.\[]", parameter, maxsplit=1)[0]
        return name if name in OPTIONAL_PARAMETERS and name in body else None
    return next((name for name, words in OPTIONAL_PARAMETERS.items() if name in body and words.search(message)), None)


def _compares_lengths(message: str) -> bool:
    """Whether a message in any words has two large numbers, of which one is the limit, and the words of length."""
    numbers = {int(re.sub(r"[,_]", "", number)) for number in _NUMBER.findall(message)}
    return (
        len([number for number in numbers if number >= _LEAST_CONTEXT]) >= 2
        and len({word.lower() for word in _LENGTH_WORDS.findall(message)}) >= 2
        and _TOKEN_WORDS.search(message) is not None
        and _ANSWER_WORDS.search(message) is None
    )


def get_event_error(event: JsonMapping) -> JsonMapping | None:
    """The error object of an event that ends a response with an error; None for any other event."""
    kind, error = event.get("type"), event.get("error")
    if kind == "response.failed":
        response = event.get("response")
        failure = response.get("error") if is_json_object(response) else None
        return failure if is_json_object(failure) else None
    if kind not in ("error", "response.error"):
        return None
    return error if is_json_object(error) else event  # some servers put its fields on the event itself

"""What a request asks, read from its path, query, headers and body; every refusal that needs no backend."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

import orjson

from threadbridge.errors import InvalidRequest
from threadbridge.ports import ListQuery, Wire, WireRequest
from threadbridge.validation import error_messages
from threadbridge.validation.error_messages import Refusal, quoted, type_word
from threadbridge.wire.error_responses import BodyTooLarge
from threadbridge.wire.routes import Operation, match
from threadbridge.wire.sse import position_of

#: Digits of a number in a query; longer ones are no numbers but attempts to keep us busy.
_INTEGER = re.compile(r"[+-]?[0-9]{1,100}")

#: `include`, `include[]` and `include[0]`: what the SDKs of different languages make of a list.
_INCLUDE = re.compile(r"include(?:\[\d*\])?")

#: A parameter that Azure's clients add to every request (C19).
_API_VERSION = "api-version"

_JSON = "application/json"
_PLAIN = "identity"
_EVENTS = "text/event-stream"

#: What the SDKs send where there is nothing to say.
_EMPTY_BODIES = frozenset({b"", b"{}", b"null"})

#: Brackets in a body before it is tried whether what it holds can be written down again; see `_refuse_deep`.
_SUSPECT_BRACKETS = 200
#: What an answer may wrap around a body: list, object, run, tool resources and so on.
_WRAPPING_LEVELS = 12


@dataclass(frozen=True, slots=True)
class Call:
    """One operation, ready to be asked of a backend."""

    operation: Operation
    ids: Mapping[str, str]
    page: ListQuery
    include: tuple[str, ...]
    body: Wire
    #: What of the request will not be done as it was asked for; the backend adds to it.
    warnings: list[str] = field(default_factory=list[str])
    #: The id of the last event that a client saw before its stream broke.
    last_event_id: str | None = None
    #: Whether the answer is to be a stream of events and nothing else.
    accepts_events: bool = False

    @property
    def assistant_id(self) -> str:
        return self.ids["assistant_id"]

    @property
    def thread_id(self) -> str:
        return self.ids["thread_id"]

    @property
    def message_id(self) -> str:
        return self.ids["message_id"]

    @property
    def run_id(self) -> str:
        return self.ids["run_id"]

    @property
    def step_id(self) -> str:
        return self.ids["step_id"]

    @property
    def streams(self) -> bool:
        """Whether the body asks for events; anything but a plain `true` is for the backend to judge."""
        return self.body.get("stream") is True


def read(request: WireRequest, *, max_body_bytes: int) -> Call:
    """The call a request makes. Raises a RequestError for an unknown path, a missing header or an unreadable body."""
    operation, ids = match(request.method, request.path)
    pairs = [(unquote(name), unquote(value)) for name, value in request.query]
    query = dict(pairs)
    _require_beta(request.headers, query)
    include = (
        tuple([value for name, value in pairs if _INCLUDE.fullmatch(name)]) if "include" in operation.query else ()
    )
    body = {} if operation.body == "none" else _parsed(operation, request, max_body_bytes)
    warnings = [*_without_effect(operation, query), *_repeated(pairs, query), *_unread(operation, request.body)]
    return Call(
        operation,
        ids,
        _page(operation, query),
        include,
        body,
        warnings,
        last_event_id=position_of(request.headers.get("last-event-id")),
        accepts_events=request.headers.get("accept", "").strip() == _EVENTS,
    )


def _without_effect(operation: Operation, query: Mapping[str, str]) -> Sequence[str]:
    """Parameters of the query that mean nothing to this operation. A cache-buster must not break a client."""
    strange = [name for name in query if name != _API_VERSION and _plain(name) not in operation.query]
    return [f"The query parameter '{quoted(name)}' has no effect on this operation." for name in strange]


def _repeated(pairs: Sequence[tuple[str, str]], query: Mapping[str, str]) -> Sequence[str]:
    """Parameters with several values that can have one only: the last of them counts."""
    if len(pairs) == len(query):
        return ()
    given = Counter(name for name, _ in pairs if not _INCLUDE.fullmatch(name))
    return [
        f"The query parameter '{quoted(name)}' was given more than once; the last value counts."
        for name, times in given.items()
        if times > 1
    ]


def _plain(name: str) -> str:
    return "include" if _INCLUDE.fullmatch(name) else name


def _unread(operation: Operation, body: bytes) -> Sequence[str]:
    if operation.body != "none" or body.strip() in _EMPTY_BODIES:
        return ()
    return ("This operation has no request body; the one that was sent has no effect.",)


def _require_beta(headers: Mapping[str, str], query: Mapping[str, str]) -> None:
    """The header of A2. Azure's own clients name an `api-version` and never knew the header, so they need none."""
    given = headers.get("openai-beta")
    if given is None and _API_VERSION in query:
        return
    if given is None or "assistants=v2" not in (part.strip() for part in given.split(",")):
        raise InvalidRequest(
            "You must provide the 'OpenAI-Beta' header to access the Assistants API. "
            "Please try again by setting the header 'OpenAI-Beta: assistants=v2'.",
            code="invalid_beta",
        )


def _page(operation: Operation, query: Mapping[str, str]) -> ListQuery:
    if not query or "limit" not in operation.query:
        return _FIRST_PAGE
    return ListQuery(
        limit=_limit(query.get("limit")),
        order=query.get("order") or None,
        after=query.get("after") or None,
        before=query.get("before") or None,
        run_id=query.get("run_id") or None if "run_id" in operation.query else None,
    )


_FIRST_PAGE = ListQuery()


def _limit(given: str | None) -> int | None:
    if not given:
        return None
    if not _INTEGER.fullmatch(given):
        refusal = Refusal(error_messages.TYPE, expected="an integer", got=type_word(given))
        refusal.within("limit")
        raise refusal.to_error()
    return int(given)


def _parsed(operation: Operation, request: WireRequest, max_body_bytes: int) -> Wire:
    body = request.body
    if len(body) > max_body_bytes:
        raise BodyTooLarge(f"The request body has {len(body)} bytes; at most {max_body_bytes} are accepted.")
    if operation.body == "optional" and not body.strip():
        return {}
    _require_json(request.headers.get("content-type", _JSON))
    _require_plain(request.headers.get("content-encoding", _PLAIN))
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise _unreadable("what was sent was not valid JSON") from None
    if not isinstance(parsed, dict):
        raise InvalidRequest(
            f"Invalid type: expected an object, but got {type_word(parsed)} instead.", code="invalid_type"
        )
    if body.count(b"[") + body.count(b"{") > _SUSPECT_BRACKETS:
        _refuse_deep(parsed)
    return parsed


def _require_json(content_type: str) -> None:
    """The words for any other type; a body without a type is taken for what it looks like."""
    if content_type.partition(";")[0].strip().lower() != _JSON:
        told = quoted(content_type)
        raise InvalidRequest(
            f"Unsupported content type: '{told}'. This API method only accepts '{_JSON}' requests, but you specified "
            f"the header 'Content-Type: {told}'. Please try again with a supported content type.",
            code="unsupported_content_type",
        )


def _require_plain(content_encoding: str) -> None:
    """Said by name: the bytes of a compressed body would only look like broken JSON."""
    if content_encoding.strip().lower() != _PLAIN:
        raise InvalidRequest(
            f"Unsupported content encoding: '{quoted(content_encoding)}'. Please send the request body uncompressed.",
            code="unsupported_content_encoding",
        )


def _refuse_deep(parsed: Wire) -> None:
    """More levels can be read than written: refuse now what no answer could show later."""
    wrapped: object = parsed
    for _ in range(_WRAPPING_LEVELS):
        wrapped = [wrapped]
    try:
        orjson.dumps(wrapped)
    except orjson.JSONEncodeError:
        raise _unreadable("it is nested too deeply") from None


def _unreadable(why: str) -> InvalidRequest:
    # Clients know the first sentence; the hint is ours.
    return InvalidRequest(
        f"We could not parse the JSON body of your request. (HINT: a JSON object is expected; {why}.)"
    )

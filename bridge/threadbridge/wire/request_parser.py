"""Parse a request from its path, query, headers and body, and reject what needs no backend to reject."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

import orjson

from threadbridge.api_types import JsonObject, is_json_object
from threadbridge.errors import BodyTooLarge, InvalidRequest
from threadbridge.ports import ListQuery, RequestIdentity, WireRequest
from threadbridge.schemas import error_messages
from threadbridge.schemas.error_messages import SchemaViolation, describe_type, shorten
from threadbridge.wire.event_stream import parse_last_event_id
from threadbridge.wire.routes import Operation, match_operation

#: The most digits of a number in a query; longer ones only cost time to parse.
_INTEGER = re.compile(r"[+-]?[0-9]{1,100}")

#: `include`, `include[]` and `include[0]`: how the SDKs of different languages write a list.
_INCLUDE = re.compile(r"include(?:\[\d*\])?")

#: A parameter that Azure's clients add to every request (C19).
_API_VERSION = "api-version"

_DEFAULT_QUERY = ListQuery()

_JSON = "application/json"
_IDENTITY = "identity"
_EVENT_STREAM = "text/event-stream"

#: The number of the attempt, from 0; openai SDKs send it with every request.
_RETRY_COUNT = "x-stainless-retry-count"
_MAX_RETRY_DIGITS = 6
_IDEMPOTENCY_KEY = "idempotency-key"
_MAX_KEY_CHARACTERS = 255
_DIGEST_BYTES = 16

#: Bodies that the SDKs send for an empty request.
_EMPTY_BODIES = frozenset({b"", b"{}", b"[]", b"null"})

#: Brackets in a body from which on its nesting is checked.
_NESTING_CHECK_BRACKETS = 200
#: Levels that a response can wrap around a body: list, object, run, tool resources and so on.
_RESPONSE_NESTING_LEVELS = 12


@dataclass(frozen=True, slots=True)
class OperationCall:
    """One call of an operation, parsed."""

    operation: Operation
    ids: Mapping[str, str]
    list_query: ListQuery
    include: tuple[str, ...]
    body: JsonObject
    #: Warnings about parts of the request that are ignored or replaced; the backend adds to them.
    warnings: list[str] = field(default_factory=list[str])
    #: The id of the last event that a client received before its stream broke.
    last_event_id: str | None = None
    #: Whether the client accepts only a stream of events.
    accepts_only_events: bool = False
    #: What tells whether the request repeats another; None if it is not recorded.
    identity: RequestIdentity | None = None

    @property
    def is_streamed(self) -> bool:
        """Whether the response is a stream of events: the operation can stream, and the client asks for it.

        The backend validates a `stream` that is not `true`.
        """
        operation = self.operation
        if operation.stream_method is None:
            return False
        if operation.body == "none":
            return self.accepts_only_events or operation.stream_method == operation.name
        return self.body.get("stream") is True

    @property
    def backend_method(self) -> str:
        """The name of the backend's method."""
        stream_method = self.operation.stream_method
        return stream_method if stream_method is not None and self.is_streamed else self.operation.name


def parse_request(request: WireRequest, *, max_body_bytes: int) -> OperationCall:
    """The call of a request. Raises a RequestError for an unknown path, a missing header or an unreadable body."""
    operation, ids = match_operation(request.method, request.path)
    pairs = [(unquote(name), unquote(value)) for name, value in request.query]
    query = dict(pairs)
    header = request.headers.get("openai-beta")
    # Azure's clients send an `api-version` instead of the header of A2.
    if "assistants=v2" not in [part.strip() for part in (header or "").split(",")] and (
        header is not None or _API_VERSION not in query
    ):
        raise InvalidRequest(
            "You must provide the 'OpenAI-Beta' header to access the Assistants API. "
            "Please try again by setting the header 'OpenAI-Beta: assistants=v2'.",
            code="invalid_beta",
        )
    include: tuple[str, ...] = ()
    if "include" in operation.query:
        include = tuple([value for name, value in pairs if _INCLUDE.fullmatch(name)])
    list_query = _DEFAULT_QUERY
    if query and operation.is_list:
        list_query = ListQuery(
            limit=_parse_limit(query["limit"]) if query.get("limit") else None,
            order=query.get("order") or None,
            after=query.get("after") or None,
            before=query.get("before") or None,
            run_id=query.get("run_id") or None if "run_id" in operation.query else None,
        )
    body: JsonObject = {}
    warnings = _find_query_warnings(operation, pairs, query) if query else []
    if operation.body != "none":
        body = _parse_body(operation, request, max_body_bytes)
    elif request.body.strip() not in _EMPTY_BODIES:
        warnings.append("This operation has no request body; the one that was sent has no effect.")
    return OperationCall(
        operation,
        ids,
        list_query,
        include,
        body,
        warnings,
        last_event_id=parse_last_event_id(request.headers.get("last-event-id")),
        accepts_only_events=request.headers.get("accept", "").strip() == _EVENT_STREAM,
        identity=_parse_identity(request, has_thread="thread_id" in ids) if operation.is_recorded else None,
    )


def _parse_identity(request: WireRequest, *, has_thread: bool) -> RequestIdentity | None:
    """The identity of a request with an idempotency key or, on a thread, with the number of its attempt."""
    key = request.headers.get(_IDEMPOTENCY_KEY, "").strip()
    if len(key) > _MAX_KEY_CHARACTERS:
        raise InvalidRequest(
            f"The header 'Idempotency-Key' has {len(key)} characters; at most {_MAX_KEY_CHARACTERS} are accepted.",
            param="Idempotency-Key",
            code="invalid_idempotency_key",
        )
    count = request.headers.get(_RETRY_COUNT, "") if has_thread else ""
    is_attempt = count.isascii() and count.isdigit() and len(count) <= _MAX_RETRY_DIGITS
    if not key and not is_attempt:
        return None
    digest = hashlib.blake2b(request.body, digest_size=_DIGEST_BYTES)
    digest.update(repr((request.path, request.query)).encode(errors="surrogatepass"))
    return RequestIdentity(digest.hexdigest(), key or None, int(count) if is_attempt else 0)


def _find_query_warnings(operation: Operation, pairs: Sequence[tuple[str, str]], query: Mapping[str, str]) -> list[str]:
    """Warnings about parameters that this operation ignores (a cache-buster must not break a client) or that repeat."""
    warnings: list[str] = []
    for name in query:
        known_name = "include" if _INCLUDE.fullmatch(name) else name
        if known_name not in operation.query and name != _API_VERSION:
            warnings.append(f"The query parameter '{shorten(name)}' has no effect on this operation.")
    if len(pairs) > len(query):
        counts = Counter(name for name, _ in pairs if not _INCLUDE.fullmatch(name))
        warnings += [
            f"The query parameter '{shorten(name)}' was given more than once; the last value counts."
            for name, times in counts.items()
            if times > 1
        ]
    return warnings


def _parse_limit(value: str) -> int:
    if not _INTEGER.fullmatch(value):
        violation = SchemaViolation(error_messages.INVALID_TYPE, expected="an integer", got=describe_type(value))
        violation.prepend_to_path("limit")
        raise violation.to_error()
    return int(value)


def _parse_body(operation: Operation, request: WireRequest, max_body_bytes: int) -> JsonObject:
    body = request.body
    if len(body) > max_body_bytes:
        raise BodyTooLarge(f"The request body has {len(body)} bytes; at most {max_body_bytes} are accepted.")
    if operation.body == "optional" and not body.strip():
        return {}
    content_type = request.headers.get("content-type", _JSON)  # without one, the service detected the type
    if content_type.partition(";")[0].strip().lower() != _JSON:
        short_type = shorten(content_type)
        raise InvalidRequest(
            f"Unsupported content type: '{short_type}'. This API method only accepts '{_JSON}' requests, but you "
            f"specified the header 'Content-Type: {short_type}'. Please try again with a supported content type.",
            code="unsupported_content_type",
        )
    content_encoding = request.headers.get("content-encoding", _IDENTITY)
    if content_encoding.strip().lower() != _IDENTITY:  # a compressed body would otherwise look like broken JSON
        raise InvalidRequest(
            f"Unsupported content encoding: '{shorten(content_encoding)}'. Please send the request body uncompressed.",
            code="unsupported_content_encoding",
        )
    try:
        parsed: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise _build_parse_error("what was sent was not valid JSON") from None
    if parsed is None or parsed == []:  # how other languages write an empty object: PHP sends `[]`
        return {}
    if not is_json_object(parsed):
        raise InvalidRequest(
            f"Invalid type: expected an object, but got {describe_type(parsed)} instead.", code="invalid_type"
        )
    if body.count(b"[") + body.count(b"{") > _NESTING_CHECK_BRACKETS:
        # JSON can be parsed at more levels than it can be written: reject now what no response could contain later.
        wrapped: object = parsed
        for _ in range(_RESPONSE_NESTING_LEVELS):
            wrapped = [wrapped]
        try:
            orjson.dumps(wrapped)
        except orjson.JSONEncodeError:
            raise _build_parse_error("it is nested too deeply") from None
    return parsed


def _build_parse_error(reason: str) -> InvalidRequest:
    # The first sentence is the service's; the hint is ours.
    return InvalidRequest(
        f"We could not parse the JSON body of your request. (HINT: a JSON object is expected; {reason}.)"
    )

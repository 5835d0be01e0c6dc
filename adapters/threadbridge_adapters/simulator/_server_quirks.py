"""How other Responses servers differ from OpenAI's: each manner is one thing that was seen in the field (S1 to S13).

They show over HTTP and through `pass_on`: requests are taken, and answers given, in that server's way.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import aclosing
from enum import StrEnum
from typing import Any, Final

from threadbridge.ports import Wire
from threadbridge_adapters.simulator import _errors as errors


class Manner(StrEnum):
    """One habit of a server that is not OpenAI's."""

    #: S1: `conversation` is taken as a string only, and not echoed.
    CONVERSATION_BY_STRING = "conversation-by-string"
    #: S2: `items` of a new conversation are dropped without a word.
    DROPS_FIRST_ITEMS = "drops-first-items"
    #: S3: a call without an output, or an output without a call, is accepted.
    TAKES_OPEN_CALLS = "takes-open-calls"
    #: S4: no `output_text.done`, no message "added" after a file search, numbers with gaps.
    PATCHY_STREAMS = "patchy-streams"
    #: S5: the reason `length`, stored items with a null status, usage with fewer details.
    SPARSE_OBJECTS = "sparse-objects"
    #: S6: an error is `{"detail": …}`.
    DETAIL_ERRORS = "detail-errors"
    #: S6: an error has a message and nothing else.
    TERSE_ERRORS = "terse-errors"
    #: S7: background or stream, not both.
    NO_BACKGROUND_STREAMS = "no-background-streams"
    #: S7: no background at all.
    NO_BACKGROUND = "no-background"
    #: S7: a background response is made while the client waits.
    INLINE_BACKGROUND = "inline-background"
    #: S8: ids of files are inner ones, with the real one among the attributes; scores go beyond one.
    INNER_FILE_IDS = "inner-file-ids"
    #: S9: no `input_tokens`, no models, no compaction; lists without their paging fields.
    FEW_PATHS = "few-paths"
    #: S10: the choice `required` is not heard.
    NO_REQUIRED_CHOICE = "no-required-choice"
    #: S10: whatever model is asked for, one answers.
    ONE_MODEL = "one-model"
    #: S11: responses are not kept.
    FORGETS = "forgets"
    #: S11: any `previous_response_id` is accepted, and nothing comes of it.
    TAKES_ANY_PREVIOUS = "takes-any-previous"
    #: S11: there are no conversations.
    NO_CONVERSATIONS = "no-conversations"
    #: S12: no containers and no code_interpreter.
    NO_CONTAINERS = "no-containers"
    #: S12: no files, no vector stores and no file_search.
    NO_FILES = "no-files"
    #: S13: a conversation is never locked.
    NO_LOCKS = "no-locks"


M = Manner
ONE_MODEL: Final = "the-only-model"

#: Beginnings of paths that are not there.
_ABSENT: Final[Mapping[Manner, tuple[str, ...]]] = {
    M.FEW_PATHS: ("/responses/input_tokens", "/models"),
    M.NO_CONVERSATIONS: ("/conversations",),
    M.NO_CONTAINERS: ("/containers",),
    M.NO_FILES: ("/files", "/uploads", "/vector_stores"),
}
_ABSENT_TOOLS: Final[Mapping[Manner, str]] = {
    M.NO_CONTAINERS: "code_interpreter",
    M.NO_FILES: "file_search",
}


class Manners:
    """The habits of one simulator. None of them: it behaves as OpenAI's service."""

    def __init__(self, manners: Collection[Manner] = ()) -> None:
        self._manners = frozenset(manners)

    def __contains__(self, manner: Manner) -> bool:
        return manner in self._manners

    def __bool__(self) -> bool:
        return bool(self._manners)

    def is_absent(self, method: str, path: str) -> bool:
        """Whether this server has no such path."""
        if M.FORGETS in self and method == "GET" and path.startswith("/responses/"):
            return True
        return any(path.startswith(_ABSENT[manner]) for manner in self._manners & _ABSENT.keys())

    def asked(self, path: str, body: Any) -> Any:
        """The body as this server reads it. Raises what it refuses."""
        if not isinstance(body, dict):
            return body
        if path == "/conversations" and M.DROPS_FIRST_ITEMS in self:
            return {name: value for name, value in body.items() if name != "items"}
        return self._asked_response(body) if path == "/responses" else body

    def answered(self, body: Wire) -> Wire:
        """An answer as this server gives it."""
        if body.get("object") == "list":
            return self._listed(body)
        return self._response(body) if body.get("object") == "response" else body

    async def told(self, events: AsyncGenerator[Wire]) -> AsyncGenerator[Wire]:
        """A stream as this server sends it."""
        searched = False
        async with aclosing(events):
            async for event in events:
                item = event.get("item") or {}
                searched = searched or item.get("type") == "file_search_call"
                if M.PATCHY_STREAMS in self and _is_left_out(event, searched=searched):
                    continue
                yield self._event(event)

    def refused(self, body: Wire) -> Wire:
        """An error body as this server writes it."""
        message = body["error"]["message"]
        if M.DETAIL_ERRORS in self:
            return {"detail": message}
        return {"error": {"message": message}} if M.TERSE_ERRORS in self else body

    def _asked_response(self, body: Wire) -> Wire:
        for manner, refuse in _REFUSALS.items():
            if manner in self:
                refuse(body)
        for manner, kind in _ABSENT_TOOLS.items():
            if manner in self and any(tool.get("type") == kind for tool in body.get("tools") or ()):
                raise errors.wrong_value("tools[0].type", kind, ("function",))
        dropped = {name for manner, name in _UNHEARD.items() if manner in self}
        heard = {name: value for name, value in body.items() if name not in dropped}
        if M.NO_REQUIRED_CHOICE in self and heard.get("tool_choice") == "required":
            heard["tool_choice"] = "auto"
        return heard

    def _event(self, event: Wire) -> Wire:
        shown = dict(event)
        if "response" in shown:
            shown["response"] = self._response(shown["response"])
        elif M.INNER_FILE_IDS in self:
            shown = _with_inner_ids(shown)
        if M.PATCHY_STREAMS in self:
            shown["sequence_number"] *= 2
        return shown

    def _response(self, body: Wire) -> Wire:
        shown = dict(body)
        if M.CONVERSATION_BY_STRING in self:
            shown.pop("conversation", None)
        if M.ONE_MODEL in self:
            shown["model"] = ONE_MODEL
        if M.SPARSE_OBJECTS in self:
            shown = _sparse(shown)
        return _with_inner_ids(shown) if M.INNER_FILE_IDS in self else shown

    def _listed(self, body: Wire) -> Wire:
        shown = dict(body)
        if M.SPARSE_OBJECTS in self:
            shown["data"] = [{**item, "status": None} if "status" in item else item for item in body["data"]]
        if M.FEW_PATHS in self:
            shown = {name: shown[name] for name in ("object", "data")}
        return shown


def _no_conversation_object(body: Wire) -> None:
    if isinstance(body.get("conversation"), dict):
        raise errors.wrong_type("conversation", "a string", body["conversation"])


def _no_background_stream(body: Wire) -> None:
    if body.get("background") and body.get("stream"):
        raise errors.ServiceError("Background responses cannot be streamed.", param="stream")


def _no_background(body: Wire) -> None:
    if body.get("background"):
        raise errors.not_simulated("background")


def _no_compaction(body: Wire) -> None:
    if body.get("context_management"):
        raise errors.unknown("context_management")


def _no_previous(body: Wire) -> None:
    if body.get("previous_response_id"):
        raise errors.previous_response_not_found(body["previous_response_id"])


#: Which requests for a response are refused.
_REFUSALS: Final[Mapping[Manner, Callable[[Wire], None]]] = {
    M.CONVERSATION_BY_STRING: _no_conversation_object,
    M.NO_BACKGROUND_STREAMS: _no_background_stream,
    M.NO_BACKGROUND: _no_background,
    M.FORGETS: _no_previous,
    M.FEW_PATHS: _no_compaction,
}
#: Which of its parameters are not looked at.
_UNHEARD: Final[Mapping[Manner, str]] = {
    M.INLINE_BACKGROUND: "background",
    M.TAKES_ANY_PREVIOUS: "previous_response_id",
}


def _is_left_out(event: Wire, *, searched: bool) -> bool:
    if event["type"] == "response.output_text.done":
        return True
    return searched and event["type"] == "response.output_item.added" and event["item"]["type"] == "message"


def _sparse(response: Wire) -> Wire:
    shown = dict(response)
    if (shown.get("incomplete_details") or {}).get("reason") == "max_output_tokens":
        shown["incomplete_details"] = {"reason": "length"}
    if shown.get("usage"):
        shown["usage"] = {**shown["usage"], "input_tokens_details": None}
        del shown["usage"]["output_tokens_details"]
    return shown


def _with_inner_ids(value: Any) -> Any:
    """Everywhere in it: ids of cited files and of search results, and the scores of these."""
    if isinstance(value, list):
        return [_with_inner_ids(each) for each in value]
    if not isinstance(value, dict):
        return value
    shown = {name: _with_inner_ids(each) for name, each in value.items()}
    if shown.get("type") == "file_citation":
        shown["file_id"] = f"inner-{shown['file_id']}"
    elif "score" in shown and "file_id" in shown:
        shown["attributes"] = {**shown["attributes"], "file_id": shown["file_id"]}
        shown["file_id"] = f"inner-{shown['file_id']}"
        shown["score"] = shown["score"] * 20
    return shown

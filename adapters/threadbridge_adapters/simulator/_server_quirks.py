"""Quirks of other Responses servers: each is one observed difference from OpenAI's service (S1 to S13).

They apply to requests and responses over HTTP and through the pass-through.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import aclosing
from typing import Any, Final

from threadbridge.api_types import JsonObject, is_json_list, is_json_object
from threadbridge_adapters.server_quirks import ServerQuirk
from threadbridge_adapters.simulator import _errors as errors

Q = ServerQuirk
ONLY_MODEL: Final = "the-only-model"

#: Prefixes of missing paths.
_MISSING_PATHS: Final[Mapping[ServerQuirk, tuple[str, ...]]] = {
    Q.FEW_PATHS: ("/responses/input_tokens", "/models"),
    Q.NO_CONVERSATIONS: ("/conversations",),
    Q.NO_CONTAINERS: ("/containers",),
    Q.NO_FILES: ("/files", "/uploads", "/vector_stores"),
}
_UNSUPPORTED_TOOLS: Final[Mapping[ServerQuirk, str]] = {
    Q.NO_CONTAINERS: "code_interpreter",
    Q.NO_FILES: "file_search",
}
#: Parameters of a create request that are ignored.
_IGNORED_PARAMETERS: Final[Mapping[ServerQuirk, str]] = {
    Q.INLINE_BACKGROUND: "background",
    Q.TAKES_ANY_PREVIOUS: "previous_response_id",
}
#: Parameters that are rejected, the message with `{name}`, and its status.
_REJECTED_PARAMETERS: Final[Mapping[ServerQuirk, tuple[tuple[str, ...], str, int]]] = {
    Q.NO_PARALLEL_CALLS: (
        ("parallel_tool_calls",),
        "Unsupported parameter: '{name}' is not supported with this model.",
        400,
    ),
    Q.NO_EFFORT: (("reasoning",), "Unrecognized request argument supplied: {name}", 400),
    Q.NO_SAMPLING: (("temperature", "top_p"), "`{name}` is deprecated for this model.", 400),
    Q.NO_CACHE_KEY: (
        ("prompt_cache_key",),
        "[{{'type': 'extra_forbidden', 'loc': ('body', '{name}'), 'msg': 'Extra inputs are not permitted'}}]",
        422,
    ),
    Q.NO_INCLUDE: (("include",), "Unknown parameter: '{name}'.", 400),
}
#: The last event of a failed stream. `sse_event` is the name of an event whose data has no type.
_STREAM_ERRORS: Final[Mapping[ServerQuirk, Callable[[JsonObject], JsonObject]]] = {
    Q.UNTYPED_STREAM_ERRORS: lambda error: {"error": error},
    Q.NAMED_STREAM_ERRORS: lambda error: {"sse_event": "error", **error},
    Q.RESPONSE_ERROR_EVENTS: lambda error: {"type": "response.error", "error": error},
}


class ServerQuirks:
    """The quirks of one simulator; without any it behaves like OpenAI's service."""

    def __init__(self, quirks: Collection[ServerQuirk] = ()) -> None:
        self._quirks = frozenset(quirks)

    def __contains__(self, quirk: ServerQuirk) -> bool:
        return quirk in self._quirks

    def __bool__(self) -> bool:
        return bool(self._quirks)

    def is_missing_path(self, method: str, path: str) -> bool:
        """Whether this server does not have the path."""
        if Q.FORGETS in self and method == "GET" and path.startswith("/responses/"):
            return True
        return any(path.startswith(_MISSING_PATHS[quirk]) for quirk in self._quirks & _MISSING_PATHS.keys())

    def transform_request(self, path: str, body: Any) -> Any:
        """The body as this server reads it. Raises the server's errors."""
        if not is_json_object(body):
            return body
        if path == "/conversations" and Q.DROPS_FIRST_ITEMS in self:
            return {name: value for name, value in body.items() if name != "items"}
        if path != "/responses":
            return body
        self._check_response_request(body)
        ignored_names = {name for quirk, name in _IGNORED_PARAMETERS.items() if quirk in self}
        request = {name: value for name, value in body.items() if name not in ignored_names}
        if Q.NO_REQUIRED_CHOICE in self and request.get("tool_choice") == "required":
            request["tool_choice"] = "auto"
        return request

    def transform_response(self, body: JsonObject) -> JsonObject:
        """A response as this server sends it."""
        if body.get("object") == "response":
            return self._transform_response_object(body)
        if body.get("object") != "list":
            return body
        result = dict(body)
        if Q.SPARSE_OBJECTS in self:
            result["data"] = [{**item, "status": None} if "status" in item else item for item in body["data"]]
        if Q.FEW_PATHS in self:
            result = {name: result[name] for name in ("object", "data")}
        return result

    async def transform_events(self, events: AsyncGenerator[JsonObject]) -> AsyncGenerator[JsonObject]:
        """A stream as this server sends it."""
        has_searched = False
        async with aclosing(events):
            async for event in events:
                shape = self._quirks & _STREAM_ERRORS.keys() if event["type"] == "response.failed" else ()
                for quirk in shape:
                    yield _STREAM_ERRORS[quirk](event["response"]["error"])
                    return
                item = event.get("item") or JsonObject()
                has_searched = has_searched or item.get("type") == "file_search_call"
                if Q.PATCHY_STREAMS in self:
                    if event["type"] == "response.output_text.done":
                        continue
                    if has_searched and event["type"] == "response.output_item.added" and item["type"] == "message":
                        continue
                    event = {**event, "sequence_number": event["sequence_number"] * 2}
                if "response" in event:
                    event = {**event, "response": self._transform_response_object(event["response"])}
                elif Q.INNER_FILE_IDS in self:
                    event = _replace_file_ids(event)
                yield event

    def transform_error(self, body: JsonObject) -> JsonObject:
        """An error body as this server sends it."""
        message = body["error"]["message"]
        if Q.DETAIL_ERRORS in self:
            return {"detail": message}
        return {"error": {"message": message}} if Q.TERSE_ERRORS in self else body

    def _check_response_request(self, body: JsonObject) -> None:
        """Reject what this server does not support."""
        if Q.CONVERSATION_BY_STRING in self and is_json_object(body.get("conversation")):
            raise errors.invalid_type("conversation", "a string", body["conversation"])
        if Q.NO_BACKGROUND_STREAMS in self and body.get("background") and body.get("stream"):
            raise errors.ServiceError("Background responses cannot be streamed.", param="stream")
        if Q.NO_BACKGROUND in self and body.get("background"):
            raise errors.parameter_not_simulated("background")
        if Q.FORGETS in self and body.get("previous_response_id"):
            raise errors.previous_response_not_found(body["previous_response_id"])
        if Q.FEW_PATHS in self and body.get("context_management"):
            raise errors.unknown_parameter("context_management")
        for quirk, (names, message, status) in _REJECTED_PARAMETERS.items():
            rejected = [name for name in names if quirk in self and body.get(name) is not None]
            if rejected:
                raise errors.ServiceError(message.format(name=rejected[0]), status=status)
        if Q.NO_STORE in self and body.get("store") is not False:
            raise errors.ServiceError("Store must be set to false")
        for quirk, kind in _UNSUPPORTED_TOOLS.items():
            if quirk in self and any(tool.get("type") == kind for tool in body.get("tools") or ()):
                raise errors.invalid_value("tools[0].type", kind, ("function",))

    def _transform_response_object(self, body: JsonObject) -> JsonObject:
        result = dict(body)
        if Q.CONVERSATION_BY_STRING in self:
            result.pop("conversation", None)
        if Q.ONE_MODEL in self:
            result["model"] = ONLY_MODEL
        if Q.SPARSE_OBJECTS in self:
            if (result.get("incomplete_details") or JsonObject()).get("reason") == "max_output_tokens":
                result["incomplete_details"] = {"reason": "length"}
            if result.get("usage"):
                result["usage"] = {**result["usage"], "input_tokens_details": None}
                del result["usage"]["output_tokens_details"]
        return _replace_file_ids(result) if Q.INNER_FILE_IDS in self else result


def _replace_file_ids(value: Any) -> Any:
    """Change ids of cited files and search results, and the scores of the results, at any depth."""
    if is_json_list(value):
        return [_replace_file_ids(each) for each in value]
    if not is_json_object(value):
        return value
    result = {name: _replace_file_ids(each) for name, each in value.items()}
    if result.get("type") == "file_citation":
        result["file_id"] = f"inner-{result['file_id']}"
    elif "score" in result and "file_id" in result:
        result["attributes"] = {**result["attributes"], "file_id": result["file_id"]}
        result["file_id"] = f"inner-{result['file_id']}"
        result["score"] = result["score"] * 20
    return result

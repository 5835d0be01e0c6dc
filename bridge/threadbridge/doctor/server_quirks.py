"""Quirks of a server that no setting describes. All are harmless but a lack of streams (S1 to S9)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from threadbridge.api_types import JsonMapping, JsonObject
from threadbridge.ports import build_path
from threadbridge.translation.probe_protocol import (
    ProbeGenerator,
    ProbeOptions,
    ProbeRequest,
    ProbeResponse,
    delete_resource,
)

_GREETING: JsonObject = {"type": "message", "role": "user", "content": "Say ok."}
_OPEN_CALL: Sequence[JsonObject] = (
    _GREETING,
    {"type": "function_call", "call_id": "call_1", "name": "ring", "arguments": "{}"},
    _GREETING,
)
_ERROR_FIELDS = ("message", "type", "param", "code")


def check_plain_response(response: ProbeResponse, model: str, model_names: Collection[str]) -> Sequence[str]:
    """Quirks of a plain response (S5, S10). `model_names` also has dated names of the requested model."""
    quirks: list[str] = []
    answered = response.body.get("model")
    if answered != model and answered not in model_names:
        quirks.append(f"The model {answered} answers requests for {model}.")
    usage: JsonMapping = response.body.get("usage") or {}
    if not (usage.get("input_tokens_details") and usage.get("output_tokens_details")):
        quirks.append("Its token counts have no details: cached and reasoning tokens are zero.")
    return quirks


def check_error_fields(_options: ProbeOptions) -> ProbeGenerator[Sequence[str]]:
    """Which fields an error has (S6)."""
    rejected = yield ProbeRequest("POST", "/responses", {})
    if rejected.error is None:
        return ["It accepts a request without a model and an input."]
    error_body: JsonMapping = rejected.error.body or {}
    lacking = [name for name in _ERROR_FIELDS if name not in error_body]
    return [f"Its errors lack {', '.join(lacking)}."] if lacking else []


def check_streams(options: ProbeOptions) -> ProbeGenerator[Sequence[str]]:
    """Which events a stream lacks (S4)."""
    response = yield options.build_request(stream=True)
    if response.error is not None:
        return [f"It does not stream, so streamed runs would fail: {response.error_text}."]
    kinds = {event.get("type") for event in response.events}
    numbers = [event.get("sequence_number") for event in response.events]
    quirks: list[str] = []
    if "response.output_text.delta" in kinds and "response.output_text.done" not in kinds:
        quirks.append("Its streams have no output_text.done.")
    if numbers != list(range(len(numbers))):
        quirks.append("The events of its streams have missing or wrong sequence numbers.")
    return quirks


def check_open_calls(options: ProbeOptions) -> ProbeGenerator[Sequence[str]]:
    """Whether a call without an output is accepted (S3)."""
    response = yield options.build_request(input=list(_OPEN_CALL))
    return (
        ["It accepts function calls without outputs; ThreadBridge never sends any."] if response.error is None else []
    )


def check_conversations(options: ProbeOptions) -> ProbeGenerator[Sequence[str]]:
    """Whether a conversation has the items that it was created with (S2), and can be given as an object (S1)."""
    conversation = yield ProbeRequest("POST", "/conversations", {"items": [_GREETING]})
    if conversation.error is not None or "id" not in conversation.body:
        return []
    path = build_path("conversations", str(conversation.body["id"]))
    items = yield ProbeRequest("GET", f"{path}/items")
    used = yield options.build_request(conversation={"id": conversation.body["id"]})
    yield from delete_resource(path)
    dropped = ["It drops the items that a conversation is created with."] if items.body.get("data") == [] else []
    unnamed = ["A conversation can only be given as an id, not as an object."] if used.error is not None else []
    return [*dropped, *unnamed]


def check_background_streams(options: ProbeOptions) -> ProbeGenerator[Sequence[str]]:
    """Whether background responses can be streamed (S7)."""
    more: JsonObject = {"store": True} if options.sends_store else {}
    streamed = yield options.build_request(background=True, stream=True, **more)
    response_ids = [event["response"]["id"] for event in streamed.events if event.get("type") == "response.created"]
    for response_id in response_ids:
        yield from delete_resource(build_path("responses", str(response_id)))
    return [] if response_ids else ["It does not stream background responses."]


def check_list_fields(_options: ProbeOptions) -> ProbeGenerator[Sequence[str]]:
    """Whether lists have `has_more` (S9)."""
    listed = yield ProbeRequest("GET", "/files?limit=1")
    return ["Its lists have no has_more."] if "has_more" not in listed.body else []


_QuirkCheck = Callable[[ProbeOptions], ProbeGenerator[Sequence[str]]]
#: For every server.
COMMON_CHECKS: Sequence[_QuirkCheck] = (check_error_fields, check_streams, check_open_calls)
#: For servers with the capability.
CAPABILITY_CHECKS: Sequence[tuple[str, _QuirkCheck]] = (
    ("conversations", check_conversations),
    ("background", check_background_streams),
    ("files", check_list_fields),
)

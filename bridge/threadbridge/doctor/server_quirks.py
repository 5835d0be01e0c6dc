"""Habits of a server that no setting speaks of. All but a lack of streams are borne (S1 to S9)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from threadbridge.ports import Wire
from threadbridge.translation.probe_protocol import (
    ProbeGenerator,
    ProbeOptions,
    ProbeRequest,
    ProbeResponse,
    delete_resource,
)

_GREETING: Wire = {"type": "message", "role": "user", "content": "Say ok."}
_OPEN_CALL: tuple[Wire, ...] = (
    _GREETING,
    {"type": "function_call", "call_id": "call_1", "name": "ring", "arguments": "{}"},
    _GREETING,
)
_ERROR_FIELDS = ("message", "type", "param", "code")


def check_plain_response(response: ProbeResponse, model: str, model_names: Collection[str]) -> Sequence[str]:
    """What shows in a plain response (S5, S10). A dated name of the model asked for is in the list too."""
    quirks: list[str] = []
    answered = response.body.get("model")
    if answered != model and answered not in model_names:
        quirks.append(f"The model {answered} answers where {model} is asked for.")
    usage = response.body.get("usage") or {}
    if not (usage.get("input_tokens_details") and usage.get("output_tokens_details")):
        quirks.append("Its token counts have no details: cached and reasoning tokens are shown as zero.")
    return quirks


def check_error_fields(_options: ProbeOptions) -> ProbeGenerator[Sequence[str]]:
    """Which fields an error has (S6)."""
    refused = yield ProbeRequest("POST", "/responses", {})
    if refused.error is None:
        return ["It answers a request without a model and an input."]
    error_body = refused.error.body or {}
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
        quirks.append("The events of its streams are not numbered without gaps.")
    return quirks


def check_open_calls(options: ProbeOptions) -> ProbeGenerator[Sequence[str]]:
    """Whether a call without an output is accepted (S3)."""
    said = yield options.build_request(input=list(_OPEN_CALL))
    return ["It accepts calls without outputs; none is ever sent."] if said.error is None else []


def check_conversations(options: ProbeOptions) -> ProbeGenerator[Sequence[str]]:
    """Whether a conversation keeps what it is made with (S2), and may be named by an object (S1)."""
    conversation = yield ProbeRequest("POST", "/conversations", {"items": [_GREETING]})
    if conversation.error is not None or "id" not in conversation.body:
        return []
    path = f"/conversations/{conversation.body['id']}"
    kept = yield ProbeRequest("GET", f"{path}/items")
    used = yield options.build_request(conversation={"id": conversation.body["id"]})
    yield from delete_resource(path)
    dropped = ["It drops the items that a conversation is made with."] if kept.body.get("data") == [] else []
    unnamed = ["A conversation can be named by its id only, not by an object."] if used.error is not None else []
    return [*dropped, *unnamed]


def check_background_streams(options: ProbeOptions) -> ProbeGenerator[Sequence[str]]:
    """Whether what is done in the background can be streamed (S7)."""
    more: Wire = {"store": True} if options.sends_store else {}
    told = yield options.build_request(background=True, stream=True, **more)
    made = [event["response"]["id"] for event in told.events if event.get("type") == "response.created"]
    for response_id in made:
        yield from delete_resource(f"/responses/{response_id}")
    return [] if made else ["It streams nothing that it does in the background."]


def check_list_fields(_options: ProbeOptions) -> ProbeGenerator[Sequence[str]]:
    """Whether lists say if there is more (S9)."""
    listed = yield ProbeRequest("GET", "/files?limit=1")
    return ["Its lists do not say whether there is more."] if "has_more" not in listed.body else []


_QuirkCheck = Callable[[ProbeOptions], ProbeGenerator[Sequence[str]]]
#: Asked of every server.
COMMON_CHECKS: Sequence[_QuirkCheck] = (check_error_fields, check_streams, check_open_calls)
#: Asked where the server has the capability.
CAPABILITY_CHECKS: Sequence[tuple[str, _QuirkCheck]] = (
    ("conversations", check_conversations),
    ("background", check_background_streams),
    ("files", check_list_fields),
)

"""Habits of a server that no setting speaks of. All but a lack of streams are borne (S1 to S9)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from threadbridge.doctor.probe_protocol import Answer, Asking, Dialogue, Question, removed
from threadbridge.ports import Wire

_GREETING: Wire = {"type": "message", "role": "user", "content": "Say ok."}
_OPEN_CALL: tuple[Wire, ...] = (
    _GREETING,
    {"type": "function_call", "call_id": "call_1", "name": "ring", "arguments": "{}"},
    _GREETING,
)
_TOLD = ("message", "type", "param", "code")


def of_plain_answer(answer: Answer, model: str, listed: Collection[str]) -> Sequence[str]:
    """What shows in a plain response (S5, S10). A dated name of the model asked for is in the list too."""
    said: list[str] = []
    answered = answer.body.get("model")
    if answered != model and answered not in listed:
        said.append(f"The model {answered} answers where {model} is asked for.")
    usage = answer.body.get("usage") or {}
    if not (usage.get("input_tokens_details") and usage.get("output_tokens_details")):
        said.append("Its token counts have no details: cached and reasoning tokens are shown as zero.")
    return said


def errors(_asking: Asking) -> Dialogue[Sequence[str]]:
    """Which fields an error has (S6)."""
    refused = yield Question("POST", "/responses", {})
    if refused.error is None:
        return ["It answers a request without a model and an input."]
    told = refused.error.body or {}
    lacking = [name for name in _TOLD if name not in told]
    return [f"Its errors lack {', '.join(lacking)}."] if lacking else []


def streams(asking: Asking) -> Dialogue[Sequence[str]]:
    """Which events a stream lacks (S4)."""
    told = yield asking.question(stream=True)
    if told.error is not None:
        return [f"It does not stream, so streamed runs would fail: {told.words}."]
    kinds = {event.get("type") for event in told.events}
    numbers = [event.get("sequence_number") for event in told.events]
    said: list[str] = []
    if "response.output_text.delta" in kinds and "response.output_text.done" not in kinds:
        said.append("Its streams have no output_text.done.")
    if numbers != list(range(len(numbers))):
        said.append("The events of its streams are not numbered without gaps.")
    return said


def open_calls(asking: Asking) -> Dialogue[Sequence[str]]:
    """Whether a call without an output is accepted (S3)."""
    said = yield asking.question(input=list(_OPEN_CALL))
    return ["It accepts calls without outputs; none is ever sent."] if said.error is None else []


def conversations(asking: Asking) -> Dialogue[Sequence[str]]:
    """Whether a conversation keeps what it is made with (S2), and may be named by an object (S1)."""
    made = yield Question("POST", "/conversations", {"items": [_GREETING]})
    if made.error is not None or "id" not in made.body:
        return []
    path = f"/conversations/{made.body['id']}"
    kept = yield Question("GET", f"{path}/items")
    used = yield asking.question(conversation={"id": made.body["id"]})
    yield from removed(path)
    dropped = ["It drops the items that a conversation is made with."] if kept.body.get("data") == [] else []
    unnamed = ["A conversation can be named by its id only, not by an object."] if used.error is not None else []
    return [*dropped, *unnamed]


def background_streams(asking: Asking) -> Dialogue[Sequence[str]]:
    """Whether what is done in the background can be streamed (S7)."""
    more: Wire = {"store": True} if asking.says_store else {}
    told = yield asking.question(background=True, stream=True, **more)
    made = [event["response"]["id"] for event in told.events if event.get("type") == "response.created"]
    for response_id in made:
        yield from removed(f"/responses/{response_id}")
    return [] if made else ["It streams nothing that it does in the background."]


def list_fields(_asking: Asking) -> Dialogue[Sequence[str]]:
    """Whether lists say if there is more (S9)."""
    listed = yield Question("GET", "/files?limit=1")
    return ["Its lists do not say whether there is more."] if "has_more" not in listed.body else []


_Probe = Callable[[Asking], Dialogue[Sequence[str]]]
#: Asked of every server.
ALWAYS: Sequence[_Probe] = (errors, streams, open_calls)
#: Asked where the server has the capability.
WHERE: Sequence[tuple[str, _Probe]] = (
    ("conversations", conversations),
    ("background", background_streams),
    ("files", list_fields),
)

"""Infers the objects that existed before a recording: those that it uses and does not create."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.conformance.recorded_sessions.recordings import RecordedExchange, iterate_objects
from tests.conformance.recorded_sessions.sessions import list_created_ids, list_requested_ids
from threadbridge.api_types import JsonObject, is_json_object

_ASSISTANT_SETTINGS = (
    "name", "description", "model", "instructions", "tools", "top_p", "temperature", "reasoning_effort",
    "tool_resources", "metadata", "response_format",
)  # fmt: skip
_PLACEHOLDER: JsonObject = {"role": "user", "content": "(A message that was not recorded.)"}


@dataclass(frozen=True)
class PriorObject:
    """One object to create through the API, at its creation time, before it is used."""

    recorded_id: str
    path: str
    body: JsonObject
    at: int = 0


def infer_priors(exchanges: Sequence[RecordedExchange]) -> list[PriorObject]:
    """The objects that a session uses without creating them, in the order of their creation."""
    created = frozenset[str]().union(*map(list_created_ids, exchanges))
    priors = {prior.recorded_id: prior for prior in _iterate_priors(exchanges) if prior.recorded_id not in created}
    return sorted([*priors.values(), *_infer_older_assistants(exchanges)], key=lambda prior: prior.at)


def make_creation_body(body: JsonObject) -> JsonObject:
    """The request body that creates such an assistant, thread or message."""
    match body["object"]:
        case "assistant":
            return _select_assistant_settings(body)
        case "thread":
            return {"metadata": body["metadata"], "tool_resources": body["tool_resources"]}
        case _:
            body_fields = {"role": body["role"], "content": [_make_input_part(part) for part in body["content"]]}
            return body_fields | {name: body[name] for name in ("attachments", "metadata") if body.get(name)}


def _iterate_priors(exchanges: Sequence[RecordedExchange]) -> Iterator[PriorObject]:
    """Later priors replace earlier ones with the same id: those with more known fields come last."""
    requested_ids = frozenset[str]().union(
        *(list_requested_ids(seen) for seen in exchanges if seen.status != _NOT_FOUND)
    )
    seen_objects = [body for exchange in exchanges for body in iterate_objects(exchange)]
    for assistant_id in sorted(each for each in requested_ids if each.startswith("asst_")):
        yield PriorObject(assistant_id, "/v1/assistants", {"model": "gpt-4o"})
    for thread_id in sorted(each for each in requested_ids if each.startswith("thread_")):
        yield PriorObject(
            thread_id, "/v1/threads", {"messages": [_PLACEHOLDER] if _needs_message(thread_id, seen_objects) else []}
        )
    for kind in ("thread.run", "thread", "assistant"):
        for body in reversed(seen_objects):
            if body.get("object") == kind:
                yield from _READERS[kind](body)
    yield from _iterate_message_priors(exchanges, requested_ids, seen_objects)


def _iterate_message_priors(
    exchanges: Sequence[RecordedExchange], requested_ids: frozenset[str], seen_objects: Sequence[JsonObject]
) -> Iterator[PriorObject]:
    """Messages whose creation was not recorded, except those created with a thread or a run."""
    for exchange in exchanges:
        thread_id, _, message_id = (exchange.path or "").partition("/messages/")
        if message_id in requested_ids:
            yield PriorObject(message_id, f"/v1/threads/{thread_id.rpartition('/')[2]}/messages", _PLACEHOLDER)
    thread_ids = {thread for seen in exchanges for thread in list_created_ids(seen) if _has_messages(seen)}
    thread_ids |= {body["thread_id"] for seen in exchanges if _has_messages(seen) for body in _iterate_runs(seen)}
    for body in reversed(seen_objects):  # the state before updates
        if body.get("object") == "thread.message" and body["thread_id"] not in thread_ids:
            yield from _infer_from_message(body)


def _has_messages(exchange: RecordedExchange) -> bool:
    body: JsonObject = exchange.request_json if is_json_object(exchange.request_json) else {}
    thread: JsonObject = body.get("thread") or {}
    return bool(body.get("messages") or body.get("additional_messages") or thread.get("messages"))


def _iterate_runs(exchange: RecordedExchange) -> Iterator[JsonObject]:
    return (body for body in iterate_objects(exchange) if body.get("object") == "thread.run")


def _needs_message(thread_id: str, seen_objects: Sequence[JsonObject]) -> bool:
    """Whether a run was created on a thread without a recorded message (A53)."""
    of_thread = [body["object"] for body in seen_objects if body.get("thread_id") == thread_id]
    return "thread.run" in of_thread and "thread.message" not in of_thread


def _infer_from_run(run: JsonObject) -> Iterator[PriorObject]:
    yield PriorObject(run["assistant_id"], "/v1/assistants", _select_assistant_settings(run))


def _infer_from_thread(thread: JsonObject) -> Iterator[PriorObject]:
    yield PriorObject(thread["id"], "/v1/threads", {"metadata": thread["metadata"]}, thread["created_at"])


def _infer_from_assistant(assistant: JsonObject) -> Iterator[PriorObject]:
    yield PriorObject(assistant["id"], "/v1/assistants", _select_assistant_settings(assistant), assistant["created_at"])


def _infer_from_message(message: JsonObject) -> Iterator[PriorObject]:
    if message["run_id"] is None and message["content"]:
        path = f"/v1/threads/{message['thread_id']}/messages"
        yield PriorObject(message["id"], path, make_creation_body(message), message["created_at"])


_READERS = {"thread.run": _infer_from_run, "thread": _infer_from_thread, "assistant": _infer_from_assistant}
_NOT_FOUND = 404


def _select_assistant_settings(body: JsonObject) -> JsonObject:
    return {name: body[name] for name in _ASSISTANT_SETTINGS if body.get(name) is not None}


def _make_input_part(part: JsonObject) -> JsonObject:
    return {"type": "text", "text": part["text"]["value"]} if part["type"] == "text" else part


def _infer_older_assistants(exchanges: Sequence[RecordedExchange]) -> Iterator[PriorObject]:
    """A page with `has_more` needs a further object."""
    pages: list[JsonObject] = [
        exchange.response_json
        for exchange in exchanges
        if (exchange.path or "").endswith("/assistants")
        and exchange.method == "GET"
        and is_json_object(exchange.response_json)
    ]
    assistants: list[JsonObject] = [each for page in pages for each in page.get("data", ())]
    oldest = min((int(each["created_at"]) for each in assistants), default=None)
    if oldest is not None and any(
        page["has_more"] and page["data"][-1]["created_at"] == oldest for page in pages if page.get("data")
    ):
        yield PriorObject("asst_000000000000000000000000", "/v1/assistants", {"model": "gpt-4o"}, oldest - 1)

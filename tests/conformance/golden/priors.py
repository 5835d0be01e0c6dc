"""What must have been there before a recording began: objects that it asks for or is shown, and never makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.conformance.golden.recordings import Recorded, objects
from tests.conformance.golden.sessions import asked_of, made_by
from threadbridge.ports import Wire

_ASSISTANT_SETTINGS = (
    "name", "description", "model", "instructions", "tools", "top_p", "temperature", "reasoning_effort",
    "tool_resources", "metadata", "response_format",
)  # fmt: skip
_PLACEHOLDER: Wire = {"role": "user", "content": "(A message that was not recorded.)"}


@dataclass(frozen=True)
class Prior:
    """One object to be made through the same door, at its own time, before what needs it."""

    recorded_id: str
    path: str
    body: Wire
    at: int = 0


def priors_of(exchanges: Sequence[Recorded]) -> list[Prior]:
    """Everything a session takes for granted and whose making can be inferred, in the order it was made."""
    made = frozenset[str]().union(*map(made_by, exchanges))
    found = {prior.recorded_id: prior for prior in _found(exchanges) if prior.recorded_id not in made}
    return sorted([*found.values(), *_older_assistants(exchanges)], key=lambda prior: prior.at)


def creation_of(body: Wire) -> Wire:
    """The request body that makes an assistant, a thread or a message as it is shown."""
    match body["object"]:
        case "assistant":
            return _settings(body)
        case "thread":
            return {"metadata": body["metadata"], "tool_resources": body["tool_resources"]}
        case _:
            given = {"role": body["role"], "content": [_given(part) for part in body["content"]]}
            return given | {name: body[name] for name in ("attachments", "metadata") if body.get(name)}


def _found(exchanges: Sequence[Recorded]) -> Iterator[Prior]:
    """Later ones replace earlier ones: the more is known of an object, the later it is named here."""
    asked = frozenset[str]().union(*(asked_of(seen) for seen in exchanges if seen.status != _NOT_FOUND))
    shown = [body for seen in exchanges for body in objects(seen)]
    for assistant_id in sorted(each for each in asked if each.startswith("asst_")):
        yield Prior(assistant_id, "/v1/assistants", {"model": "gpt-4o"})
    for thread_id in sorted(each for each in asked if each.startswith("thread_")):
        yield Prior(thread_id, "/v1/threads", {"messages": [_PLACEHOLDER] if _must_speak(thread_id, shown) else []})
    for kind in ("thread.run", "thread", "assistant"):
        for body in reversed(shown):
            if body.get("object") == kind:
                yield from _READERS[kind](body)
    yield from _messages(exchanges, asked, shown)


def _messages(exchanges: Sequence[Recorded], asked: frozenset[str], shown: Sequence[Wire]) -> Iterator[Prior]:
    """Messages that nobody was seen writing. Those given with a thread or a run need no making."""
    for seen in exchanges:
        thread_id, _, message_id = (seen.path or "").partition("/messages/")
        if message_id in asked:
            yield Prior(message_id, f"/v1/threads/{thread_id.rpartition('/')[2]}/messages", _PLACEHOLDER)
    given = {thread for seen in exchanges for thread in made_by(seen) if _gives_messages(seen)}
    given |= {body["thread_id"] for seen in exchanges if _gives_messages(seen) for body in _runs(seen)}
    for body in reversed(shown):  # as it was before it was changed
        if body.get("object") == "thread.message" and body["thread_id"] not in given:
            yield from _of_message(body)


def _gives_messages(seen: Recorded) -> bool:
    given = seen.request_json if isinstance(seen.request_json, dict) else {}
    return bool(
        given.get("messages") or given.get("additional_messages") or (given.get("thread") or {}).get("messages")
    )


def _runs(seen: Recorded) -> Iterator[Wire]:
    return (body for body in objects(seen) if body.get("object") == "thread.run")


def _must_speak(thread_id: str, shown: Sequence[Wire]) -> bool:
    """Whether a run was started on a thread of which nobody ever saw a message (A53)."""
    of_thread = [body["object"] for body in shown if body.get("thread_id") == thread_id]
    return "thread.run" in of_thread and "thread.message" not in of_thread


def _of_run(run: Wire) -> Iterator[Prior]:
    yield Prior(run["assistant_id"], "/v1/assistants", _settings(run))


def _of_thread(thread: Wire) -> Iterator[Prior]:
    yield Prior(thread["id"], "/v1/threads", {"metadata": thread["metadata"]}, thread["created_at"])


def _of_assistant(assistant: Wire) -> Iterator[Prior]:
    yield Prior(assistant["id"], "/v1/assistants", _settings(assistant), assistant["created_at"])


def _of_message(message: Wire) -> Iterator[Prior]:
    if message["run_id"] is None and message["content"]:
        path = f"/v1/threads/{message['thread_id']}/messages"
        yield Prior(message["id"], path, creation_of(message), message["created_at"])


_READERS = {"thread.run": _of_run, "thread": _of_thread, "assistant": _of_assistant}
_NOT_FOUND = 404


def _settings(body: Wire) -> Wire:
    return {name: body[name] for name in _ASSISTANT_SETTINGS if body.get(name) is not None}


def _given(part: Wire) -> Wire:
    return {"type": "text", "text": part["text"]["value"]} if part["type"] == "text" else part


def _older_assistants(exchanges: Sequence[Recorded]) -> Iterator[Prior]:
    """A page that says there is more must be followed by something."""
    pages = [
        seen.response_json
        for seen in exchanges
        if (seen.path or "").endswith("/assistants") and seen.method == "GET" and isinstance(seen.response_json, dict)
    ]
    oldest = min((each["created_at"] for page in pages for each in page.get("data", ())), default=None)
    if oldest is not None and any(
        page["has_more"] and page["data"][-1]["created_at"] == oldest for page in pages if page.get("data")
    ):
        yield Prior("asst_000000000000000000000000", "/v1/assistants", {"model": "gpt-4o"}, oldest - 1)

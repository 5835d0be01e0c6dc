"""Requests that are rejected, each with the expected error.

`<name>` in a body and `{name}` in a path or a text stand for ids of the service they are sent to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from tests.bridge.validation.rejected_assistant_requests import ASSISTANTS
from tests.bridge.validation.rejected_thread_requests import THREADS
from tests.emulated_service import BETA, MAX_BODY_BYTES
from threadbridge import validation
from threadbridge.schemas.schema_types import Object

_PATHS: tuple[tuple[Object, str], ...] = (
    (validation.ASSISTANT_CREATE, "/assistants"),
    (validation.ASSISTANT_UPDATE, "/assistants/{assistant}"),
    (validation.THREAD_CREATE, "/threads"),
    (validation.THREAD_UPDATE, "/threads/{thread}"),
    (validation.MESSAGE_CREATE, "/threads/{thread}/messages"),
    (validation.MESSAGE_UPDATE, "/threads/{thread}/messages/{message}"),
    (validation.RUN_CREATE, "/threads/{thread}/runs"),
    (validation.RUN_UPDATE, "/threads/{thread}/runs/{run}"),
    (validation.THREAD_AND_RUN_CREATE, "/threads/runs"),
    (validation.TOOL_OUTPUTS, "/threads/{busy}/runs/{waiting}/submit_tool_outputs"),
)

_MESSAGE = {"role": "user", "content": "Hi"}
_RUN = {"assistant_id": "<assistant>"}
_SUBMIT = "/threads/{busy}/runs/{waiting}/submit_tool_outputs"


class RejectedRequest(NamedTuple):
    """A request and its expected error; a `message` that ends in `...` is a prefix."""

    method: str
    path: str
    body: Any = b""
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = BETA
    status: int = 400
    code: str | None = None
    param: str | None = None
    message: str = "..."


def _find_path(spec: Object) -> str:
    return next(path for known, path in _PATHS if known is spec)


#: A13, A17, A18: every fault of the validation tables, sent to the operation that accepts such a body.
BODY_FAULTS = {
    name: RejectedRequest(
        "POST",
        _find_path(refused.spec),
        refused.body,
        code=refused.code,
        param=refused.param,
        message=refused.message.replace("{", "{{").replace("}", "}}"),
    )
    for name, refused in {**ASSISTANTS, **THREADS}.items()
}

_LISTS = (
    "/assistants",
    "/threads",
    "/threads/{thread}/messages",
    "/threads/{thread}/runs",
    "/threads/{thread}/runs/{run}/steps",
)


def _make_paging_faults(path: str) -> dict[str, RejectedRequest]:
    return {
        f"a limit of 101 on {path}": RejectedRequest(
            "GET",
            path,
            query={"limit": "101"},
            code="integer_above_max_value",
            param="limit",
            message="Invalid 'limit': integer above maximum value. Expected a value <= 100, but got 101 instead.",
        ),
        f"a limit of twenty digits on {path}": RejectedRequest(
            "GET",
            path,
            query={"limit": "9" * 20},
            code="integer_above_max_value",
            param="limit",
            message="Invalid 'limit': integer above maximum value. Expected a value <= 100, "
            f"but got {'9' * 20} instead.",
        ),
        f"a limit of 0 on {path}": RejectedRequest(
            "GET",
            path,
            query={"limit": "0"},
            code="integer_below_min_value",
            param="limit",
            message="Invalid 'limit': integer below minimum value. Expected a value >= 1, but got 0 instead.",
        ),
        f"an order nobody knows on {path}": RejectedRequest(
            "GET",
            path,
            query={"order": "newest"},
            code="invalid_value",
            param="order",
            message="Invalid value: 'newest'. Supported values are: 'asc' and 'desc'.",
        ),
    }


#: A13.
PAGING_FAULTS = {name: fault for path in _LISTS for name, fault in _make_paging_faults(path).items()}


def _unknown_id(method: str, path: str, noun: str, id_: str, body: Any = b"") -> RejectedRequest:
    return RejectedRequest(method, path, body, status=404, message=f"No {noun} found with id '{id_}'.")


#: A15: ids that could be, and are not.
UNKNOWN_ID_FAULTS = {
    "an assistant": _unknown_id("GET", "/assistants/asst_0", "assistant", "asst_0"),
    "an assistant to change": _unknown_id("POST", "/assistants/asst_0", "assistant", "asst_0", {"name": "x"}),
    "an assistant to delete": _unknown_id("DELETE", "/assistants/asst_0", "assistant", "asst_0"),
    "the assistant of a run": _unknown_id(
        "POST",
        "/threads/{thread}/runs",
        "assistant",
        "asst_0",
        {"assistant_id": "asst_0", "additional_messages": [_MESSAGE]},
    ),
    "the assistant of a run with its thread": _unknown_id(
        "POST", "/threads/runs", "assistant", "asst_0", {"assistant_id": "asst_0", "thread": {"messages": [_MESSAGE]}}
    ),
    "a thread": _unknown_id("GET", "/threads/thread_0", "thread", "thread_0"),
    "a thread to change": _unknown_id("POST", "/threads/thread_0", "thread", "thread_0", {"metadata": {}}),
    "a thread to delete": _unknown_id("DELETE", "/threads/thread_0", "thread", "thread_0"),
    "the thread of a new message": _unknown_id("POST", "/threads/thread_0/messages", "thread", "thread_0", _MESSAGE),
    "the thread of messages": _unknown_id("GET", "/threads/thread_0/messages", "thread", "thread_0"),
    "the thread of a message": _unknown_id("GET", "/threads/thread_0/messages/{message}", "thread", "thread_0"),
    "the thread of a new run": _unknown_id("POST", "/threads/thread_0/runs", "thread", "thread_0", _RUN),
    "the thread of runs": _unknown_id("GET", "/threads/thread_0/runs", "thread", "thread_0"),
    "a message": _unknown_id("GET", "/threads/{thread}/messages/msg_0", "message", "msg_0"),
    "a message to change": _unknown_id(
        "POST", "/threads/{thread}/messages/msg_0", "message", "msg_0", {"metadata": {}}
    ),
    "a message to delete": _unknown_id("DELETE", "/threads/{thread}/messages/msg_0", "message", "msg_0"),
    "a message of another thread": _unknown_id("DELETE", "/threads/{busy}/messages/{message}", "message", "{message}"),
    "a run": _unknown_id("GET", "/threads/{thread}/runs/run_0", "run", "run_0"),
    "a run of another thread": _unknown_id("GET", "/threads/{thread}/runs/{waiting}", "run", "{waiting}"),
    "a run to change": _unknown_id("POST", "/threads/{thread}/runs/run_0", "run", "run_0", {"metadata": {}}),
    "a run to cancel": _unknown_id("POST", "/threads/{thread}/runs/run_0/cancel", "run", "run_0"),
    "a run to cancel on another thread": _unknown_id(
        "POST", "/threads/{thread}/runs/{waiting}/cancel", "run", "{waiting}"
    ),
    "a run to answer": _unknown_id(
        "POST", "/threads/{thread}/runs/run_0/submit_tool_outputs", "run", "run_0", {"tool_outputs": []}
    ),
    "the run of steps": _unknown_id("GET", "/threads/{thread}/runs/run_0/steps", "run", "run_0"),
    "a step": _unknown_id("GET", "/threads/{thread}/runs/{run}/steps/step_0", "run step", "step_0"),
    "a thread whose id ends with NUL": _unknown_id("GET", "/threads/thread_\0", "thread", "thread_\0"),
    "a thread with an emoji for an id": _unknown_id("DELETE", "/threads/thread_𝄞", "thread", "thread_𝄞"),
    "a thread with quotes": _unknown_id("GET", "/threads/thread_'\"", "thread", "thread_'\""),
    "a thread whose id has no end": _unknown_id(
        "POST", f"/threads/thread_{'x' * 5000}/messages", "thread", f"thread_{'x' * 193}...", _MESSAGE
    ),
    "an assistant whose id has no end": _unknown_id(
        "POST",
        "/threads/{thread}/runs",
        "assistant",
        f"asst_{'x' * 195}...",
        {"assistant_id": f"asst_{'x' * 100_000}"},
    ),
    "a step of another run": _unknown_id("GET", "/threads/{busy}/runs/{waiting}/steps/{step}", "run step", "{step}"),
}


def _malformed_id(method: str, path: str, param: str, prefix: str, body: Any = b"") -> RejectedRequest:
    text = f"Invalid '{param}': 'x'. Expected an ID that begins with '{prefix}'."
    return RejectedRequest(method, path, body, code="invalid_value", param=param, message=text)


#: A16: malformed ids; rejected before any lookup.
MALFORMED_ID_FAULTS = {
    "an assistant": _malformed_id("GET", "/assistants/x", "assistant_id", "asst"),
    "the assistant of a run": _malformed_id(
        "POST", "/threads/thread_0/runs", "assistant_id", "asst", {"assistant_id": "x"}
    ),
    "a thread": _malformed_id("GET", "/threads/x", "thread_id", "thread"),
    "the thread of messages": _malformed_id("GET", "/threads/x/messages", "thread_id", "thread"),
    "the thread of a new message": _malformed_id("POST", "/threads/x/messages", "thread_id", "thread", _MESSAGE),
    "the thread of a new run": _malformed_id("POST", "/threads/x/runs", "thread_id", "thread", _RUN),
    "the thread of a run to cancel": _malformed_id("POST", "/threads/x/runs/{run}/cancel", "thread_id", "thread"),
    "a message": _malformed_id("GET", "/threads/{thread}/messages/x", "message_id", "msg"),
    "a run": _malformed_id("GET", "/threads/{thread}/runs/x", "run_id", "run"),
    "the run of steps": _malformed_id("GET", "/threads/{thread}/runs/x/steps", "run_id", "run"),
    "a step": _malformed_id("GET", "/threads/{thread}/runs/{run}/steps/x", "step_id", "step"),
}

_UNREADABLE = "We could not parse the JSON body of your request. (HINT: ..."


def _unsupported_content_type(content_type: str) -> RejectedRequest:
    return RejectedRequest(
        "POST",
        "/threads",
        {"metadata": {"a": "b"}},
        headers={**BETA, "content-type": content_type},
        code="unsupported_content_type",
        message=f"Unsupported content type: '{content_type}'. This API method only accepts 'application/json' "
        f"requests, but you specified the header 'Content-Type: {content_type}'. Please try again with a supported "
        "content type.",
    )


#: Faults that are found before the backend is called (A2, D19, D29).
TRANSPORT_FAULTS = {
    "no beta header": RejectedRequest(
        "POST", "/threads", {}, headers={}, code="invalid_beta", message="You must provide the 'OpenAI-Beta' header..."
    ),
    "the beta of the first version": RejectedRequest(
        "POST",
        "/threads",
        {},
        headers={"openai-beta": "assistants=v1"},
        code="invalid_beta",
        message="You must provide the...",
    ),
    "half of an object": RejectedRequest("POST", "/threads", b'{"metadata": ', message=_UNREADABLE),
    "a number that is none": RejectedRequest("POST", "/threads", b'{"metadata": NaN}', message=_UNREADABLE),
    "bytes that are no text": RejectedRequest("POST", "/threads", b"\xff\xfe{}", message=_UNREADABLE),
    "nothing where something is required": RejectedRequest("POST", "/assistants", message=_UNREADABLE),
    "an array": RejectedRequest(
        "POST",
        "/threads",
        b"[{}]",
        code="invalid_type",
        message="Invalid type: expected an object, but got an array instead.",
    ),
    "a form": _unsupported_content_type("application/x-www-form-urlencoded"),
    "a form with files": _unsupported_content_type("multipart/form-data; boundary=x"),
    "plain text": _unsupported_content_type("text/plain"),
    "too many bytes": RejectedRequest(
        "POST",
        "/threads",
        b" " * (MAX_BODY_BYTES + 1),
        status=413,
        message=f"The request body has {MAX_BODY_BYTES + 1} bytes; at most {MAX_BODY_BYTES} are accepted.",
    ),
    "a method nobody uses": RejectedRequest(
        "PUT",
        "/threads/{thread}",
        {},
        status=405,
        code="method_not_supported",
        message="Not allowed to PUT on /v1/threads/{thread}.",
    ),
    "deleting a run": RejectedRequest(
        "DELETE",
        "/threads/{thread}/runs/{run}",
        status=405,
        code="method_not_supported",
        message="Not allowed to DELETE on...",
    ),
    "an unknown path below a thread": RejectedRequest(
        "GET",
        "/threads/{thread}/files",
        status=404,
        code="unknown_url",
        message="Invalid URL (GET /v1/threads/{thread}/files)",
    ),
    "an unknown path below an assistant": RejectedRequest(
        "POST",
        "/assistants/{assistant}/files",
        {},
        status=404,
        code="unknown_url",
        message="Invalid URL (POST /v1/assistants/...",
    ),
}

_ANSWER = {"tool_call_id": "<call>", "output": "sunny"}

#: What the state of a thread or a run forbids.
STATE_FAULTS = {
    "a52 a second run": RejectedRequest(
        "POST", "/threads/{busy}/runs", _RUN, message="Thread {busy} already has an active run {waiting}."
    ),
    "a52 a second run with messages of its own": RejectedRequest(
        "POST",
        "/threads/{busy}/runs",
        {**_RUN, "additional_messages": [_MESSAGE]},
        message="Thread {busy} already has an active run {waiting}.",
    ),
    "a42 a message while a run is active": RejectedRequest(
        "POST",
        "/threads/{busy}/messages",
        _MESSAGE,
        message="Can't add messages to {busy} while a run {waiting} is active.",
    ),
    "a53 a run with nothing to say": RejectedRequest(
        "POST",
        "/threads/{empty}/runs",
        _RUN,
        code="invalid_thread",
        message="Run creation requires a Thread with a user message or an assistant with instructions.",
    ),
    "a53 a thread and a run with nothing to say": RejectedRequest(
        "POST",
        "/threads/runs",
        {**_RUN, "thread": {"metadata": {"a": "b"}}},
        code="invalid_thread",
        message="Run creation requires a Thread with a user message or an assistant with instructions.",
    ),
    "a57 changing an active run": RejectedRequest(
        "POST",
        "/threads/{busy}/runs/{waiting}",
        {"metadata": {"a": "b"}},
        message="Cannot update run with status 'requires_action'.",
    ),
    "a61 cancelling an ended run": RejectedRequest(
        "POST", "/threads/{thread}/runs/{run}/cancel", message="Cannot cancel run with status 'completed'."
    ),
    "a66 no outputs": RejectedRequest(
        "POST", _SUBMIT, {"tool_outputs": []}, message="Expected tool outputs for call_ids ['{call}'], got []"
    ),
    "a66 an output too many": RejectedRequest(
        "POST",
        _SUBMIT,
        {"tool_outputs": [_ANSWER, {"tool_call_id": "call_x", "output": ""}]},
        message="Expected tool outputs for call_ids ['{call}'], got ['{call}', 'call_x']",
    ),
    "a67 an output twice": RejectedRequest(
        "POST",
        _SUBMIT,
        {"tool_outputs": [_ANSWER, _ANSWER]},
        message="Duplicate call_ids submitted: ['{call}', '{call}']",
    ),
    "a68 outputs for an ended run": RejectedRequest(
        "POST",
        "/threads/{thread}/runs/{run}/submit_tool_outputs",
        {"tool_outputs": [_ANSWER]},
        message='Runs in status "completed" do not accept tool outputs.',
    ),
    "a68 streamed outputs for an ended run": RejectedRequest(
        "POST",
        "/threads/{thread}/runs/{run}/submit_tool_outputs",
        {"tool_outputs": [_ANSWER], "stream": True},
        message='Runs in status "completed" do not accept tool outputs.',
    ),
    "a69 an output for nothing": RejectedRequest(
        "POST",
        _SUBMIT,
        {"tool_outputs": [{"output": "sunny"}]},
        code="missing_required_parameter",
        param="tool_outputs[0].tool_call_id",
        message="Missing required parameter: 'tool_outputs[0].tool_call_id'.",
    ),
}

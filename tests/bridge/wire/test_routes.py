"""Which paths are ours, and what they ask for."""

from __future__ import annotations

import inspect
import re

import pytest

from threadbridge.errors import MethodNotAllowed, NotFound
from threadbridge.ports import Backend
from threadbridge.wire import OPERATIONS, Operation, find_api_path
from threadbridge.wire.routes import match_operation

#: The operations of the port: its methods that have a context.
METHODS = {name for name, method in vars(Backend).items() if callable(method) and "context" in method.__annotations__}

IDS = {
    "assistant_id": "asst_1",
    "thread_id": "thread_1",
    "message_id": "msg_1",
    "run_id": "run_1",
    "step_id": "step_1",
}

OURS = {
    "/v1/assistants": "/assistants",
    "/v1/assistants/asst_1": "/assistants/asst_1",
    "/v1/threads": "/threads",
    "/v1/threads/runs": "/threads/runs",
    "/v1/threads/thread_1/runs/run_1/steps/step_1": "/threads/thread_1/runs/run_1/steps/step_1",
    "/v1/threads/": "/threads/",
    "/threads/thread_1": "/threads/thread_1",
    "/openai/assistants": "/assistants",
    "/openai/threads/thread_1/messages": "/threads/thread_1/messages",
    "/openai/v1/threads/thread_1": "/threads/thread_1",
    "/openai/deployments/threads/threads/thread_1": "/threads/thread_1",
    "/api/projects/x/assistants": "/assistants",
    "/api/projects/threads/assistants/asst_1": "/assistants/asst_1",
    "/api/projects/x/openai/v1/threads": "/threads",
    "/proxy/v1/threads": "/threads",
    "/v1/account/gateway/openai/threads": "/threads",
}

NOT_OURS = [
    "",
    "/",
    "/v1",
    "/v1/chat/completions",
    "/v1/chat/threads_x",
    "/v1/threads_x",
    "/v1/threadsrunner/x",
    "/v1/assistantsx",
    "/v1/Threads",
    "/v1/chatkit/threads",
    "/v1/chatkit/threads/cthr_1/items",
    "/v1/files/threads",
    "/v1/files/file-1/content",
    "/v1/vector_stores/assistants/files",
    "/v1/responses/threads",
    "/v1/models/assistants",
    "/openai/deployments/threads/chat/completions",
    "/openai/deployments/assistants",
    "/openai/files/threads",
    "/api/projects/threads",
    "/api/projects/assistants/deployments",
    "/elsewhere/threads",
]


def test_every_operation_has_a_row_and_a_method_of_the_port() -> None:
    names = [operation.name for operation in OPERATIONS]
    streams = {operation.stream_method for operation in OPERATIONS if operation.stream_method is not None}

    assert len(names) == len(set(names)) == 26
    assert set(names) | streams == METHODS


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_a_row_gives_the_method_the_arguments_it_takes(operation: Operation) -> None:
    for name in {operation.name, operation.stream_method or operation.name}:
        parameters = inspect.signature(getattr(Backend, name)).parameters
        positional = [each.name for each in parameters.values() if each.kind is each.POSITIONAL_OR_KEYWORD]
        keywords = {each.name for each in parameters.values() if each.kind is each.KEYWORD_ONLY}
        ids = re.findall(r"\{(\w+)\}", operation.path)
        rest = ["body"] * (operation.body != "none") + ["query"] * operation.is_list

        assert positional == ["self", "context", *ids, *rest]
        assert keywords == (
            ({"include"} if "include" in operation.query else set())
            | ({"warn"} if operation.warns else set())
            | ({"after"} if name == "follow_run" else set())
        )


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_a_path_finds_its_operation_and_its_ids(operation: object) -> None:
    wanted = next(row for row in OPERATIONS if row is operation)

    found = match_operation(wanted.method, wanted.path.format(**IDS))

    assert found.operation is wanted
    assert found.ids == {name: IDS[name] for name in IDS if f"{{{name}}}" in wanted.path}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_a_placeholder_that_nobody_filled_in_is_an_id_like_any_other(operation: Operation) -> None:
    found = match_operation(operation.method, operation.path)

    assert found.operation is operation
    assert all(value == f"{{{name}}}" for name, value in found.ids.items())
    assert len(found.ids) == operation.path.count("{")


@pytest.mark.parametrize("path", OURS)
def test_a_path_of_the_assistants_api_is_ours_under_every_known_prefix(path: str) -> None:
    assert find_api_path(path) == OURS[path]


@pytest.mark.parametrize("path", NOT_OURS)
def test_a_path_of_anything_else_is_not_ours(path: str) -> None:
    assert find_api_path(path) is None


def test_an_unusual_base_url_makes_its_paths_ours() -> None:
    base = "/elsewhere/"

    assert find_api_path("/elsewhere/threads/thread_1", base=base) == "/threads/thread_1"
    assert find_api_path("/elsewhere/chatkit/threads", base=base) is None
    assert find_api_path("/elsewhere-too/threads", base=base) is None


@pytest.mark.parametrize(
    "path",
    [
        "/threads/",
        "/threads//messages",
        "/threads/thread_1/files",
        "/threads/thread_1/messages/msg_1/files",
        "/threads/thread_1/runs/run_1/stop",
        "/threads/thread_1/runs/run_1/steps/step_1/x",
        "/assistants/asst_1/files",
    ],
)
def test_an_unknown_path_is_an_invalid_url(path: str) -> None:
    with pytest.raises(NotFound) as caught:
        match_operation("POST", path)

    assert caught.value.message == f"Invalid URL (POST /v1{path})"


def test_a_wrong_method_names_the_right_ones() -> None:
    with pytest.raises(MethodNotAllowed) as caught:
        match_operation("PUT", "/threads/thread_1")

    assert caught.value.allowed_methods == ("GET", "POST", "DELETE")
    assert caught.value.status == 405

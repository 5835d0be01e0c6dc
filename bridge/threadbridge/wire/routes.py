"""The operations of the Assistants API v2 as a table: method, path, and use of the body.

Documentation, transports and dispatch read this table. Paths have no prefix; `find_api_path` removes it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple
from urllib.parse import unquote

from threadbridge.errors import MethodNotAllowed, NotFound

BodyPolicy = Literal["none", "optional", "required"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, and how its backend method of the same name is called.

    The method receives the ids of the path in order, then the body unless `body` is "none" (a `none` body is ignored,
    an empty `optional` one stands for `{}`), then the page of a list. `query` names the parameters that have an effect,
    `include` in any spelling. `stream_method` is called instead when the client asks for events. `warns`: the method
    takes a warning sink. `is_recorded`: a repeat gets the first answer again; repeats of other operations change
    nothing more.
    """

    name: str
    method: str
    path: str
    body: BodyPolicy = "none"
    query: frozenset[str] = frozenset()
    stream_method: str | None = None
    warns: bool = False
    is_recorded: bool = False

    @property
    def is_list(self) -> bool:
        """Whether the operation returns a page of objects."""
        return "limit" in self.query


_PAGE = frozenset({"limit", "order", "after", "before"})
_INCLUDE = frozenset({"include"})


#: The 23 operations of the service; `list_threads`, which only related services have (A7); our own `follow_run` and
#: `report_run`.
OPERATIONS: tuple[Operation, ...] = (
    Operation("create_assistant", "POST", "/assistants", "required", is_recorded=True),
    Operation("list_assistants", "GET", "/assistants", query=_PAGE),
    Operation("retrieve_assistant", "GET", "/assistants/{assistant_id}"),
    Operation("update_assistant", "POST", "/assistants/{assistant_id}", "optional"),
    Operation("delete_assistant", "DELETE", "/assistants/{assistant_id}"),
    Operation("create_thread", "POST", "/threads", "optional", is_recorded=True),
    Operation("list_threads", "GET", "/threads", query=_PAGE),
    Operation(
        "create_thread_and_run",
        "POST",
        "/threads/runs",
        "required",
        _INCLUDE,
        "stream_thread_and_run",
        warns=True,
        is_recorded=True,
    ),
    Operation("retrieve_thread", "GET", "/threads/{thread_id}"),
    Operation("update_thread", "POST", "/threads/{thread_id}", "optional"),
    Operation("delete_thread", "DELETE", "/threads/{thread_id}"),
    Operation("create_message", "POST", "/threads/{thread_id}/messages", "required", is_recorded=True),
    Operation("list_messages", "GET", "/threads/{thread_id}/messages", query=_PAGE | {"run_id"}),
    Operation("retrieve_message", "GET", "/threads/{thread_id}/messages/{message_id}"),
    Operation("update_message", "POST", "/threads/{thread_id}/messages/{message_id}", "optional"),
    Operation("delete_message", "DELETE", "/threads/{thread_id}/messages/{message_id}"),
    Operation(
        "create_run",
        "POST",
        "/threads/{thread_id}/runs",
        "required",
        _INCLUDE,
        "stream_run",
        warns=True,
        is_recorded=True,
    ),
    Operation("list_runs", "GET", "/threads/{thread_id}/runs", query=_PAGE),
    Operation("retrieve_run", "GET", "/threads/{thread_id}/runs/{run_id}", stream_method="follow_run"),
    Operation("follow_run", "GET", "/threads/{thread_id}/runs/{run_id}/events", stream_method="follow_run"),
    Operation("report_run", "GET", "/threads/{thread_id}/runs/{run_id}/report"),
    Operation("update_run", "POST", "/threads/{thread_id}/runs/{run_id}", "optional"),
    Operation("cancel_run", "POST", "/threads/{thread_id}/runs/{run_id}/cancel"),
    Operation(
        "submit_tool_outputs",
        "POST",
        "/threads/{thread_id}/runs/{run_id}/submit_tool_outputs",
        "required",
        stream_method="stream_tool_outputs",
        is_recorded=True,
    ),
    Operation("list_steps", "GET", "/threads/{thread_id}/runs/{run_id}/steps", query=_PAGE | _INCLUDE),
    Operation("retrieve_step", "GET", "/threads/{thread_id}/runs/{run_id}/steps/{step_id}", query=_INCLUDE),
)


class OperationMatch(NamedTuple):
    """The operation of a request, and the ids in its path by name."""

    operation: Operation
    ids: Mapping[str, str]


class _PathTemplate(NamedTuple):
    """A path: the names of its ids in order, and the operation of each method."""

    names: Sequence[str]
    methods: dict[str, Operation]


def _split_path(path: str) -> tuple[tuple[int | str, ...], Sequence[str]]:
    """The fixed words of a path, and its ids: after the root, words and ids alternate."""
    segments = path.removeprefix("/").split("/")
    return (len(segments), *segments[::2]), segments[1::2]


#: Paths without ids, and paths with ids by their fixed words.
_STATIC_PATHS: dict[str, dict[str, Operation]] = {}
_PATH_TEMPLATES: dict[tuple[int | str, ...], _PathTemplate] = {}
for _operation in OPERATIONS:
    if "{" in _operation.path:
        _words, _ids = _split_path(_operation.path)
        _template = _PATH_TEMPLATES.setdefault(_words, _PathTemplate([name.strip("{}") for name in _ids], {}))
        _template.methods[_operation.method] = _operation
    else:
        _STATIC_PATHS.setdefault(_operation.path, {})[_operation.method] = _operation


def match_operation(method: str, path: str) -> OperationMatch:
    """The operation for a path from `/assistants` or `/threads`. Raises NotFound or MethodNotAllowed."""
    methods = _STATIC_PATHS.get(path, {})
    if method in methods:
        return OperationMatch(methods[method], {})
    words, ids = _split_path(path)
    template = _PATH_TEMPLATES.get(words)
    if template is not None and all(ids):
        if method in template.methods:
            return OperationMatch(template.methods[method], dict(zip(template.names, ids, strict=True)))
        methods = {**methods, **template.methods}
    if methods:
        raise MethodNotAllowed(f"Not allowed to {method} on /v1{path}.", allowed_methods=tuple(methods))
    raise NotFound(f"Invalid URL ({method} /v1{path})", code="unknown_url")


#: Where the API may begin in the path of a URL: at its root; after a version (`/v1`), after `/openai` (Azure, C19) or
#: one of its deployments; after a project (Foundry). A root after anything else belongs to another resource, such
#: as `/v1/chatkit/threads` or a file of the name `threads`.
_ROOT = re.compile(
    r"(?:^|/v\d+|/openai|/openai/deployments/[^/]+|/api/projects/[^/]+)(?P<root>/(?:assistants|threads)(?:/.*)?)$",
    re.DOTALL,
)


#: An escaped slash (`%2F`).
_ESCAPED_SLASH = re.compile("%2f", re.IGNORECASE)


def decode_path(raw_path: str) -> str:
    """The unescaped path of a URL, in which an escaped slash stays escaped, because it is part of an id."""
    return unquote(_ESCAPED_SLASH.sub("%252F", raw_path))


def find_api_path(path: str, *, base: str = "") -> str | None:
    """The path from `/assistants` or `/threads` on; None where a URL's path is not the Assistants API's.

    `base` is the path of the client's own base URL, if unusual.
    """
    base = base.rstrip("/")
    match = _ROOT.match(path.removeprefix(base)) if base and path.startswith(f"{base}/") else None
    match = match or _ROOT.search(path)
    return None if match is None else match["root"]


#: Files that runs created have ids of ours (A85); clients can read and delete them, but never upload them.
_FILE_PATH = re.compile(r"/files(/[^/]+(/content)?)?")
#: Deleting a vector store changes the objects that name it.
_VECTOR_STORE_PATH = re.compile(r"/vector_stores/[^/]+")


def may_be_handled_locally(method: str, path: str) -> bool:
    """Whether a request below `/v1`, outside the Assistants API, may concern what a backend stores.

    The backend must see such a request before the upstream does.
    """
    if method not in ("GET", "DELETE"):
        return False
    return _FILE_PATH.fullmatch(path) is not None or (
        method == "DELETE" and _VECTOR_STORE_PATH.fullmatch(path) is not None
    )

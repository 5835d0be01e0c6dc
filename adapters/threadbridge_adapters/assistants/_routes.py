"""The paths and query parameters of the Assistants API; ids are validated and quoted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from threadbridge.errors import InvalidRequest
from threadbridge.ports import ListQuery
from threadbridge.wire.routes import OPERATIONS

#: Prefixes of the ids in a path (A9, A16).
ID_PREFIXES: Mapping[str, str] = {
    "assistant_id": "asst",
    "thread_id": "thread",
    "message_id": "msg",
    "run_id": "run",
    "step_id": "step",
}


_PATHS: Mapping[str, str] = {operation.name: operation.path for operation in OPERATIONS}


def format_path(operation: str, **ids: str) -> str:
    """The path of an operation with its ids quoted so that each is exactly one segment.

    Raises InvalidRequest with the service's message (A16) for an id that cannot be quoted: empty, `.` or `..`.
    """
    return _PATHS[operation].format_map({name: _quote_id(name, value) for name, value in ids.items()})


def _quote_id(name: str, value: str) -> str:
    if not value.strip("."):
        raise InvalidRequest(
            f"Invalid '{name}': '{value}'. Expected an ID that begins with '{ID_PREFIXES[name]}'.",
            param=name,
            code="invalid_value",
        )
    return quote(value, safe="", errors="replace")


def build_list_params(query: ListQuery) -> dict[str, object]:
    """The query string of a list operation (A11); unset parameters are omitted."""
    params = {
        "limit": query.limit,
        "order": query.order,
        "after": query.after,
        "before": query.before,
        "run_id": query.run_id,
    }
    return {name: value for name, value in params.items() if value is not None}


def build_include_params(include: Sequence[str]) -> dict[str, object]:
    """`include[]=…`, once per value."""
    return {"include": list(include)} if include else {}

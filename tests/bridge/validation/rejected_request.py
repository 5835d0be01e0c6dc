"""A refused body with the words of its refusal, and the smallest bodies to put a fault into."""

from __future__ import annotations

from typing import Any, NamedTuple

from threadbridge.schemas.schema_types import Object


class RejectedRequest(NamedTuple):
    """What is sent, and what the service says to it."""

    spec: Object
    body: dict[str, Any]
    code: str | None
    param: str | None
    message: str


def assistant(**fields: Any) -> dict[str, Any]:
    return {"model": "gpt-4o", **fields}


def message(**fields: Any) -> dict[str, Any]:
    return {"role": "user", "content": "x", **fields}


def run(**fields: Any) -> dict[str, Any]:
    return {"assistant_id": "asst_1", **fields}

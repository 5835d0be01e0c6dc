"""The keyword arguments of a call, and the request body that they make."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias, TypeVar, cast

from pydantic import BaseModel

from threadbridge.api_types import JsonObject
from threadbridge.errors import Unsupported
from threadbridge.ports import ListQuery

T = TypeVar("T")


class NotGiven:
    """The type of `NOT_GIVEN`: such an argument is not sent, whereas None is sent as null."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "NOT_GIVEN"


NOT_GIVEN: Final = NotGiven()

#: The value of a keyword argument, null, or `NOT_GIVEN`.
NotGivenOr: TypeAlias = T | NotGiven | None


class HttpxTimeout(Protocol):
    """An httpx timeout; `read`, the seconds between two parts of a response, is used here."""

    @property
    def read(self) -> float | None: ...


Timeout: TypeAlias = float | HttpxTimeout


@dataclass(frozen=True, slots=True)
class CallOptions:
    """The arguments of one call: request body, list query, and those of the client itself."""

    body: JsonObject = field(default_factory=dict[str, Any])
    query: ListQuery = field(default_factory=ListQuery)
    include: tuple[str, ...] = ()
    timeout: float | None = None
    poll_interval_ms: int | None = None


def is_given(value: object) -> bool:
    """Whether an argument is to be sent: it is neither our sentinel nor one of the openai SDK."""
    sdk = sys.modules.get("openai")  # a program that did not import the SDK has none of its sentinels
    sdk_types = [getattr(sdk, name) for name in ("NotGiven", "Omit") if hasattr(sdk, name)]
    return not isinstance(value, (NotGiven, *sdk_types))


def parse_call_options(params_type: type, options: Mapping[str, object], **fields: object) -> CallOptions:
    """Sort the arguments of a call. `params_type` is the TypedDict that lists `options`; `fields` are part of the body.

    `extra_body` is merged over the body. `extra_headers` have no effect, since there are no HTTP headers here. Raises
    TypeError for an argument that the TypedDict does not have, and Unsupported for `extra_query`.
    """
    allowed: frozenset[str] = getattr(params_type, "__optional_keys__", frozenset[str]())
    for name in options:
        if name not in allowed:
            raise TypeError(f"got an unexpected keyword argument {name!r}")
    values = {name: value for name, value in {**fields, **options}.items() if is_given(value)}
    if values.pop("extra_query", None):
        raise Unsupported(
            "'extra_query' has no meaning here; settings.assistants.query is sent with every request to a service.",
            param="extra_query",
        )
    values.pop("extra_headers", None)
    extra_body = values.pop("extra_body", None)
    timeout = values.pop("timeout", None)
    query = {name: values.pop(name, None) for name in ("after", "before", "limit", "order", "run_id")}
    return CallOptions(
        query=ListQuery(**cast("dict[str, Any]", query)),
        include=tuple(cast("Iterable[str]", values.pop("include", None) or ())),
        timeout=cast("float | None", getattr(timeout, "read", timeout)),
        poll_interval_ms=cast("int | None", values.pop("poll_interval_ms", None)),
        body={**to_json_value(values), **to_json_value(extra_body or {})},
    )


def to_json_value(value: Any) -> Any:
    """A value in JSON: models as objects, iterables as lists, without values that are not given."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_unset=True, by_alias=True)
    if isinstance(value, Mapping):
        mapping = cast("Mapping[object, object]", value)
        return {str(key): to_json_value(item) for key, item in mapping.items() if is_given(item)}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | bytearray):
        return [to_json_value(item) for item in cast("Iterable[object]", value) if is_given(item)]
    return value

"""Given or not: what a keyword argument means, and the body that the given ones make."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias, TypeVar, cast

from pydantic import BaseModel

from threadbridge.errors import Unsupported
from threadbridge.ports import ListQuery, Wire

T = TypeVar("T")


class NotGiven:
    """The type of `NOT_GIVEN`: the keyword counts as left out, where None would be sent as null."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "NOT_GIVEN"


NOT_GIVEN: Final = NotGiven()

#: A keyword's value: given, null, or as good as left out.
NotGivenOr: TypeAlias = T | NotGiven | None


class HttpxTimeout(Protocol):
    """An httpx timeout, of which the time between two pieces of an answer counts here."""

    @property
    def read(self) -> float | None: ...


Timeout: TypeAlias = float | HttpxTimeout


@dataclass(frozen=True, slots=True)
class CallOptions:
    """What one call asked for, sorted by where it goes."""

    body: Wire = field(default_factory=dict[str, Any])
    query: ListQuery = field(default_factory=ListQuery)
    include: tuple[str, ...] = ()
    timeout: float | None = None
    poll_interval_ms: int | None = None


def is_given(value: object) -> bool:
    """Whether the caller meant something by this value. The sentinels of the openai SDK, passed on, mean nothing."""
    return not isinstance(value, (NotGiven, *_list_sdk_sentinel_types()))


def _list_sdk_sentinel_types() -> tuple[type, ...]:
    sdk = sys.modules.get("openai")  # where nobody imported it, nobody holds one
    return tuple(getattr(sdk, name) for name in ("NotGiven", "Omit") if hasattr(sdk, name))


def parse_call_options(params_type: type, options: Mapping[str, object], **fields: object) -> CallOptions:
    """Sort the options of a call. `keywords` is the TypedDict that lists them, `fields` go into the body as well.

    `extra_body` is merged over the body; `extra_headers` are taken and ignored, since nothing here travels by HTTP.
    Raises TypeError for an option the TypedDict does not have, and `errors.Unsupported` for `extra_query`, which
    would be lost without a word.
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
    """A value as JSON has it: models opened, iterables listed, what was not given left out."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_unset=True, by_alias=True)
    if isinstance(value, Mapping):
        return {str(key): to_json_value(item) for key, item in value.items() if is_given(item)}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | bytearray):
        return [to_json_value(item) for item in value if is_given(item)]
    return value

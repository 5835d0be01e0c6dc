"""The keyword arguments of every method, by the names of the openai SDK, and the request body that they make."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias, TypedDict, TypeVar, cast

from pydantic import BaseModel

from threadbridge.api_types import JsonObject
from threadbridge.errors import Unsupported
from threadbridge.ports import ListQuery

#: An object of the wire: a dictionary, or a model of `threadbridge.types`.
Json: TypeAlias = Any
Metadata: TypeAlias = Mapping[str, str]


class CallParams(TypedDict, total=False):
    """The arguments of every method: headers have no effect, a query is rejected, a body is merged over the call's."""

    extra_headers: NotGivenOr[Mapping[str, Any]]
    extra_query: NotGivenOr[Mapping[str, object]]
    extra_body: NotGivenOr[object]
    timeout: NotGivenOr[Timeout]


class ListParams(CallParams, total=False):
    """Which page of a list (A11)."""

    after: NotGivenOr[str]
    before: NotGivenOr[str]
    limit: NotGivenOr[int]
    order: NotGivenOr[str]


class MessageListParams(ListParams, total=False):
    """Which page of messages; with `run_id`, of one run."""

    run_id: NotGivenOr[str]


class StepListParams(ListParams, total=False):
    """Which page of run steps."""

    include: NotGivenOr[Iterable[str]]


class StepParams(CallParams, total=False):
    """What to include in a run step."""

    include: NotGivenOr[Iterable[str]]


class AssistantParams(CallParams, total=False):
    """The fields of an assistant besides its model (A21)."""

    description: NotGivenOr[str]
    instructions: NotGivenOr[str]
    metadata: NotGivenOr[Metadata]
    name: NotGivenOr[str]
    reasoning_effort: NotGivenOr[str]
    response_format: NotGivenOr[Json]
    temperature: NotGivenOr[float]
    tool_resources: NotGivenOr[Json]
    tools: NotGivenOr[Iterable[Json]]
    top_p: NotGivenOr[float]


class AssistantUpdateParams(AssistantParams, total=False):
    """The fields of an assistant that can be changed (A25)."""

    model: NotGivenOr[str]


class MetadataParams(CallParams, total=False):
    """The field of a message or run that can be changed."""

    metadata: NotGivenOr[Metadata]


class ThreadUpdateParams(MetadataParams, total=False):
    """The fields of a thread that can be changed (A28)."""

    tool_resources: NotGivenOr[Json]


class ThreadParams(ThreadUpdateParams, total=False):
    """The fields of a new thread."""

    messages: NotGivenOr[Iterable[Json]]


class MessageParams(MetadataParams, total=False):
    """The fields of a new message besides role and content (A34)."""

    attachments: NotGivenOr[Iterable[Json]]


class _RunParams(CallParams, total=False):
    """The fields of every new run (A48)."""

    instructions: NotGivenOr[str]
    max_completion_tokens: NotGivenOr[int]
    max_prompt_tokens: NotGivenOr[int]
    metadata: NotGivenOr[Metadata]
    model: NotGivenOr[str]
    parallel_tool_calls: NotGivenOr[bool]
    response_format: NotGivenOr[Json]
    temperature: NotGivenOr[float]
    tool_choice: NotGivenOr[Json]
    top_p: NotGivenOr[float]
    truncation_strategy: NotGivenOr[Json]


class ExecuteParams(_RunParams, total=False):
    """The fields of a new run except its tools."""

    include: NotGivenOr[Iterable[str]]
    additional_instructions: NotGivenOr[str]
    additional_messages: NotGivenOr[Iterable[Json]]
    reasoning_effort: NotGivenOr[str]


class RunParams(ExecuteParams, total=False):
    """The fields of a new run."""

    tools: NotGivenOr[Iterable[Json]]


class PolledRunParams(RunParams, total=False):
    """The fields of a new run, and the interval of polling it in milliseconds."""

    poll_interval_ms: NotGivenOr[int]


class ThreadRunParams(_RunParams, total=False):
    """The fields of a new run and its new thread (A54)."""

    thread: NotGivenOr[Json]
    tool_resources: NotGivenOr[Json]
    tools: NotGivenOr[Iterable[Json]]


class PolledThreadRunParams(ThreadRunParams, total=False):
    """The fields of a new run and its new thread, and the interval of polling it in milliseconds."""

    poll_interval_ms: NotGivenOr[int]


class PollParams(CallParams, total=False):
    """The interval of polling a run in milliseconds."""

    poll_interval_ms: NotGivenOr[int]


FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


def accepts_params(params_type: type) -> Callable[[FunctionT], FunctionT]:
    """Add the keys of a TypedDict to a method's signature, as `help()` and editors show it."""

    def extend_signature(function: FunctionT) -> FunctionT:
        own = [p for p in inspect.signature(function).parameters.values() if p.kind is not p.VAR_KEYWORD]
        more = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=NOT_GIVEN,
                annotation=getattr(hint, "__forward_arg__", hint),
            )
            for name, hint in params_type.__annotations__.items()
        ]
        signature = inspect.signature(function).replace(parameters=[*own, *more])
        function.__signature__ = signature  # type: ignore[attr-defined]  # read by inspect, declared nowhere
        return function

    return extend_signature


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

"""The keyword arguments of every method, by the names of the openai SDK.

Values are sent unchanged and the backend validates them, so that their types are those of JSON.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias, TypedDict, TypeVar

from threadbridge.client._call_options import NOT_GIVEN, NotGivenOr, Timeout

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

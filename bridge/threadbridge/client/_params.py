"""The keywords of every call, in the openai SDK's words, each list written once.

Values go to the wire as they are and are judged there, so their types say no more than JSON does.
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
    """What every call takes. Headers are ignored, a query is refused, a body is merged over the call's own."""

    extra_headers: NotGivenOr[Mapping[str, Any]]
    extra_query: NotGivenOr[Mapping[str, object]]
    extra_body: NotGivenOr[object]
    timeout: NotGivenOr[Timeout]


class ListParams(CallParams, total=False):
    """A page (A11)."""

    after: NotGivenOr[str]
    before: NotGivenOr[str]
    limit: NotGivenOr[int]
    order: NotGivenOr[str]


class MessageListParams(ListParams, total=False):
    """A page of messages, or of one run's."""

    run_id: NotGivenOr[str]


class StepListParams(ListParams, total=False):
    """A page of run steps."""

    include: NotGivenOr[Iterable[str]]


class StepParams(CallParams, total=False):
    """One run step."""

    include: NotGivenOr[Iterable[str]]


class AssistantParams(CallParams, total=False):
    """What an assistant is made of (A21)."""

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
    """What can be changed on an assistant (A25)."""

    model: NotGivenOr[str]


class MetadataParams(CallParams, total=False):
    """What can be changed on a message or a run."""

    metadata: NotGivenOr[Metadata]


class ThreadUpdateParams(MetadataParams, total=False):
    """What can be changed on a thread (A28)."""

    tool_resources: NotGivenOr[Json]


class ThreadParams(ThreadUpdateParams, total=False):
    """What a thread is made of."""

    messages: NotGivenOr[Iterable[Json]]


class MessageParams(MetadataParams, total=False):
    """What a message may have besides role and content (A34)."""

    attachments: NotGivenOr[Iterable[Json]]


class _RunParams(CallParams, total=False):
    """What every way to start a run takes (A48)."""

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
    """A run on a thread, but for its tools."""

    include: NotGivenOr[Iterable[str]]
    additional_instructions: NotGivenOr[str]
    additional_messages: NotGivenOr[Iterable[Json]]
    reasoning_effort: NotGivenOr[str]


class RunParams(ExecuteParams, total=False):
    """A run on a thread."""

    tools: NotGivenOr[Iterable[Json]]


class PolledRunParams(RunParams, total=False):
    """A run on a thread, waited for."""

    poll_interval_ms: NotGivenOr[int]


class ThreadRunParams(_RunParams, total=False):
    """A thread and a run on it (A54)."""

    thread: NotGivenOr[Json]
    tool_resources: NotGivenOr[Json]
    tools: NotGivenOr[Iterable[Json]]


class PolledThreadRunParams(ThreadRunParams, total=False):
    """A thread and a run on it, waited for."""

    poll_interval_ms: NotGivenOr[int]


class PollParams(CallParams, total=False):
    """How to wait for a run."""

    poll_interval_ms: NotGivenOr[int]


FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


def accepts_params(params_type: type) -> Callable[[FunctionT], FunctionT]:
    """Write the keywords of a TypedDict into a method's signature, where `help()` and editors look for them."""

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

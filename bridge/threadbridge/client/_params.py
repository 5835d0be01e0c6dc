"""The keywords of every call, in the openai SDK's words, each list written once.

Values go to the wire as they are and are judged there, so their types say no more than JSON does.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias, TypedDict, TypeVar

from threadbridge.client._call_options import NOT_GIVEN, Given, Timeout

#: An object of the wire: a dictionary, or a model of `threadbridge.types`.
Json: TypeAlias = Any
Metadata: TypeAlias = Mapping[str, str]


class CallKeywords(TypedDict, total=False):
    """What every call takes. Headers are ignored, a query is refused, a body is merged over the call's own."""

    extra_headers: Given[Mapping[str, Any]]
    extra_query: Given[Mapping[str, object]]
    extra_body: Given[object]
    timeout: Given[Timeout]


class ListKeywords(CallKeywords, total=False):
    """A page (A11)."""

    after: Given[str]
    before: Given[str]
    limit: Given[int]
    order: Given[str]


class MessageListKeywords(ListKeywords, total=False):
    """A page of messages, or of one run's."""

    run_id: Given[str]


class StepListKeywords(ListKeywords, total=False):
    """A page of run steps."""

    include: Given[Iterable[str]]


class StepKeywords(CallKeywords, total=False):
    """One run step."""

    include: Given[Iterable[str]]


class AssistantKeywords(CallKeywords, total=False):
    """What an assistant is made of (A21)."""

    description: Given[str]
    instructions: Given[str]
    metadata: Given[Metadata]
    name: Given[str]
    reasoning_effort: Given[str]
    response_format: Given[Json]
    temperature: Given[float]
    tool_resources: Given[Json]
    tools: Given[Iterable[Json]]
    top_p: Given[float]


class AssistantUpdateKeywords(AssistantKeywords, total=False):
    """What can be changed on an assistant (A25)."""

    model: Given[str]


class MetadataKeywords(CallKeywords, total=False):
    """What can be changed on a message or a run."""

    metadata: Given[Metadata]


class ThreadUpdateKeywords(MetadataKeywords, total=False):
    """What can be changed on a thread (A28)."""

    tool_resources: Given[Json]


class ThreadKeywords(ThreadUpdateKeywords, total=False):
    """What a thread is made of."""

    messages: Given[Iterable[Json]]


class MessageKeywords(MetadataKeywords, total=False):
    """What a message may have besides role and content (A34)."""

    attachments: Given[Iterable[Json]]


class _RunKeywords(CallKeywords, total=False):
    """What every way to start a run takes (A48)."""

    instructions: Given[str]
    max_completion_tokens: Given[int]
    max_prompt_tokens: Given[int]
    metadata: Given[Metadata]
    model: Given[str]
    parallel_tool_calls: Given[bool]
    response_format: Given[Json]
    temperature: Given[float]
    tool_choice: Given[Json]
    top_p: Given[float]
    truncation_strategy: Given[Json]


class ExecuteKeywords(_RunKeywords, total=False):
    """A run on a thread, but for its tools."""

    include: Given[Iterable[str]]
    additional_instructions: Given[str]
    additional_messages: Given[Iterable[Json]]
    reasoning_effort: Given[str]


class RunKeywords(ExecuteKeywords, total=False):
    """A run on a thread."""

    tools: Given[Iterable[Json]]


class PolledRunKeywords(RunKeywords, total=False):
    """A run on a thread, waited for."""

    poll_interval_ms: Given[int]


class ThreadRunKeywords(_RunKeywords, total=False):
    """A thread and a run on it (A54)."""

    thread: Given[Json]
    tool_resources: Given[Json]
    tools: Given[Iterable[Json]]


class PolledThreadRunKeywords(ThreadRunKeywords, total=False):
    """A thread and a run on it, waited for."""

    poll_interval_ms: Given[int]


class PollKeywords(CallKeywords, total=False):
    """How to wait for a run."""

    poll_interval_ms: Given[int]


FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


def takes(keywords: type) -> Callable[[FunctionT], FunctionT]:
    """Write the keywords of a TypedDict into a method's signature, where `help()` and editors look for them."""

    def spell_out(function: FunctionT) -> FunctionT:
        own = [p for p in inspect.signature(function).parameters.values() if p.kind is not p.VAR_KEYWORD]
        more = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=NOT_GIVEN,
                annotation=getattr(hint, "__forward_arg__", hint),
            )
            for name, hint in keywords.__annotations__.items()
        ]
        signature = inspect.signature(function).replace(parameters=[*own, *more])
        function.__signature__ = signature  # type: ignore[attr-defined]  # read by inspect, declared nowhere
        return function

    return spell_out

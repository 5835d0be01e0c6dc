"""Runs (A43-A47, A64, A79, A80)."""

from typing import Literal, NotRequired, TypedDict

from threadbridge.api_types.tools import AssistantTool, Metadata, ResponseFormat, ToolChoice, ToolResources


class RunFunction(TypedDict):
    """The function to call; `arguments` is JSON as the model wrote it, which may be malformed."""

    name: str
    arguments: str


class RunToolCall(TypedDict):
    """One call that the client must answer."""

    id: str
    type: Literal["function"]
    function: RunFunction


class RunToolCalls(TypedDict):
    """The calls of this round; all must be answered in one request (A65)."""

    tool_calls: list[RunToolCall]


class RequiredAction(TypedDict):
    """What the run waits for (A64)."""

    type: Literal["submit_tool_outputs"]
    submit_tool_outputs: RunToolCalls


class LastError(TypedDict):
    """Why a run or a step failed. A step has the codes `server_error` and `rate_limit_exceeded` only (A47)."""

    code: Literal["server_error", "rate_limit_exceeded", "invalid_prompt"]
    message: str


class RunIncompleteDetails(TypedDict, total=False):
    """The budget that ended the run (A80)."""

    reason: Literal["max_completion_tokens", "max_prompt_tokens"]


class PromptTokenDetails(TypedDict):
    """What the prompt tokens were."""

    cached_tokens: int


class CompletionTokensDetails(TypedDict):
    """What the completion tokens were."""

    reasoning_tokens: int


class UsageObject(TypedDict):
    """The tokens of a run or a step (A46). Imported ones have the three counters only."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    #: Singular on the wire, whatever the published schema says.
    prompt_token_details: NotRequired[PromptTokenDetails]
    completion_tokens_details: NotRequired[CompletionTokensDetails]


class TruncationStrategy(TypedDict):
    """How a long thread is shortened (A79)."""

    type: Literal["auto", "last_messages"]
    last_messages: NotRequired[int | None]


class RunObject(TypedDict):
    """A run of an assistant on a thread, in wire order (A43)."""

    id: str
    object: Literal["thread.run"]
    created_at: int
    assistant_id: str
    thread_id: str
    #: A value of `RunStatus`. A Literal could not be compared with its members.
    status: str
    started_at: int | None
    expires_at: int | None
    cancelled_at: int | None
    failed_at: int | None
    completed_at: int | None
    required_action: RequiredAction | None
    last_error: LastError | None
    model: str
    instructions: str | None
    tools: list[AssistantTool]
    tool_resources: ToolResources
    metadata: Metadata
    temperature: float | None
    top_p: float | None
    reasoning_effort: str | None
    max_completion_tokens: int | None
    max_prompt_tokens: int | None
    truncation_strategy: TruncationStrategy
    incomplete_details: RunIncompleteDetails | None
    usage: UsageObject | None
    response_format: ResponseFormat
    tool_choice: ToolChoice
    parallel_tool_calls: bool


class RunChanges(TypedDict, total=False):
    """The keys of a run that change during its life, besides status and times."""

    required_action: RequiredAction | None
    last_error: LastError | None
    incomplete_details: RunIncompleteDetails | None
    usage: UsageObject | None

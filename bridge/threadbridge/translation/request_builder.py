"""The request for one turn of a run (§3)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from threadbridge.ports import Entry, UpstreamCapabilities, Wire
from threadbridge.translation.capability_fallbacks import apply_fallbacks
from threadbridge.translation.continuation import Continuation
from threadbridge.translation.hosted_tools.hosted_tool import HostedToolResources
from threadbridge.translation.input_items import build_input_items
from threadbridge.translation.models.resolution import ResolvedModel
from threadbridge.translation.tool_mapping import (
    build_text_format,
    build_tool_choice,
    build_tools,
    forces_missing_tool,
    list_includes,
    list_omitted_tools,
)

#: The least `max_output_tokens` the Responses API accepts (§3).
_MIN_OUTPUT_TOKENS = 16
#: The least `compact_threshold` it accepts (§11).
_MIN_COMPACT_THRESHOLD = 1000
#: The longest `prompt_cache_key` it accepts; ids that were imported may be longer.
_MAX_CACHE_KEY_CHARACTERS = 64

_DEFAULT_SAMPLING = 1.0

#: Vector stores for a request that is built only for its warnings.
_PLACEHOLDER_RESOURCES = HostedToolResources(vector_store_ids=("vs",))

#: A service with all capabilities.
_FULL_PROFILE = UpstreamCapabilities()


@dataclass(frozen=True, slots=True)
class RequestPlan:
    """The body of a request, and a sentence for each thing that the run requests and the body lacks."""

    body: Wire
    warnings: tuple[str, ...] = ()


def get_remaining_completion_tokens(run: Wire, prior_usage: Wire | None) -> int | None:
    """The rest of the completion budget, which covers the whole run (A80); None without a budget."""
    budget: int | None = run["max_completion_tokens"]
    used: int = prior_usage["completion_tokens"] if prior_usage is not None else 0
    return None if budget is None else budget - used


def get_max_output_tokens(run: Wire, prior_usage: Wire | None) -> int | None:
    """The `max_output_tokens` of the run's next turn; None where the run sets no limit."""
    remaining = get_remaining_completion_tokens(run, prior_usage)
    return None if remaining is None else max(_MIN_OUTPUT_TOKENS, remaining)


def is_budget_exhausted(run: Wire, prior_usage: Wire | None) -> bool:
    """Whether the earlier turns used up the run's completion budget: the run ends incomplete, nothing is sent."""
    remaining = get_remaining_completion_tokens(run, prior_usage)
    return remaining is not None and remaining <= 0


def build_request(
    run: Wire,
    timeline: Sequence[Entry],
    *,
    model: ResolvedModel,
    stream: bool,
    first_turn: bool,
    prior_usage: Wire | None = None,
    hosted_tools: HostedToolResources | None = None,
    compact_threshold: int | None = None,
    rejected_parameters: Collection[str] = (),
    profile: UpstreamCapabilities = _FULL_PROFILE,
    continuation: Continuation | None = None,
) -> RequestPlan:
    """The body for the run's next turn. It shares parts with `run` and `timeline` and must only be read.

    Without `continuation` nothing is stored upstream, and the timeline is all that the model sees (§2); with one, it
    is what the service does not have yet (§9). `prior_usage` is the sum of the run's earlier turns; check
    `is_budget_exhausted` first. `hosted_tools` is None where the service has none. Beyond `compact_threshold` tokens
    the service compacts the earlier input (§11). `rejected_parameters` are left out, and so is what `profile` lacks.
    """
    warnings = list(model.warnings)
    container = hosted_tools.container_id if hosted_tools is not None else None
    items = build_input_items(
        run,
        timeline,
        container_id=container,
        continuation=continuation,
        include_compactions=compact_threshold is not None,
    )
    state = {"store": False} if continuation is None else continuation.request_params
    body: Wire = {"model": model.model, "input": items, **state, "stream": stream}
    if run["instructions"] is not None:
        body["instructions"] = run["instructions"]
    _add_tools(body, run, model, hosted_tools, warnings, first_turn=first_turn)
    if (form := build_text_format(run["response_format"])) is not None:
        body["text"] = {"format": form}
    if (max_output_tokens := get_max_output_tokens(run, prior_usage)) is not None:
        body["max_output_tokens"] = max_output_tokens
    _add_reasoning(body, model)
    if compact_threshold is not None:
        body["context_management"] = [_build_compaction(compact_threshold)]
    _add_sampling(body, run, model, rejected_parameters, warnings)
    if profile.prompt_cache_key:
        body["prompt_cache_key"] = run["thread_id"][:_MAX_CACHE_KEY_CHARACTERS]
    warnings += apply_fallbacks(body, profile)
    return RequestPlan(body, tuple(warnings))


def list_run_warnings(
    run: Wire, model: ResolvedModel, rejected_parameters: Collection[str], profile: UpstreamCapabilities
) -> tuple[str, ...]:
    """What of a new run is done in another way than requested, one sentence each.

    A successor model, a parameter it rejects, a tool that is not sent, a capability the service lacks: the warnings
    of the run's first request, before anything of the thread is in it.
    """
    plan = build_request(
        run,
        (),
        model=model,
        stream=False,
        first_turn=True,
        hosted_tools=_PLACEHOLDER_RESOURCES,
        rejected_parameters=rejected_parameters,
        profile=profile,
    )
    return plan.warnings


def _add_tools(
    body: Wire,
    run: Wire,
    model: ResolvedModel,
    hosted_tools: HostedToolResources | None,
    warnings: list[str],
    *,
    first_turn: bool,
) -> None:
    tools = build_tools(run["tools"], hosted_tools, model=model.requested)
    warnings += [f"The tool {kind} is not sent to the model." for kind in list_omitted_tools(run["tools"], tools)]
    if first_turn and forces_missing_tool(run["tool_choice"], tools):
        warnings.append("The tool that tool_choice asks for is not there; the model is free to answer without it.")
    if not tools:
        return  # a choice among no tools is refused
    body["tools"] = tools
    body["tool_choice"] = build_tool_choice(run["tool_choice"], tools, first_turn=first_turn)
    if include := list_includes(tools):
        body["include"] = include
    if run["parallel_tool_calls"] is False:  # true is the default, which some models reject
        body["parallel_tool_calls"] = False


def _add_reasoning(body: Wire, model: ResolvedModel) -> None:
    if model.reasoning_effort is not None:
        body["reasoning"] = {"effort": model.reasoning_effort}
    if model.is_reasoning:
        body["include"] = ["reasoning.encrypted_content", *body.get("include", ())]


def _build_compaction(compact_threshold: int) -> Wire:
    return {"type": "compaction", "compact_threshold": max(_MIN_COMPACT_THRESHOLD, compact_threshold)}


def _add_sampling(
    body: Wire, run: Wire, model: ResolvedModel, rejected_parameters: Collection[str], warnings: list[str]
) -> None:
    for name in ("temperature", "top_p"):
        value = run[name]
        if value is None or value == _DEFAULT_SAMPLING:
            continue
        if model.accepts_sampling and name not in rejected_parameters:
            body[name] = value
        else:
            warnings.append(f"The model {model.model} does not accept {name}; {value} has no effect.")


INPUT_TOKENS_PATH = "/responses/input_tokens"
#: The fields of a request that it accepts.
_COUNTED_FIELDS = (
    "model",
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "text",
    "reasoning",
    "truncation",
    "previous_response_id",
    "conversation",
)


def build_count_request(body: Wire) -> Wire:
    """The part of a request that determines the length of its prompt."""
    return {name: body[name] for name in _COUNTED_FIELDS if name in body}


def parse_token_count(answer: Wire) -> int | None:
    """The token count of an answer; None where it has none."""
    tokens = answer.get("input_tokens")
    return tokens if isinstance(tokens, int) and not isinstance(tokens, bool) else None


def build_count_failure_warning(reason: str) -> str:
    """The warning about a failed count, one sentence."""
    return f"The service did not say how long the prompt is, so what was counted here holds: {reason}"

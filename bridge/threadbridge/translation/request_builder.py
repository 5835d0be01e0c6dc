"""The request for one turn of a run (§3), and the request that counts the tokens of its prompt (§11)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import cast

from threadbridge.api_types import CountTokensBody, CreateResponseBody, JsonMapping, RunObject, UsageObject
from threadbridge.ports import Entry, UpstreamCapabilities
from threadbridge.translation.capability_fallbacks import apply_fallbacks
from threadbridge.translation.continuation import Continuation, StateParameters
from threadbridge.translation.error_classifier import OPTIONAL_PARAMETERS
from threadbridge.translation.hosted_tools.hosted_tool import HostedToolResources
from threadbridge.translation.input_items import build_input_items, build_json_notice, mentions_json
from threadbridge.translation.models.resolution import ResolvedModel
from threadbridge.translation.tool_mapping import (
    build_text_format,
    build_tool_choice,
    build_tools,
    forces_missing_tool,
    list_includes,
    list_omitted_tools,
)

#: The least `max_output_tokens` that the Responses API accepts (§3).
_MIN_OUTPUT_TOKENS = 16
#: The least `compact_threshold` that it accepts (§11).
_MIN_COMPACT_THRESHOLD = 1000
#: The longest `prompt_cache_key` that it accepts; imported IDs may be longer.
_MAX_CACHE_KEY_CHARACTERS = 64

_DEFAULT_SAMPLING = 1.0
#: Optional parameters besides those of sampling, which have a sentence of their own.
_OTHER_OPTIONAL_PARAMETERS = (OPTIONAL_PARAMETERS.keys() | {"context_management"}) - {"temperature", "top_p"}

#: Vector stores for a request that is built only for its warnings.
_PLACEHOLDER_RESOURCES = HostedToolResources(vector_store_ids=("vs",))

#: A service with all capabilities.
_FULL_PROFILE = UpstreamCapabilities()

INPUT_TOKENS_PATH = "/responses/input_tokens"
#: The fields of a request that `POST /responses/input_tokens` accepts.
_COUNTED_FIELDS = CountTokensBody.__required_keys__ | CountTokensBody.__optional_keys__


@dataclass(frozen=True, slots=True)
class RequestPlan:
    """The body of a request, and a sentence for each thing that the run requests and the body lacks."""

    body: CreateResponseBody
    warnings: tuple[str, ...] = ()


def get_remaining_completion_tokens(run: RunObject, prior_usage: UsageObject | None) -> int | None:
    """The rest of the completion budget, which covers the whole run (A80); None without a budget."""
    budget = run["max_completion_tokens"]
    used = prior_usage["completion_tokens"] if prior_usage is not None else 0
    return None if budget is None else budget - used


def get_max_output_tokens(run: RunObject, prior_usage: UsageObject | None) -> int | None:
    """The `max_output_tokens` of the run's next turn; None where the run sets no limit."""
    remaining = get_remaining_completion_tokens(run, prior_usage)
    return None if remaining is None else max(_MIN_OUTPUT_TOKENS, remaining)


def is_budget_exhausted(run: RunObject, prior_usage: UsageObject | None) -> bool:
    """Whether the earlier turns used up the run's completion budget: the run ends incomplete, nothing is sent."""
    remaining = get_remaining_completion_tokens(run, prior_usage)
    return remaining is not None and remaining <= 0


def build_request(
    run: RunObject,
    timeline: Sequence[Entry],
    *,
    model: ResolvedModel,
    stream: bool,
    first_turn: bool,
    prior_usage: UsageObject | None = None,
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
    items = build_input_items(
        run,
        timeline,
        container_id=hosted_tools.container_id if hosted_tools is not None else None,
        continuation=continuation,
        include_compactions=compact_threshold is not None,
    )
    state: StateParameters = {"store": False} if continuation is None else continuation.request_params
    body: CreateResponseBody = {"model": model.model, "input": items, "store": state["store"], "stream": stream}
    if "previous_response_id" in state:
        body["previous_response_id"] = state["previous_response_id"]
    if "conversation" in state:
        body["conversation"] = state["conversation"]
    if run["instructions"] is not None:
        body["instructions"] = run["instructions"]
    warnings += _add_tools(body, run, model, hosted_tools, first_turn=first_turn)
    text_format = build_text_format(run["response_format"])
    if text_format is not None:
        body["text"] = {"format": text_format}
        if text_format["type"] == "json_object" and not mentions_json(items):
            # The service looks for the word in `input` alone; the legacy service also read the instructions (§5).
            items.insert(0, build_json_notice())
    max_output_tokens = get_max_output_tokens(run, prior_usage)
    if max_output_tokens is not None:
        body["max_output_tokens"] = max_output_tokens
    if model.reasoning_effort is not None:
        body["reasoning"] = {"effort": model.reasoning_effort}
    if model.is_reasoning:
        body["include"] = ["reasoning.encrypted_content", *body.get("include", ())]
    if compact_threshold is not None:
        threshold = max(_MIN_COMPACT_THRESHOLD, compact_threshold)
        body["context_management"] = [{"type": "compaction", "compact_threshold": threshold}]
    warnings += _add_sampling(body, run, model, rejected_parameters)
    if profile.prompt_cache_key:
        body["prompt_cache_key"] = run["thread_id"][:_MAX_CACHE_KEY_CHARACTERS]
    # Whatever the run can do without: pop() takes literal keys only.
    fields = cast("dict[str, object]", body)
    for name in sorted(fields.keys() & _OTHER_OPTIONAL_PARAMETERS & set(rejected_parameters)):
        del fields[name]
        warnings.append(f"The model {model.model} does not accept {name}; it was left out.")
    warnings += apply_fallbacks(body, profile)
    return RequestPlan(body, tuple(warnings))


def list_run_warnings(
    run: RunObject, model: ResolvedModel, rejected_parameters: Collection[str], profile: UpstreamCapabilities
) -> tuple[str, ...]:
    """The differences between what a new run requests and what is sent, one sentence each.

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
    body: CreateResponseBody,
    run: RunObject,
    model: ResolvedModel,
    hosted_tools: HostedToolResources | None,
    *,
    first_turn: bool,
) -> list[str]:
    """Add the tools and the choice among them; returns the warnings about both."""
    tools = build_tools(run["tools"], hosted_tools, model=model.requested)
    warnings = [f"The tool {kind} is not sent to the model." for kind in list_omitted_tools(run["tools"], tools)]
    if first_turn and forces_missing_tool(run["tool_choice"], tools):
        warnings.append("The tool that tool_choice requires is not available, so the model may answer without it.")
    if not tools:
        return warnings  # a choice without tools is rejected
    body["tools"] = tools
    body["tool_choice"] = build_tool_choice(run["tool_choice"], tools, first_turn=first_turn)
    includes = list_includes([tool["type"] for tool in tools])
    if includes:
        body["include"] = includes
    if run["parallel_tool_calls"] is False:  # true is the default, which some models reject
        body["parallel_tool_calls"] = False
    return warnings


def _add_sampling(
    body: CreateResponseBody, run: RunObject, model: ResolvedModel, rejected_parameters: Collection[str]
) -> list[str]:
    """Add the sampling parameters that the run sets and the model accepts; returns warnings about the others."""
    parameters = (("temperature", run["temperature"]), ("top_p", run["top_p"]))
    requested = {name: value for name, value in parameters if value is not None and value != _DEFAULT_SAMPLING}
    accepted = requested.keys() - set(rejected_parameters) if model.accepts_sampling else set[str]()
    if "temperature" in accepted:
        body["temperature"] = requested["temperature"]
    if "top_p" in accepted:
        body["top_p"] = requested["top_p"]
    return [
        f"The model {model.model} does not accept {name}; {value} has no effect."
        for name, value in requested.items()
        if name not in accepted
    ]


def build_count_request(body: CreateResponseBody) -> CountTokensBody:
    """The part of a request that determines the length of its prompt."""
    # The names are the keys of the type.
    return cast("CountTokensBody", {name: value for name, value in body.items() if name in _COUNTED_FIELDS})


def parse_token_count(answer: JsonMapping) -> int | None:
    """The token count of an answer; None where it has none."""
    tokens = answer.get("input_tokens")
    return tokens if isinstance(tokens, int) and not isinstance(tokens, bool) else None


def build_count_failure_warning(reason: str) -> str:
    """The warning about a failed count, one sentence."""
    return f"The service could not count the tokens of the prompt, so the local count is used: {reason}"

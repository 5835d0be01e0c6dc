"""One create request: the table of its parameters, and the validated value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from threadbridge.api_types import JsonObject, is_json_list, is_json_object
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator import _validators as validators
from threadbridge_adapters.simulator._input_items import check_items
from threadbridge_adapters.simulator._models import ModelTable, ModelTraits, SamplingSupport
from threadbridge_adapters.simulator._tokens_and_compaction import check_context_management
from threadbridge_adapters.simulator._tool_validation import (
    check_choice_against_tools,
    check_format,
    check_tool_choice,
    check_tools,
)
from threadbridge_adapters.simulator._validators import EMPTY_OBJECT, Validator

MIN_OUTPUT_TOKENS = 16
INCLUDE_VALUES = (
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
)
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_SERVICE_TIERS = ("auto", "default", "flex", "scale", "priority")


def _check_input(path: str, value: Any) -> None:
    if isinstance(value, str):
        return
    if not is_json_list(value):
        raise errors.invalid_type(path, "one of a string or array of objects", value)
    check_items(path, value)


def _check_include(path: str, value: Any) -> None:
    for index, name in enumerate(validators.require_array(path, value)):
        validators.one_of(*INCLUDE_VALUES)(f"{path}[{index}]", name)
        if name == "message.output_text.logprobs":
            raise errors.parameter_not_simulated(f"{path}[{index}]")


def _check_conversation(path: str, value: Any) -> None:
    if isinstance(value, str):
        validators.identifier("conv")(path, value)
    else:
        validators.check_members(path, value, {"id": validators.identifier("conv")}, required=("id",))


def _reject_not_simulated(path: str, _value: Any) -> None:
    raise errors.parameter_not_simulated(path)


_check_summary_mode = validators.one_of("auto", "concise", "detailed")

#: Every parameter of `POST /v1/responses`. The last rows are not supported by the simulator.
PARAMETERS: Mapping[str, Validator] = {
    "background": validators.boolean,
    "context_management": check_context_management,
    "conversation": _check_conversation,
    "include": _check_include,
    "input": _check_input,
    "instructions": validators.string(),
    "max_output_tokens": validators.integer(minimum=MIN_OUTPUT_TOKENS),
    "max_tool_calls": validators.integer(minimum=1),
    "metadata": validators.metadata,
    "model": validators.string(),
    "parallel_tool_calls": validators.boolean,
    "previous_response_id": validators.identifier("resp"),
    "prompt_cache_key": validators.string(max_length=64),
    "prompt_cache_options": validators.json_object,
    "prompt_cache_retention": validators.one_of("in_memory", "24h"),
    "reasoning": validators.object_with(
        {
            "effort": validators.one_of(*EFFORTS),
            "summary": _check_summary_mode,
            "generate_summary": _check_summary_mode,
            "context": validators.one_of("auto", "current_turn", "all_turns"),
            "mode": validators.one_of("standard", "pro"),
        }
    ),
    "safety_identifier": validators.string(max_length=64),
    "service_tier": validators.one_of(*_SERVICE_TIERS),
    "store": validators.boolean,
    "stream": validators.boolean,
    "stream_options": validators.object_with({"include_obfuscation": validators.boolean}),
    "temperature": validators.decimal(minimum=0, maximum=2),
    "text": validators.object_with({"format": check_format, "verbosity": validators.one_of("low", "medium", "high")}),
    "tool_choice": check_tool_choice,
    "tools": check_tools,
    "top_p": validators.decimal(minimum=0, maximum=1),
    "truncation": validators.one_of("auto", "disabled"),
    "user": validators.string(),
    "access_programs": _reject_not_simulated,
    "moderation": _reject_not_simulated,
    "prompt": _reject_not_simulated,
    "top_logprobs": _reject_not_simulated,
}


@dataclass(frozen=True, slots=True)
class ResponseRequest:
    """A create request with a valid shape. Nulls are removed; `items` is `input` as a list."""

    body: JsonObject
    items: Sequence[JsonObject]
    traits: ModelTraits

    @property
    def model(self) -> str:
        return str(self.body["model"])

    @property
    def tools(self) -> Sequence[JsonObject]:
        return self.body.get("tools") or ()

    @property
    def store(self) -> bool:
        return bool(self.body.get("store", True))

    @property
    def background(self) -> bool:
        return bool(self.body.get("background", False))

    @property
    def stream(self) -> bool:
        return bool(self.body.get("stream", False))

    @property
    def is_obfuscated(self) -> bool:
        return bool((self.body.get("stream_options") or EMPTY_OBJECT).get("include_obfuscation", True))

    @property
    def previous_response_id(self) -> str | None:
        response_id: str | None = self.body.get("previous_response_id")
        return response_id

    @property
    def conversation_id(self) -> str | None:
        conversation = self.body.get("conversation")
        conversation_id: str | None = conversation["id"] if is_json_object(conversation) else conversation
        return conversation_id

    @property
    def effort(self) -> str | None:
        """The reasoning effort in force; None for a model that does not reason."""
        return (self.body.get("reasoning") or EMPTY_OBJECT).get("effort") or self.traits.default_effort

    def includes(self, name: str) -> bool:
        """Whether `include` has this value."""
        return name in (self.body.get("include") or ())

    @property
    def includes_encrypted_reasoning(self) -> bool:
        """Whether it was requested, or is the default of newer models with `store: false` (§3)."""
        is_requested = self.includes("reasoning.encrypted_content")
        return is_requested or (not self.store and self.traits.reasoning_context == "all_turns")


def parse_request(raw: Any, models: ModelTable, now: float) -> ResponseRequest:
    """Check a request body's shape. Raises in the order the service does: schema first, then the model (§15)."""
    body = {key: value for key, value in validators.require_object("body", raw).items() if value is not None}
    validators.check_members("", body, PARAMETERS)
    if "model" not in body:
        raise errors.missing_parameter("model")
    if not any(body.get(name) for name in ("input", "previous_response_id", "conversation")):
        text = "One of \"input\" or \"previous_response_id\" or 'prompt' or 'conversation_id' must be provided."
        raise errors.ServiceError(text, param="input", code="missing_required_parameter")
    if "previous_response_id" in body and "conversation" in body:
        text = "Mutually exclusive parameters: 'previous_response_id' and 'conversation'. "
        raise errors.ServiceError(text + "Ensure you are only providing one.", code="mutually_exclusive_parameters")
    if "stream_options" in body and not body.get("stream"):
        text = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise errors.ServiceError(text, param="stream_options")
    check_choice_against_tools(body.get("tool_choice"), body.get("tools") or ())
    models.check_not_retired(body["model"], now)
    raw_input = body.get("input", [])
    items = [{"role": "user", "content": raw_input}] if isinstance(raw_input, str) else raw_input
    return ResponseRequest(body, items, models.get_traits(body["model"]))


def check_capabilities(request: ResponseRequest) -> None:
    """Raise the errors of this model (§13): unsupported effort, sampling while reasoning, encrypted reasoning."""
    traits, body = request.traits, request.body
    effort = (body.get("reasoning") or EMPTY_OBJECT).get("effort")
    if not traits.efforts:
        if effort is not None:
            raise errors.unsupported_parameter("reasoning.effort", code="unsupported_parameter")
        if "reasoning.encrypted_content" in (body.get("include") or ()):
            raise errors.ServiceError("Encrypted content is not supported with this model.", param="include")
    elif effort is not None and effort not in traits.efforts:
        raise errors.unsupported_value("reasoning.effort", effort, request.model, traits.efforts)
    options = body.get("reasoning") or EMPTY_OBJECT
    if not traits.efforts and (options.get("summary") or options.get("generate_summary")):
        raise errors.unsupported_parameter("reasoning.summary", code="unsupported_parameter")
    if "parallel_tool_calls" in body and not traits.accepts_parallel_tool_calls:
        raise errors.unsupported_parameter("parallel_tool_calls", code="unsupported_parameter")
    verbosity = (body.get("text") or EMPTY_OBJECT).get("verbosity")
    if verbosity is not None and verbosity not in traits.verbosities:
        raise errors.unsupported_value("text.verbosity", verbosity, request.model, traits.verbosities)
    accepts_sampling = traits.sampling is SamplingSupport.ALWAYS or (
        traits.sampling is SamplingSupport.WITHOUT_REASONING and request.effort == "none"
    )
    for name in () if accepts_sampling else ("temperature", "top_p"):
        if name in body:
            raise errors.unsupported_parameter(name)


def check_json_mentioned(request: ResponseRequest, context: Sequence[JsonObject]) -> None:
    """§5: `json_object` requires the word JSON in a message of the input; `instructions` are not searched."""
    kind = ((request.body.get("text") or EMPTY_OBJECT).get("format") or EMPTY_OBJECT).get("type")
    if kind != "json_object":
        return
    contents = [item["content"] for item in context if "role" in item]
    texts = [
        text
        for content in contents
        for text in ([content] if isinstance(content, str) else [part.get("text") or "" for part in content])
    ]
    if not any("json" in text.lower() for text in texts):
        text = (
            "Response input messages must contain the word 'json' in some form "
            "to use 'text.format' of type 'json_object'."
        )
        raise errors.ServiceError(text, param="input")

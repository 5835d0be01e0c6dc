"""One create request: the table of its parameters, and the checked value everything else works with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from threadbridge.ports import Wire
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator import _validators as checks
from threadbridge_adapters.simulator._compaction import check_context_management
from threadbridge_adapters.simulator._items import check_items
from threadbridge_adapters.simulator._models import Family, Models, Sampling
from threadbridge_adapters.simulator._tools import (
    check_choice_against_tools,
    check_format,
    check_tool_choice,
    check_tools,
)
from threadbridge_adapters.simulator._validators import Check

LEAST_OUTPUT_TOKENS = 16
INCLUDABLE = (
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


def _input(path: str, value: Any) -> None:
    if isinstance(value, str):
        return
    if not isinstance(value, list):
        raise errors.wrong_type(path, "one of a string or array of objects", value)
    check_items(path, value)


def _include(path: str, value: Any) -> None:
    for index, name in enumerate(checks.array(path, value)):
        checks.one_of(*INCLUDABLE)(f"{path}[{index}]", name)
        if name == "message.output_text.logprobs":
            raise errors.not_simulated(f"{path}[{index}]")


def _conversation(path: str, value: Any) -> None:
    if isinstance(value, str):
        checks.identifier("conv")(path, value)
    else:
        checks.members(path, value, {"id": checks.identifier("conv")}, required=("id",))


def _refused(path: str, _value: Any) -> None:
    raise errors.not_simulated(path)


_SUMMARIES = checks.one_of("auto", "concise", "detailed")

#: Every parameter of `POST /v1/responses`. The last rows are known to the service and not played here.
PARAMETERS: Mapping[str, Check] = {
    "background": checks.boolean,
    "context_management": check_context_management,
    "conversation": _conversation,
    "include": _include,
    "input": _input,
    "instructions": checks.string(),
    "max_output_tokens": checks.integer(least=LEAST_OUTPUT_TOKENS),
    "max_tool_calls": checks.integer(least=1),
    "metadata": checks.metadata,
    "model": checks.string(),
    "parallel_tool_calls": checks.boolean,
    "previous_response_id": checks.identifier("resp"),
    "prompt_cache_key": checks.string(longest=64),
    "prompt_cache_options": checks.json_object,
    "prompt_cache_retention": checks.one_of("in_memory", "24h"),
    "reasoning": checks.shape(
        {
            "effort": checks.one_of(*EFFORTS),
            "summary": _SUMMARIES,
            "generate_summary": _SUMMARIES,
            "context": checks.one_of("auto", "current_turn", "all_turns"),
            "mode": checks.one_of("standard", "pro"),
        }
    ),
    "safety_identifier": checks.string(longest=64),
    "service_tier": checks.one_of(*_SERVICE_TIERS),
    "store": checks.boolean,
    "stream": checks.boolean,
    "stream_options": checks.shape({"include_obfuscation": checks.boolean}),
    "temperature": checks.decimal(least=0, most=2),
    "text": checks.shape({"format": check_format, "verbosity": checks.one_of("low", "medium", "high")}),
    "tool_choice": check_tool_choice,
    "tools": check_tools,
    "top_p": checks.decimal(least=0, most=1),
    "truncation": checks.one_of("auto", "disabled"),
    "user": checks.string(),
    "access_programs": _refused,
    "moderation": _refused,
    "prompt": _refused,
    "top_logprobs": _refused,
}


@dataclass(frozen=True, slots=True)
class Request:
    """A create request that has the right shape. Nulls are gone; `items` is `input` as a list."""

    body: Wire
    items: Sequence[Wire]
    family: Family

    @property
    def model(self) -> str:
        return str(self.body["model"])

    @property
    def tools(self) -> Sequence[Wire]:
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
    def obfuscated(self) -> bool:
        return bool((self.body.get("stream_options") or {}).get("include_obfuscation", True))

    @property
    def previous_response_id(self) -> str | None:
        return self.body.get("previous_response_id")

    @property
    def conversation_id(self) -> str | None:
        conversation = self.body.get("conversation")
        return conversation["id"] if isinstance(conversation, dict) else conversation

    @property
    def effort(self) -> str | None:
        """The reasoning effort in force; None for a model that does not reason."""
        return (self.body.get("reasoning") or {}).get("effort") or self.family.default_effort

    def includes(self, name: str) -> bool:
        """Whether the answer is to hold this too."""
        return name in (self.body.get("include") or ())

    @property
    def includes_encrypted_reasoning(self) -> bool:
        """Asked for, or the default of newer models when nothing is stored (§3)."""
        asked = self.includes("reasoning.encrypted_content")
        return asked or (not self.store and self.family.context == "all_turns")


def parse(raw: Any, models: Models, now: float) -> Request:
    """Check a request body's shape. Raises in the order the service does: schema first, then the model (§15)."""
    body = {key: value for key, value in checks.mapping("body", raw).items() if value is not None}
    checks.members("", body, PARAMETERS)
    if "model" not in body:
        raise errors.missing("model")
    _check_together(body)
    models.check_alive(body["model"], now)
    given = body.get("input", [])
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    return Request(body, items, models.family(body["model"]))


def _check_together(body: Wire) -> None:
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


def check_capabilities(request: Request) -> None:
    """What this model refuses (§13): efforts it lacks, sampling while it reasons, sealed reasoning without any."""
    family, body = request.family, request.body
    effort = (body.get("reasoning") or {}).get("effort")
    if not family.efforts:
        if effort is not None:
            raise errors.unsupported("reasoning.effort", code="unsupported_parameter")
        if "reasoning.encrypted_content" in (body.get("include") or ()):
            raise errors.ServiceError("Encrypted content is not supported with this model.", param="include")
    elif effort is not None and effort not in family.efforts:
        text = (
            f"Unsupported value: '{effort}' is not supported with the '{request.model}' model. "
            f"Supported values are: {errors.spoken(family.efforts)}."
        )
        raise errors.ServiceError(text, param="reasoning.effort", code="unsupported_value")
    if _samples(request):
        return
    for name in ("temperature", "top_p"):
        if name in body:
            raise errors.unsupported(name)


def _samples(request: Request) -> bool:
    if request.family.sampling is Sampling.WITHOUT_REASONING:
        return request.effort == "none"
    return request.family.sampling is Sampling.ALWAYS


def check_json_mentioned(request: Request, context: Sequence[Wire]) -> None:
    """§5: `json_object` wants the word JSON somewhere in the input."""
    kind = ((request.body.get("text") or {}).get("format") or {}).get("type")
    if kind != "json_object":
        return
    if "json" in str(request.body.get("instructions", "")).lower():
        return
    if not any("json" in str(item.get("content", "")).lower() for item in context):
        text = (
            "Response input messages must contain the word 'json' in some form "
            "to use 'text.format' of type 'json_object'."
        )
        raise errors.ServiceError(text, param="input")

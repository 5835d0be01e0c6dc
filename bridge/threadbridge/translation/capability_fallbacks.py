"""Adapts a request to a service: missing capabilities are emulated, or else left out with a warning."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, cast

from threadbridge.api_types import (
    AssistantTool,
    CreateResponseBody,
    InputContentPart,
    InputItem,
    ResponseTool,
    ResponseToolChoice,
    is_json_list,
)
from threadbridge.errors import ConfigurationError, Unsupported
from threadbridge.ports import UpstreamCapabilities
from threadbridge.settings import HistoryMode, MissingToolPolicy, ProfileName, Settings, TruncationSettings
from threadbridge.translation.hosted_tools.registry import HOSTED_TOOLS
from threadbridge.translation.tool_mapping import list_includes

_ENCRYPTED_REASONING = "reasoning.encrypted_content"


def apply_fallbacks(body: CreateResponseBody, profile: UpstreamCapabilities) -> list[str]:
    """Remove from the body what the service cannot do; returns a sentence for each thing that is lost.

    Only the top level of the body is changed.
    """
    warnings = [*_remove_missing_tools(body, profile), *_adapt_tool_choice(body, profile)]
    if not profile.store_parameter:
        body.pop("store", None)
    if not profile.encrypted_reasoning:
        _remove_includes(body, {_ENCRYPTED_REASONING})
    if not profile.compaction:
        body.pop("context_management", None)
    if not profile.files:
        warnings += _replace_file_images(body)
    return warnings


def reject_missing_tools(
    tools: Iterable[AssistantTool], profile: UpstreamCapabilities, policy: MissingToolPolicy
) -> None:
    """Raises Unsupported for a run with a hosted tool that the service lacks, where the policy is `refuse`."""
    missing = list_missing_tools((tool["type"] for tool in tools), profile)
    if missing and policy == "refuse":
        raise Unsupported(
            f"The upstream service does not support {missing[0]}, which is among this run's tools. Remove it from the "
            "tools, or set policies.missing_tool = 'leave_out' to create the run without it.",
            param="tools",
            code="unsupported_tool",
        )


def require_model_list(profile: UpstreamCapabilities, name: ProfileName) -> None:
    """Raises ConfigurationError for a service that does not list its models."""
    if not profile.model_list:
        raise ConfigurationError(
            f"According to the profile {name!r}, the upstream service does not list its models, so no request was "
            "sent. If it does list them, set upstream.capabilities.model_list = true."
        )


def require_compaction(truncation: TruncationSettings, profile: UpstreamCapabilities, name: ProfileName) -> None:
    """Raises ConfigurationError where the settings require compaction and the service has none."""
    if truncation.auto == "compact" and not profile.compaction:
        raise ConfigurationError(
            f"According to the profile {name!r}, the upstream service does not support compaction, which "
            "truncation.auto = 'compact' requires. Set truncation.auto = 'drop', or, if the service does support it, "
            "upstream.capabilities.compaction = true."
        )


def list_missing_tools(tool_types: Iterable[str], profile: UpstreamCapabilities) -> list[str]:
    """The types of hosted tools among these that the service lacks, each once, in order."""
    return [
        tool_type
        for tool_type in dict.fromkeys(tool_types)
        if (tool := HOSTED_TOOLS.get(tool_type)) is not None and not tool.is_supported(profile)
    ]


class EffectiveSettings(NamedTuple):
    """The settings that depend on the service, as it supports them; `warnings` say what was changed."""

    history: HistoryMode
    truncation: TruncationSettings
    warnings: tuple[str, ...]


def resolve_settings(settings: Settings, profile: UpstreamCapabilities) -> EffectiveSettings:
    """The settings adapted to the service. Raises ConfigurationError for a setting without a fallback."""
    require_compaction(settings.truncation, profile, settings.upstream.profile)
    truncation, counting_warning = resolve_token_counting(settings.truncation, profile)
    history, history_warning = resolve_history_mode(settings.history, profile)
    return EffectiveSettings(
        history, truncation, tuple(warning for warning in (counting_warning, history_warning) if warning is not None)
    )


def resolve_history_mode(mode: HistoryMode, profile: UpstreamCapabilities) -> tuple[HistoryMode, str | None]:
    """The history mode that the service supports, and a warning where it is not the configured one."""
    supported = {"local": True, "chained": profile.stored_responses, "conversation": profile.conversations}
    if supported[mode]:
        return mode, None
    lacking = {"chained": "responses", "conversation": "conversations"}[mode]
    return "local", (
        f"The upstream service does not store {lacking}, so history = '{mode}' falls back to 'local': every request "
        "contains the whole history."
    )


def resolve_token_counting(
    truncation: TruncationSettings, profile: UpstreamCapabilities
) -> tuple[TruncationSettings, str | None]:
    """The token counting that the service supports, and a warning where it is not the configured one."""
    if truncation.counting == "offline" or profile.input_tokens:
        return truncation, None
    return truncation.model_copy(update={"counting": "offline"}), (
        "The upstream service does not count tokens, so truncation.counting = 'exact' falls back to 'offline': tokens "
        "are counted locally."
    )


# -- Tools ---------------------------------------------------------------------------------------------------------


def _remove_missing_tools(body: CreateResponseBody, profile: UpstreamCapabilities) -> list[str]:
    tools = body.get("tools", [])
    missing = list_missing_tools((tool["type"] for tool in tools), profile)
    if not missing:
        return []
    remaining = [tool for tool in tools if tool["type"] not in missing]
    choice = body.get("tool_choice")
    if remaining:
        body["tools"] = remaining
        if not (choice is None or isinstance(choice, str) or any(_matches_choice(tool, choice) for tool in remaining)):
            body["tool_choice"] = "auto"
    else:  # the service rejects a choice without tools
        body.pop("tools", None)
        body.pop("tool_choice", None)
        body.pop("parallel_tool_calls", None)
    _remove_includes(body, set(list_includes(missing)))
    return [f"The upstream service does not support {kind}, so the tool is not sent to the model." for kind in missing]


def _matches_choice(tool: ResponseTool, choice: ResponseToolChoice) -> bool:
    if isinstance(choice, str) or tool["type"] != choice["type"]:
        return False
    return tool["type"] != "function" or choice["type"] != "function" or tool["name"] == choice["name"]


def _adapt_tool_choice(body: CreateResponseBody, profile: UpstreamCapabilities) -> list[str]:
    """Emulate a forced or required tool choice that the service does not support (S10).

    A tool can be forced by sending no other and requiring one; a single tool can be required by naming it.
    """
    choice, tools = body.get("tool_choice"), body.get("tools", [])
    if choice is not None and not isinstance(choice, str) and not profile.forced_tool_choice:
        body["tools"] = [tool for tool in tools if _matches_choice(tool, choice)]
        body["tool_choice"] = "required"
    elif choice == "required" and not profile.required_tool_choice:
        if profile.forced_tool_choice and len(tools) == 1:
            only = tools[0]
            named = {"type": "function", "name": only["name"]} if only["type"] == "function" else {"type": only["type"]}
            body["tool_choice"] = cast("ResponseToolChoice", named)
            return []
    else:
        return []
    if profile.required_tool_choice:
        return []
    body["tool_choice"] = "auto"
    return ["The upstream service cannot be required to call a tool, so the model may answer without a call."]


# -- The rest ------------------------------------------------------------------------------------------------------


def _remove_includes(body: CreateResponseBody, names: set[str]) -> None:
    remaining = [name for name in body.get("include", ()) if name not in names]
    if remaining:
        body["include"] = remaining
    else:
        body.pop("include", None)


def _replace_file_images(body: CreateResponseBody) -> list[str]:
    """Replace images by file ID with text, for a service without files; images by URL stay."""
    items = body.get("input", [])
    if isinstance(items, str):
        return []
    replaced: list[InputItem] = []
    is_changed = False
    for item in items:
        if item["type"] != "message" or item["role"] == "assistant" or not is_json_list(item["content"]):
            replaced.append(item)
            continue
        content: list[InputContentPart] = []
        for part in item["content"]:
            if part["type"] == "input_image" and "file_id" in part:
                content.append({"type": "input_text", "text": f"[image {part['file_id']}]"})
                is_changed = True
            else:
                content.append(part)
        replaced.append({**item, "content": content})
    if not is_changed:
        return []
    body["input"] = replaced
    return [
        "The upstream service does not store files, so the model gets the file IDs of images instead of the images."
    ]

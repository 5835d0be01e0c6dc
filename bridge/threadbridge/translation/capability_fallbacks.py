"""Adapts a request to a service: missing capabilities are emulated where possible, otherwise left out and named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from threadbridge.errors import ConfigurationError, Unsupported
from threadbridge.ports import UpstreamCapabilities, Wire
from threadbridge.settings import HistoryMode, MissingToolPolicy, ProfileName, Settings, TruncationSettings
from threadbridge.translation.hosted_tools.registry import HOSTED_TOOLS
from threadbridge.translation.tool_mapping import list_includes

_ENCRYPTED_REASONING = "reasoning.encrypted_content"


def apply_fallbacks(body: Wire, profile: UpstreamCapabilities) -> list[str]:
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


def reject_missing_tools(tools: Iterable[Wire], profile: UpstreamCapabilities, policy: MissingToolPolicy) -> None:
    """Raises Unsupported for a run with a hosted tool that the service lacks, where the policy is `refuse`."""
    missing = list(list_missing_tools(tools, profile))
    if missing and policy == "refuse":
        raise Unsupported(
            f"The service behind has no {missing[0]}, which this run's tools include. Take it from the tools, or let "
            "the run go without it: policies.missing_tool = 'leave_out'.",
            param="tools",
            code="unsupported_tool",
        )


def require_model_list(profile: UpstreamCapabilities, name: ProfileName) -> None:
    """Raises ConfigurationError for a service that does not list its models."""
    if not profile.model_list:
        raise ConfigurationError(
            f"The profile {name!r} says that the service does not list its models, so it was not asked; where it does, "
            "set upstream.capabilities.model_list = true."
        )


def require_compaction(truncation: TruncationSettings, profile: UpstreamCapabilities, name: ProfileName) -> None:
    """Raises ConfigurationError where the settings require compaction and the service has none."""
    if truncation.auto == "compact" and not profile.compaction:
        raise ConfigurationError(
            f"The profile {name!r} says that the service compacts nothing, which truncation.auto = 'compact' asks for: "
            "set it to 'drop', or, where the service does, upstream.capabilities.compaction = true."
        )


def list_missing_tools(tools: Iterable[Wire], profile: UpstreamCapabilities) -> Iterable[str]:
    """The types of the tools that the service lacks, each once, in order."""
    lacking = [tool.type for tool in HOSTED_TOOLS.values() if not tool.is_supported(profile)]
    return dict.fromkeys(tool["type"] for tool in tools if tool["type"] in lacking)


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
        f"The service behind keeps no {lacking}, so history = '{mode}' is done as 'local': every request has all of "
        "its history."
    )


def resolve_token_counting(
    truncation: TruncationSettings, profile: UpstreamCapabilities
) -> tuple[TruncationSettings, str | None]:
    """The token counting that the service supports, and a warning where it is not the configured one."""
    if truncation.counting == "offline" or profile.input_tokens:
        return truncation, None
    return truncation.model_copy(update={"counting": "offline"}), (
        "The service behind counts no tokens, so truncation.counting = 'exact' is done as 'offline': they are counted "
        "here."
    )


# -- Tools ---------------------------------------------------------------------------------------------------------


def _remove_missing_tools(body: Wire, profile: UpstreamCapabilities) -> list[str]:
    tools: Sequence[Wire] = body.get("tools", ())
    missing = list(list_missing_tools(tools, profile))
    if not missing:
        return []
    _set_tools(body, [tool for tool in tools if tool["type"] not in missing])
    _remove_includes(body, set(list_includes([{"type": kind} for kind in missing])))
    return [f"The service behind has no {kind}; the model is not told of it." for kind in missing]


def _set_tools(body: Wire, tools: list[Wire]) -> None:
    """Set the tools, and a choice among them; the service rejects a choice without tools."""
    choice = body.get("tool_choice")
    if not tools:
        for name in ("tools", "tool_choice", "parallel_tool_calls"):
            body.pop(name, None)
        return
    body["tools"] = tools
    if isinstance(choice, Mapping) and not any(_matches_choice(tool, choice) for tool in tools):
        body["tool_choice"] = "auto"


def _matches_choice(tool: Wire, choice: Mapping[str, Any]) -> bool:
    return tool["type"] == choice["type"] and ("name" not in choice or tool["name"] == choice["name"])


def _adapt_tool_choice(body: Wire, profile: UpstreamCapabilities) -> list[str]:
    """Emulate a forced or required tool choice that the service does not support (S10).

    A tool can be forced by sending no other and requiring one; a single tool can be required by naming it.
    """
    choice = body.get("tool_choice")
    if isinstance(choice, Mapping) and not profile.forced_tool_choice:
        body["tools"] = [tool for tool in body["tools"] if _matches_choice(tool, choice)]
        body["tool_choice"] = "required"
    elif choice == "required" and not profile.required_tool_choice:
        if profile.forced_tool_choice and len(body["tools"]) == 1:
            body["tool_choice"] = _build_choice(body["tools"][0])
            return []
    else:
        return []
    if profile.required_tool_choice:
        return []
    body["tool_choice"] = "auto"
    return ["The service behind cannot be told to use a tool; the model is free to answer without one."]


def _build_choice(tool: Wire) -> Wire:
    return {name: tool[name] for name in ("type", "name") if name in tool}


# -- The rest ------------------------------------------------------------------------------------------------------


def _remove_includes(body: Wire, names: set[str]) -> None:
    remaining = [name for name in body.get("include", ()) if name not in names]
    if remaining:
        body["include"] = remaining
    else:
        body.pop("include", None)


def _replace_file_images(body: Wire) -> list[str]:
    """Replace images by file ID with text, for a service without files; images by URL stay."""
    items = [_replace_item_images(item) for item in body["input"]]
    if all(new is old for new, old in zip(items, body["input"], strict=True)):
        return []
    body["input"] = items
    return ["The service behind has no files; the model reads the names of images in place of them."]


def _replace_item_images(item: Wire) -> Wire:
    content = item.get("content")
    if not isinstance(content, list) or not any(_is_file_image(part) for part in content):
        return item
    return {**item, "content": [_describe_image(part) if _is_file_image(part) else part for part in content]}


def _is_file_image(part: Wire) -> bool:
    return part["type"] == "input_image" and "file_id" in part


def _describe_image(part: Wire) -> Wire:
    return {"type": "input_text", "text": f"[image {part['file_id']}]"}

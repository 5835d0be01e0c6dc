"""What each Responses service can do, as data: one row for every profile (S1–S13)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from threadbridge.ports import UpstreamCapabilities
from threadbridge.settings import ProfileName, UpstreamSettings
from threadbridge.translation.hosted_tools.registry import HOSTED_TOOLS

#: OpenAI's own host; the hosts of its regions end with it (`eu.api.openai.com`).
_OPENAI_HOST = "api.openai.com"

#: The names of all capabilities, in the order of tables.
CAPABILITIES: tuple[str, ...] = tuple(
    field.name for field in fields(UpstreamCapabilities) if field.name != "other_tools"
)


def _build_profile(*capabilities: str) -> UpstreamCapabilities:
    row: dict[str, Any] = {name: name in capabilities for name in CAPABILITIES}
    return UpstreamCapabilities(**row)


#: Every profile by its name: what was observed of a server, or else what is safe to assume.
PROFILES: Mapping[ProfileName, UpstreamCapabilities] = {
    "openai": UpstreamCapabilities(),
    "azure": replace(UpstreamCapabilities(), input_tokens=False, compaction=False, model_list=False),
    "foundry": replace(UpstreamCapabilities(), input_tokens=False, compaction=False, model_list=False),
    "vllm": _build_profile("store_parameter", "forced_tool_choice", "required_tool_choice", "model_list"),
    "ollama": _build_profile("store_parameter", "model_list"),
    "llamacpp": _build_profile("store_parameter", "forced_tool_choice", "required_tool_choice", "model_list"),
    "litellm": _build_profile("store_parameter", "forced_tool_choice", "required_tool_choice", "model_list"),
    "generic": _build_profile("store_parameter", "forced_tool_choice"),
    "ogx": _build_profile(
        "stored_responses",
        "conversations",
        "background",
        "store_parameter",
        "files",
        "file_search",
        "forced_tool_choice",
        "required_tool_choice",
        "model_list",
    ),
}


def get_effective_capabilities(
    upstream: UpstreamSettings, reported: UpstreamCapabilities, *, hosted_tools: bool = True
) -> UpstreamCapabilities:
    """What may be requested from the configured upstream: what both its profile and its adapter say it can do.

    `reported` is what the adapter says (`Upstream.capabilities`); settings override both, one by one.
    """
    profile = PROFILES[upstream.profile]
    common = {name: getattr(profile, name) and getattr(reported, name) for name in CAPABILITIES}
    capabilities = UpstreamCapabilities(**common, other_tools=reported.other_tools)
    return _override(capabilities, upstream, hosted_tools=hosted_tools)


def get_profile(upstream: UpstreamSettings, *, hosted_tools: bool = True) -> UpstreamCapabilities:
    """The capabilities of the configured service: those of its profile, with single ones overridden by settings.

    Without `hosted_tools` it has no hosted tools and no files, whatever the settings say.
    """
    return _override(PROFILES[upstream.profile], upstream, hosted_tools=hosted_tools)


def serves_openai_models(upstream: UpstreamSettings, *, host: str) -> bool:
    """Whether the model names of this upstream are OpenAI's, so that OpenAI's retirements and rules apply to them.

    Elsewhere a name belongs to a deployment, an alias or a local model, which may be any model. A configured profile
    decides; without one, the host of the service does.
    """
    if "profile" in upstream.model_fields_set:
        return upstream.profile == "openai"
    return is_openai_host(host)


def is_openai_host(host: str) -> bool:
    """Whether the service at this host is OpenAI's own."""
    return host == _OPENAI_HOST or host.endswith(f".{_OPENAI_HOST}")


def _override(
    capabilities: UpstreamCapabilities, upstream: UpstreamSettings, *, hosted_tools: bool
) -> UpstreamCapabilities:
    configured = replace(capabilities, **upstream.capabilities.model_dump(exclude_none=True))
    if hosted_tools:
        return configured
    lacking = {tool.capability: False for tool in HOSTED_TOOLS.values() if tool.capability in CAPABILITIES}
    return replace(configured, files=False, other_tools=frozenset(), **lacking)

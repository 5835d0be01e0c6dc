"""What a Responses service can do, as data: one row for every profile. Nobody asks a service in hope (S1–S13)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from threadbridge.settings import ProfileName, UpstreamSettings


@dataclass(frozen=True, slots=True)
class ProviderProfile:
    """The abilities of one service. What is False is emulated, or left out by name, and never sent."""

    #: `store: true` keeps a response, and only a kept one can be gone on from (S11).
    stored_responses: bool = True
    #: `/conversations`.
    conversations: bool = True
    #: `background: true` answers at once with a response that is not finished (S7). No run of ours asks for that.
    background: bool = True
    #: `store` may be said at all.
    store_parameter: bool = True
    #: Files, of which messages show images.
    files: bool = True
    #: Vector stores and the tool that searches them (S12).
    file_search: bool = True
    #: Containers and the tool that runs code in them (S12).
    code_interpreter: bool = True
    #: `/responses/input_tokens` (S9).
    input_tokens: bool = True
    #: The service makes summaries of long histories (S9).
    compaction: bool = True
    #: Reasoning can be had encrypted, to be sent back.
    encrypted_reasoning: bool = True
    #: `tool_choice` may name a tool (S10).
    forced_tool_choice: bool = True
    #: `tool_choice` may be `required` (S10).
    required_tool_choice: bool = True
    #: `/models` (S9).
    model_list: bool = True
    #: `prompt_cache_key` may be said.
    prompt_cache_key: bool = True


#: The names of all capabilities, in the order of tables.
CAPABILITIES: tuple[str, ...] = tuple(field.name for field in fields(ProviderProfile))


def _build_profile(*capabilities: str) -> ProviderProfile:
    return ProviderProfile(**{name: name in capabilities for name in CAPABILITIES})


#: Every profile by its name. Servers that were seen have what was seen of them; the others what is safe to rely on.
PROFILES: Mapping[ProfileName, ProviderProfile] = {
    "openai": ProviderProfile(),
    "azure": replace(ProviderProfile(), input_tokens=False, compaction=False, model_list=False),
    "foundry": replace(ProviderProfile(), input_tokens=False, compaction=False, model_list=False),
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


def get_profile(upstream: UpstreamSettings, *, hosted_tools: bool = True) -> ProviderProfile:
    """The abilities of the configured service: its profile's, but for those that are set one by one.

    Without `hosted_tools` it has none, nor the files they work on, whatever else is said.
    """
    profile = replace(PROFILES[upstream.profile], **upstream.capabilities.model_dump(exclude_none=True))
    return profile if hosted_tools else replace(profile, files=False, file_search=False, code_interpreter=False)

"""Which profile a service deserves, and where that one is still wrong about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from threadbridge.doctor.capability_detection import DetectionResult
from threadbridge.ports import UpstreamCapabilities
from threadbridge.settings import CapabilitySettings, ProfileName
from threadbridge.translation.provider_profiles import CAPABILITIES, PROFILES, is_openai_host

#: The endings of the hosts of services that have a profile, besides OpenAI's.
_PROFILES_BY_HOST: Mapping[str, ProfileName] = {
    ".openai.azure.com": "azure",
    ".cognitiveservices.azure.com": "azure",
    ".services.ai.azure.com": "foundry",
}


@dataclass(frozen=True, slots=True)
class ProfileMatch:
    """The profile, why it and no other, and the capabilities to be set beside it."""

    profile: ProfileName
    reason: str
    overrides: Mapping[str, bool]

    @property
    def capabilities(self) -> CapabilitySettings:
        """The overrides as settings."""
        return CapabilitySettings.model_validate(self.overrides)

    def to_toml(self) -> str:
        """What to put into `threadbridge.toml`."""
        lines = ["[upstream]", f'profile = "{self.profile}"']
        if self.overrides:
            lines += ["", "[upstream.capabilities]"]
            lines += [f"{name} = {str(found).lower()}" for name, found in self.overrides.items()]
        return "\n".join(lines)


def match_profile(detection: DetectionResult, host: str) -> ProfileMatch:
    """The profile of the server it says it is, or is known by its host to be; else the one that differs least.

    Where several are as near, nobody knows which it is, and it is `generic`.
    """
    by_host = _find_profile_by_host(host)
    if by_host is not None:
        return _build_match(by_host, f"it is at {host}", detection)
    if detection.identity is not None:
        return _build_match(detection.identity, "its list of models says so", detection)
    distances = {name: len(_find_overrides(profile, detection)) for name, profile in PROFILES.items()}
    nearest: list[ProfileName] = [name for name in PROFILES if distances[name] == min(distances.values())]
    if len(nearest) > 1:
        return _build_match("generic", f"it might be any of {', '.join(nearest)}", detection)
    return _build_match(nearest[0], "it is nearest to what was found", detection)


def _find_profile_by_host(host: str) -> ProfileName | None:
    if is_openai_host(host):
        return "openai"
    return next((name for end, name in _PROFILES_BY_HOST.items() if host.endswith(end)), None)


def _build_match(name: ProfileName, reason: str, detection: DetectionResult) -> ProfileMatch:
    return ProfileMatch(name, reason, _find_overrides(PROFILES[name], detection))


def _find_overrides(profile: UpstreamCapabilities, detection: DetectionResult) -> Mapping[str, bool]:
    """What was found otherwise than the profile says, in the order of tables."""
    found = {name: detection.findings[name].is_supported for name in CAPABILITIES if name in detection.findings}
    return {name: has for name, has in found.items() if has is not None and has != getattr(profile, name)}

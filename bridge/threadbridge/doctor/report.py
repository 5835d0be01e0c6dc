"""The report of the doctor: the profile that matches a service, where it is wrong, and all findings and warnings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from threadbridge.api_types import JsonObject
from threadbridge.doctor.capability_detection import DetectionResult
from threadbridge.doctor.config_lint import LintWarning
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
    """The matching profile, the reason for it, and the capabilities to override."""

    profile: ProfileName
    reason: str
    overrides: Mapping[str, bool]

    @property
    def capabilities(self) -> CapabilitySettings:
        """The overrides as settings."""
        return CapabilitySettings.model_validate(self.overrides)

    def to_toml(self) -> str:
        """The section for `threadbridge.toml`."""
        lines = ["[upstream]", f'profile = "{self.profile}"']
        if self.overrides:
            lines += ["", "[upstream.capabilities]"]
            lines += [f"{name} = {str(found).lower()}" for name, found in self.overrides.items()]
        return "\n".join(lines)


def match_profile(detection: DetectionResult, host: str) -> ProfileMatch:
    """The profile by the host or the identity of the server; otherwise the one with the fewest overrides.

    If several profiles have as few, it is `generic`.
    """
    by_host: ProfileName | None = "openai" if is_openai_host(host) else None
    by_host = by_host or next((name for end, name in _PROFILES_BY_HOST.items() if host.endswith(end)), None)
    if by_host is not None:
        return _build_match(by_host, f"its host is {host}", detection)
    if detection.identity is not None:
        return _build_match(detection.identity, "its list of models identifies it", detection)
    distances = {name: len(_find_overrides(profile, detection)) for name, profile in PROFILES.items()}
    nearest: list[ProfileName] = [name for name in PROFILES if distances[name] == min(distances.values())]
    if len(nearest) > 1:
        return _build_match("generic", f"it could be any of {', '.join(nearest)}", detection)
    return _build_match(nearest[0], "it is the closest to the findings", detection)


def _build_match(name: ProfileName, reason: str, detection: DetectionResult) -> ProfileMatch:
    return ProfileMatch(name, reason, _find_overrides(PROFILES[name], detection))


def _find_overrides(profile: UpstreamCapabilities, detection: DetectionResult) -> Mapping[str, bool]:
    """The findings that differ from the profile, in the order of `CAPABILITIES`."""
    found = {name: detection.findings[name].is_supported for name in CAPABILITIES if name in detection.findings}
    return {name: has for name, has in found.items() if has is not None and has != getattr(profile, name)}


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """Everything that `threadbridge doctor` found. `service` is its address without secrets."""

    service: str
    configured_profile: str
    detection: DetectionResult
    profile_match: ProfileMatch
    warnings: Sequence[LintWarning]

    def to_json(self) -> JsonObject:
        """The report as a JSON object; `found` is null if a probe could not tell."""
        findings = self.detection.findings
        return {
            "service": self.service,
            "model": self.detection.model,
            "profile": self.profile_match.profile,
            "why": self.profile_match.reason,
            "configured_profile": self.configured_profile,
            "capabilities": {
                name: {"found": findings[name].is_supported, "why": findings[name].reason} for name in CAPABILITIES
            },
            "overrides": dict(self.profile_match.overrides),
            "quirks": list(self.detection.quirks),
            "warnings": [{"kind": each.kind, "message": each.message} for each in self.warnings],
        }

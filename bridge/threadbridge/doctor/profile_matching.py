"""Which profile a service deserves, and where that one is still wrong about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from threadbridge.doctor.capability_detection import Examination
from threadbridge.settings import CapabilitySettings, ProfileName
from threadbridge.translation.provider_profiles import CAPABILITIES, PROFILES, Profile

#: The hosts of services that have a profile, or their endings.
_HOSTS: Mapping[str, ProfileName] = {
    "api.openai.com": "openai",
    ".openai.azure.com": "azure",
    ".cognitiveservices.azure.com": "azure",
    ".services.ai.azure.com": "foundry",
}


@dataclass(frozen=True, slots=True)
class Fit:
    """The profile, why it and no other, and the capabilities to be set beside it."""

    profile: ProfileName
    why: str
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


def fitted(examination: Examination, host: str) -> Fit:
    """The profile of the server it says it is, or is known by its host to be; else the one that differs least.

    Where several are as near, nobody knows which it is, and it is `generic`.
    """
    by_host: ProfileName | None = next((name for end, name in _HOSTS.items() if _ends_with(host, end)), None)
    if by_host is not None:
        return _fit(by_host, f"it is at {host}", examination)
    if examination.identity is not None:
        return _fit(examination.identity, "its list of models says so", examination)
    distances = {name: len(_differences(profile, examination)) for name, profile in PROFILES.items()}
    nearest: list[ProfileName] = [name for name in PROFILES if distances[name] == min(distances.values())]
    if len(nearest) > 1:
        return _fit("generic", f"it might be any of {', '.join(nearest)}", examination)
    return _fit(nearest[0], "it is nearest to what was found", examination)


def _ends_with(host: str, end: str) -> bool:
    return host.endswith(end) if end.startswith(".") else host == end


def _fit(name: ProfileName, why: str, examination: Examination) -> Fit:
    return Fit(name, why, _differences(PROFILES[name], examination))


def _differences(profile: Profile, examination: Examination) -> Mapping[str, bool]:
    """What was found otherwise than the profile says, in the order of tables."""
    found = {name: examination.findings[name].found for name in CAPABILITIES if name in examination.findings}
    return {name: has for name, has in found.items() if has is not None and has != getattr(profile, name)}

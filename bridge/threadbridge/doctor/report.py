"""A diagnosis as it is told: what the service can do, the profile it deserves, and what goes wrong silently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from threadbridge.doctor.capability_detection import DetectionResult
from threadbridge.doctor.config_lint import LintWarning
from threadbridge.doctor.profile_matching import ProfileMatch
from threadbridge.translation.provider_profiles import CAPABILITIES


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """Everything `threadbridge doctor` found. `service` is where it is, without what is secret in a URL."""

    service: str
    configured_profile: str
    detection: DetectionResult
    profile_match: ProfileMatch
    warnings: Sequence[LintWarning]

    def to_json(self) -> dict[str, Any]:
        """The diagnosis as a JSON object; `found` is null where asking did not tell."""
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
            "habits": list(self.detection.quirks),
            "traps": [{"kind": trap.kind, "sentence": trap.message} for trap in self.warnings],
        }

"""A diagnosis as it is told: what the service can do, the profile it deserves, and what goes wrong silently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from threadbridge.doctor.capability_detection import Examination
from threadbridge.doctor.config_lint import Trap
from threadbridge.doctor.profile_matching import Fit
from threadbridge.translation.provider_profiles import CAPABILITIES


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything `threadbridge doctor` found. `service` is where it is, without what is secret in a URL."""

    service: str
    configured: str
    examination: Examination
    fit: Fit
    traps: Sequence[Trap]

    def to_json(self) -> dict[str, Any]:
        """The diagnosis as a JSON object; `found` is null where asking did not tell."""
        findings = self.examination.findings
        return {
            "service": self.service,
            "model": self.examination.model,
            "profile": self.fit.profile,
            "why": self.fit.why,
            "configured_profile": self.configured,
            "capabilities": {name: {"found": findings[name].found, "why": findings[name].why} for name in CAPABILITIES},
            "overrides": dict(self.fit.overrides),
            "habits": list(self.examination.quirks),
            "traps": [{"kind": trap.kind, "sentence": trap.sentence} for trap in self.traps],
        }

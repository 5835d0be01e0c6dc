"""An audit as SARIF 2.1.0, which code hosts and editors show next to the code."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib.metadata import version
from urllib.parse import quote

from threadbridge.api_types import JsonObject, JsonValue
from threadbridge_migrate.audit.call_site import AuditReport, CallSite, FileReport, Position
from threadbridge_migrate.audit.caveats import CAVEATS
from threadbridge_migrate.audit.report import describe_model

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def build_sarif(report: AuditReport) -> JsonObject:
    """The report as one run. Paths are relative to the audited folder; skipped files are notifications."""
    rules = [*_build_rules()]
    indices = {rule["id"]: index for index, rule in enumerate(rules)}
    results: list[JsonValue] = []
    for file in report.files:
        for rule, level, message, position in _iterate_findings(file):
            results.append(_build_result(rule, indices[rule], level, message, file.path, position))
    notifications: list[JsonValue] = [
        {
            "level": "note",
            "message": {"text": f"Skipped: {skipped.reason}."},
            "locations": [{"physicalLocation": {"artifactLocation": _build_artifact(skipped.path)}}],
        }
        for skipped in report.skipped
    ]
    run: JsonObject = {
        "tool": {
            "driver": {
                "name": "threadbridge migrate audit",
                "semanticVersion": version("threadbridge"),
                "rules": [*rules],
            }
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": notifications}],
        "properties": {"effort": report.effort.label, "lines": report.scanned_lines},
        "results": results,
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _build_rules() -> Iterator[JsonObject]:
    yield _build_rule("call-site", "note", "A use of the Assistants API, and the doors of ThreadBridge that serve it.")
    yield _build_rule("retired-model", "warning", "A model that ended or has a day on which it will end.")
    for caveat in CAVEATS.values():
        yield _build_rule(caveat.id, caveat.level, caveat.text)


def _build_rule(name: str, level: str, text: str) -> JsonObject:
    return {"id": name, "shortDescription": {"text": text}, "defaultConfiguration": {"level": level}}


def _iterate_findings(file: FileReport) -> Iterator[tuple[str, str, str, Position]]:
    for site in file.call_sites:
        yield "call-site", "note", _describe(site), site.position
    for use in file.caveats:
        caveat = CAVEATS[use.caveat]
        yield caveat.id, caveat.level, caveat.text, use.position
    for model in file.models:
        if model.row.state != "current":
            level = "warning" if model.row.state == "retired" else "note"
            yield "retired-model", level, f"{describe_model(model.row)}.", model.position


def _describe(site: CallSite) -> str:
    if not site.doors:
        return f"{site.kind}: no door serves this call unchanged."
    return f"{site.kind}: served unchanged by {', '.join(site.doors)} ({site.client})."


def _build_result(rule: str, index: int, level: str, message: str, path: str, position: Position) -> JsonObject:
    region: JsonObject = {"startLine": position.line, "startColumn": position.column}
    fingerprint = hashlib.sha256(f"{rule}\0{path}\0{message}\0{position.line}".encode()).hexdigest()
    return {
        "ruleId": rule,
        "ruleIndex": index,
        "level": level,
        "message": {"text": message},
        "locations": [{"physicalLocation": {"artifactLocation": _build_artifact(path), "region": region}}],
        "partialFingerprints": {"threadbridge/v1": fingerprint},
    }


def _build_artifact(path: str) -> JsonObject:
    return {"uri": quote(path)}

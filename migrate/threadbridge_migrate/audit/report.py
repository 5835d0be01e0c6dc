"""An audit as text and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from threadbridge.api_types import JsonObject
from threadbridge.translation.models.listing import ModelRow
from threadbridge_migrate.audit.call_site import AuditReport, CallSite, CaveatUse, FileReport, list_models
from threadbridge_migrate.audit.caveats import CAVEATS

#: Skipped files that the text names; JSON has all.
_MAX_SKIPPED = 10
_EFFORTS = {
    "none": "nothing to do",
    "one-line": "only the construction of the client or its base URL changes",
    "review": "the same, and the caveats need a decision",
    "rework": "some code has to change",
}


def format_text(report: AuditReport) -> Iterator[str]:
    """The lines of the report for people."""
    for file in report.files:
        yield f"{file.path}: {_count(len(file.call_sites), 'call site')}, effort {file.effort.label}"
        for site in file.call_sites:
            doors = ", ".join(site.doors) or "no door"
            yield f"  {file.path}:{site.position.line}:{site.position.column}: {site.kind} [{doors}] {site.text}"
        for use in file.caveats:
            caveat = CAVEATS[use.caveat]
            yield f"  {file.path}:{use.position.line}:{use.position.column}: {caveat.level} {caveat.id}: {caveat.text}"
        for model in file.models:
            where = f"{file.path}:{model.position.line}:{model.position.column}"
            yield f"  {where}: model {describe_model(model.row)}"
    if report.files:
        yield ""
    models = [row for row in list_models(report.files) if row.state != "current"]
    if models:
        yield "Models: " + "; ".join(describe_model(row) for row in models) + "."
    operations = Counter(site.kind for file in report.files for site in file.call_sites)
    if operations:
        yield "Operations: " + ", ".join(f"{name} {count}" for name, count in operations.most_common()) + "."
    if report.unrelated:
        name, position, _ = report.unrelated[0]
        yield (
            f"{_count(len(report.unrelated), 'call')} only looked alike, since no file here uses an OpenAI client "
            f"(the first: {name}:{position.line}). Audit the folder that creates the client to include them."
        )
    for skipped in report.skipped[:_MAX_SKIPPED]:
        yield f"Skipped {skipped.path}: {skipped.reason}."
    if len(report.skipped) > _MAX_SKIPPED:
        yield f"Skipped {len(report.skipped) - _MAX_SKIPPED} more; --json names them."
    yield (
        f"{_count(report.call_sites, 'call site')} in {_count(len(report.files), 'file')} "
        f"({_count(report.scanned_files, 'file')}, {report.scanned_lines} lines scanned). "
        f"Effort: {report.effort.label}, {_EFFORTS[report.effort.label]}."
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def describe_model(row: ModelRow) -> str:
    """A model, the day on which it ends, and its replacement."""
    if row.shutdown_date is None:
        return f"{row.model} (no end known)"
    verb = "ended" if row.state == "retired" else "ends"
    replacement = f", replaced by {row.replacement}" if row.replacement else ", no replacement known"
    return f"{row.model} ({verb} {row.shutdown_date}{replacement})"


def build_json(report: AuditReport) -> JsonObject:
    """The whole report as JSON (docs/reference/migrate.md)."""
    return {
        "path": report.root,
        "call_sites": report.call_sites,
        "effort": report.effort.label,
        "scanned": {"files": report.scanned_files, "lines": report.scanned_lines},
        "models": [row.to_json() for row in list_models(report.files)],
        "files": [_build_file(file) for file in report.files],
        "unrelated": [
            {"path": name, "line": position.line, "column": position.column, "text": text}
            for name, position, text in report.unrelated
        ],
        "skipped": [{"path": skipped.path, "reason": skipped.reason} for skipped in report.skipped],
    }


def _build_file(file: FileReport) -> JsonObject:
    return {
        "path": file.path,
        "language": file.language,
        "effort": file.effort.label,
        "call_sites": [_build_site(site, file) for site in file.call_sites],
        "caveats": [_build_caveat(use) for use in file.caveats],
        "models": [
            {"line": use.position.line, "column": use.position.column, **use.row.to_json()} for use in file.models
        ],
    }


def _build_site(site: CallSite, file: FileReport) -> JsonObject:
    within = [use for use in file.models if site.position.line <= use.position.line <= site.end_line]
    return {
        "kind": site.kind,
        "operations": list(site.operations),
        "line": site.position.line,
        "column": site.position.column,
        "client": site.client,
        "doors": list(site.doors),
        "models": sorted({use.row.model for use in within}),
        "text": site.text,
    }


def _build_caveat(use: CaveatUse) -> JsonObject:
    caveat = CAVEATS[use.caveat]
    return {
        "id": caveat.id,
        "level": caveat.level,
        "line": use.position.line,
        "column": use.position.column,
        "found": use.text,
        "text": caveat.text,
        "page": caveat.page,
    }

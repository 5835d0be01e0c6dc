"""The audit of a code base: files are read one after the other, and only those with words of the API are parsed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from threadbridge.translation.models.listing import build_model_row
from threadbridge.translation.models.resolution import ModelPolicy
from threadbridge_migrate.audit import caveats, http_requests
from threadbridge_migrate.audit.call_site import (
    AuditReport,
    CallSite,
    CaveatUse,
    Door,
    Effort,
    FileReport,
    ModelUse,
    Position,
    SkippedFile,
)
from threadbridge_migrate.audit.client_names import FAMILIES, FOUNDRY_NAME, ClientNames, imports_client
from threadbridge_migrate.audit.http_requests import REQUEST_WORDS, HttpRequest
from threadbridge_migrate.audit.languages import LANGUAGES, Language
from threadbridge_migrate.audit.member_chains import find_chains, find_nodes
from threadbridge_migrate.audit.model_names import find_models
from threadbridge_migrate.audit.sdk_calls import FRAMEWORKS, SdkCall, find_sdk_calls, may_contain_calls
from threadbridge_migrate.audit.source_files import SourceFile, read_source_file, read_source_files
from threadbridge_migrate.errors import UsageError

if TYPE_CHECKING:
    from ast_grep_py import SgNode, SgRoot

_MAX_TEXT = 120
_FRAMEWORK = re.compile(rf"\b(?:{'|'.join(FRAMEWORKS)})\b")


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A file that may contain calls; its text is read again, so that memory does not grow with the code."""

    path: Path
    name: str
    language: str


def audit(root: Path, *, today: date | None = None) -> AuditReport:
    """The call sites of all source files below `root`, or of the file `root`.

    Raises UsageError if there is no such path, or if the parser (extra `audit`) is not installed.
    """
    parse = load_parser()
    report = AuditReport(str(root))
    candidates, families, modules = _read_all(root, report)
    policy, day = ModelPolicy(), today or datetime.now(UTC).date()
    for candidate in candidates:
        source = read_source_file(candidate.path, candidate.name, candidate.language, lambda _: None)
        if source is None:
            continue
        scan = _FileScan(source, parse, modules, policy, day)
        scan.run(is_client_project=FAMILIES.get(source.language) in families)
        report.unrelated += scan.unrelated
        if scan.has_errors and (scan.report.call_sites or scan.unrelated):
            report.skipped.append(scan.describe_errors())
        if scan.report.call_sites:
            report.files.append(scan.report)
    return report


def load_parser() -> type[SgRoot]:
    """The parser. Raises UsageError if it is not installed."""
    try:
        from ast_grep_py import SgRoot
    except ImportError:
        raise UsageError("The audit needs a parser: pip install 'threadbridge[audit]'.") from None
    return SgRoot


def _read_all(root: Path, report: AuditReport) -> tuple[list[_Candidate], set[str], set[str]]:
    """Files with words of the API, the families of languages that use a client, and the Python modules of the tree."""
    candidates: list[_Candidate] = []
    families: set[str] = set()
    modules: set[str] = set()
    for source in read_source_files(root, report.skipped.append):
        report.scanned_files += 1
        report.scanned_lines += source.text.count("\n") + 1
        if source.language == "python":
            modules |= {part.removesuffix(".py") for part in Path(source.name).parts}
        if imports_client(source.text, source.language):
            families.add(FAMILIES[source.language])
        language = LANGUAGES.get(source.language)
        if REQUEST_WORDS.search(source.text) or (language is not None and may_contain_calls(source.text, language)):
            candidates.append(_Candidate(source.path, source.name, source.language))
    return candidates, families, modules


class _FileScan:
    """The scan of one file."""

    def __init__(
        self, source: SourceFile, parse: type[SgRoot], modules: set[str], policy: ModelPolicy, today: date
    ) -> None:
        self.source = source
        self.report = FileReport(source.name, source.language)
        self.unrelated: list[tuple[str, Position, str]] = []
        self.has_errors = False
        self._parse = parse
        self._modules = modules
        self._policy = policy
        self._today = today

    def run(self, *, is_client_project: bool) -> None:
        """Fill the report. `is_client_project`: another file of the code base uses a client in a similar language."""
        source = self.source
        language = LANGUAGES.get(source.language)
        if language is None:
            self._add_requests(http_requests.find_requests_in_text(source.text))
            self._add_caveats(re.sub(r"(?m)^[ \t]*(?:#|//|--).*$", lambda line: " " * len(line[0]), source.text))
        else:
            root = self._parse(source.text, language.name).root()
            if language.names:
                self._add_calls(root, language, is_client_project=is_client_project)
            if REQUEST_WORDS.search(source.text):
                self._add_requests(http_requests.find_requests(root, source.text, language))
            if not self.report.call_sites and not self.unrelated:
                return
            self.has_errors = root.find(kind="ERROR") is not None
            self._add_models(root, language)
            self._add_caveats(_blank_comments(root, source.text, language))
        self.report.call_sites.sort(key=lambda site: site.position)
        self.report.caveats.sort(key=lambda use: (use.position, use.caveat))
        self.report.effort = _estimate_effort(self.report)

    def describe_errors(self) -> SkippedFile:
        """The item for a file that is not valid in its language."""
        return SkippedFile(self.source.name, "has syntax errors; call sites near them may be missing")

    def _add_calls(self, root: SgNode, language: Language, *, is_client_project: bool) -> None:
        names = ClientNames(self.source.text, language.name, self._modules)
        for call in find_sdk_calls(root, self.source.text, language, names):
            first, last = call.chain.nodes[0].range().start, call.node.range().end
            position = self._locate(first.line, first.column)
            text = _shorten(call.node.text())
            if not call.is_certain and not is_client_project:
                self.unrelated.append((self.source.name, position, text))
                continue
            is_resource_gone = not call.operations
            doors = () if is_resource_gone else _list_doors(call, names, language)
            end = self._locate(last.line, 0).line
            self.report.call_sites.append(CallSite(call.operations, position, text, call.client, doors, end))
            self._add_call_caveats(call, position)
        if names.imports_client or is_client_project:
            self._add_frameworks(root, language)

    def _add_call_caveats(self, call: SdkCall, position: Position) -> None:
        method = call.chain.names[call.index] if call.index < len(call.chain.names) else ""
        found = list(caveats.find_in_call(call.operations, method, call.node.text(), _get_context(call.node)))
        if not call.operations:
            found.append(
                "assistant-files" if "files" in [name.lower() for name in call.chain.names] else "unknown-operation"
            )
        if call.chain.names[0] == "openai" and self.source.language == "python":
            found.append("module-client")
        self.report.caveats += [CaveatUse(caveat, position, _shorten(call.node.text())) for caveat in found]

    def _add_frameworks(self, root: SgNode, language: Language) -> None:
        if _FRAMEWORK.search(self.source.text) is None:
            return
        if re.search(rf"\bclass\s+{_FRAMEWORK.pattern}", self.source.text) is not None:
            return  # the framework itself
        for chain in find_chains(root, language, f"^(?:{_FRAMEWORK.pattern})$"):
            name, first, top = chain.names[0], chain.nodes[0], chain.nodes[-1]
            if len(chain.names) == 1:
                top = chain.find_call(0, language)
            if name not in FRAMEWORKS or top.range().end.index == first.range().end.index:
                continue
            position = self._locate(first.range().start.line, first.range().start.column)
            text = _shorten(top.text())
            self.report.call_sites.append(CallSite((), position, text, FRAMEWORKS[name], ("gateway",), position.line))
            self.report.caveats.append(CaveatUse("framework", position, name))

    def _add_requests(self, requests: Iterator[HttpRequest]) -> None:
        for request in requests:
            position = self._locate(request.line, request.column)
            doors: tuple[Door, ...] = ("gateway",) if request.operations else ()
            text = _shorten(request.text)
            end = self._locate(request.end_line, 0).line
            self.report.call_sites.append(CallSite(request.operations, position, text, "http", doors, end))
            if not request.operations:
                self.report.caveats.append(CaveatUse("unknown-operation", position, text))

    def _add_models(self, root: SgNode, language: Language) -> None:
        for name, node in find_models(root, language):
            start = node.range().start
            row = build_model_row(name, self._policy, self._today)
            self.report.models.append(ModelUse(self._locate(start.line, start.column), row))

    def _add_caveats(self, code: str) -> None:
        for caveat, offset, text in caveats.find_by_pattern(code):
            line = code.count("\n", 0, offset)
            column = offset - (code.rfind("\n", 0, offset) + 1)
            self.report.caveats.append(CaveatUse(caveat, self._locate(line, column), text))

    def _locate(self, line: int, column: int) -> Position:
        return self.source.locate(line, column)


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MAX_TEXT else f"{line[: _MAX_TEXT - 1]}…"


def _get_context(node: SgNode) -> str:
    """The statement around a call, in which a time limit would be."""
    for ancestor in node.ancestors()[:8]:
        if re.search(r"statement|declaration|assignment$", ancestor.kind()):
            return ancestor.text()[:1000]
    return node.text()[:1000]


def _blank_comments(root: SgNode, text: str, language: Language) -> str:
    """The text with spaces for comments and for docstrings, so that offsets stay."""
    spans = [node.range() for node in find_nodes(root, language.comments)]
    if language.name == "python":
        spans += [node.range() for node in find_nodes(root, {"expression_statement"}, r"^[rRuU]?[\"']")]
    parts: list[str] = []
    end = 0
    for first, last in sorted((span.start.index, span.end.index) for span in spans):
        if first >= end:
            parts += [text[end:first], re.sub(r"[^\n]", " ", text[first:last])]
            end = last
    return "".join([*parts, text[end:]])


def _list_doors(call: SdkCall, names: ClientNames, language: Language) -> tuple[Door, ...]:
    """The doors that serve a call unchanged (README)."""
    if language.name != "python" or FOUNDRY_NAME.search(names.text) is not None:
        return ("gateway",)
    if call.chain.names[0] == "openai":  # the SDK's global client: there is no object to wrap
        return ("gateway",)
    return ("wrap", "gateway") if "AzureOpenAI" in names.text else ("openai_client", "wrap", "gateway")


def _estimate_effort(report: FileReport) -> Effort:
    levels = {caveats.CAVEATS[use.caveat].level for use in report.caveats}
    if "error" in levels:
        return Effort.REWORK
    return Effort.REVIEW if "warning" in levels else Effort.ONE_LINE

"""`migrate rewrite`: the safe edits of a code base, and the list of what remains."""

from __future__ import annotations

import difflib
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from threadbridge_migrate.audit.call_site import FileReport, Position
from threadbridge_migrate.audit.caveats import CAVEATS
from threadbridge_migrate.audit.client_rewrite import PythonRewrite, rewrite_python
from threadbridge_migrate.audit.scanner import audit
from threadbridge_migrate.audit.source_files import SourceFile, read_source_files
from threadbridge_migrate.errors import ArchiveError

_CLIENT_NAME = re.compile(r"\bOpenAI\b|\b(?:Async|Azure|AsyncAzure)OpenAI\b|\bopenai\b")
_OPENAI_URL = rb"https://api\.openai\.com/v1"
#: The address of the service as a whole literal, and before the paths of the API.
_BASE_URL = re.compile(
    rb"(?P<before>(?P<quote>[\"'`])|= ?)" + _OPENAI_URL + rb"(?P<after>/?)(?=(?(quote)(?P=quote)|[ \t\r]*$))",
    re.MULTILINE,
)
_API_URL = re.compile(_OPENAI_URL + rb"(?=/(?:threads|assistants)\b)")


@dataclass(frozen=True, slots=True)
class FileEdit:
    """The bytes of a file before and after."""

    path: Path
    name: str
    before: bytes
    after: bytes


@dataclass(frozen=True, slots=True, order=True)
class RemainingWork:
    """Something that a person has to do, and where."""

    name: str
    position: Position
    text: str


@dataclass(slots=True)
class RewritePlan:
    """The edits of a code base."""

    edits: list[FileEdit] = field(default_factory=list[FileEdit])
    remaining: list[RemainingWork] = field(default_factory=list[RemainingWork])
    call_sites: int = 0

    def add_remaining(self, name: str, position: Position, text: str) -> None:
        """Add one item."""
        self.remaining.append(RemainingWork(name, position, text))


def plan_rewrite(root: Path, *, base_url: str) -> RewritePlan:
    """The safe edits of the source code below `root`; nothing is written.

    Python: clients are put into `threadbridge.wrap`. Every language: the literal address of OpenAI becomes `base_url`,
    alone or before the paths of the API. Applied to its own result, it has no edits. Raises UsageError as `audit` does.
    """
    report = audit(root)
    plan = RewritePlan(call_sites=report.call_sites)
    reports = {file.path: file for file in report.files}
    modules: dict[str, PythonRewrite | None] = {}
    sources: list[SourceFile] = []
    for source in read_source_files(root, lambda _: None):
        is_module = source.language == "python" and source.origins is None
        if is_module and _CLIENT_NAME.search(source.text) is not None:
            modules[source.name] = _rewrite_module(source)
        if source.name in modules or source.name in reports:
            sources.append(source)
    constructing = {name for name, module in modules.items() if module is None or module.clients}
    calling = {file.path for file in report.files if file.language == "python" and _calls_sdk(file)}
    for source in sources:
        # A file with calls and no construction gets its client from another file: then all are wrapped.
        if source.name in reports or (calling - constructing and source.name in constructing):
            file, module = reports.get(source.name), modules.get(source.name)
            content = _plan_file(source, file, module, plan, base_url.rstrip("/").encode())
            if file is not None:
                _add_caveats(file, content, plan)
    plan.remaining.sort()
    return plan


def _rewrite_module(source: SourceFile) -> PythonRewrite | None:
    """The rewritten module; None if it is not valid Python."""
    import libcst

    try:
        return rewrite_python(source.path.read_bytes())
    except (libcst.ParserSyntaxError, UnicodeError, LookupError, RecursionError):
        return None


def _calls_sdk(file: FileReport) -> bool:
    return any(site.client != "http" for site in file.call_sites)


def _plan_file(
    source: SourceFile, file: FileReport | None, module: PythonRewrite | None, plan: RewritePlan, base_url: bytes
) -> bytes:
    """Add the edit of a file, and what it leaves; the result is the new content."""
    before = after = source.path.read_bytes()
    start = file.call_sites[0].position if file is not None else Position(1, 1)
    if source.origins is not None:
        plan.add_remaining(source.name, start, "notebooks are not rewritten; put threadbridge.wrap(…) around clients")
        return before
    if before[:2] in (b"\xff\xfe", b"\xfe\xff"):
        plan.add_remaining(source.name, start, "files in UTF-16 are not rewritten; save it as UTF-8 first")
        return before
    if module is not None:
        after = module.source
        for left in module.left:
            plan.add_remaining(source.name, Position(left.line, 1), f"client not wrapped: {left.reason}")
    elif source.language == "python" and _CLIENT_NAME.search(source.text) is not None:
        plan.add_remaining(source.name, start, "it is not valid Python; correct it first")
        return before
    if file is not None:
        after = _replace_request_urls(after, file, base_url, offset=after.count(b"\n") - before.count(b"\n"))
        if module is None or not module.clients:
            # A wrapped client goes on to this address; here it is a constant of raw requests, or of another SDK.
            after = _BASE_URL.sub(lambda found: found["before"] + base_url + found["after"], after)
        if _calls_sdk(file) and after == before and not _leads_here(before, base_url):
            _add_client_advice(source, file, plan, base_url.decode())
    if after != before:
        plan.edits.append(FileEdit(source.path, source.name, before, after))
    return after


def _replace_request_urls(content: bytes, file: FileReport, base_url: bytes, *, offset: int) -> bytes:
    """The content with another address in the lines of raw requests, `offset` lines further down, and in no other."""
    lines = content.split(b"\n")
    for site in file.call_sites:
        if site.client == "http":
            last = max(site.end_line, site.position.line) + offset
            for index in range(site.position.line - 1, min(last, len(lines))):
                lines[index] = _API_URL.sub(lambda _: base_url, lines[index])
    return b"\n".join(lines)


def _leads_here(content: bytes, base_url: bytes) -> bool:
    """Whether the file uses ThreadBridge already."""
    return b"threadbridge." in content or base_url in content


def _add_client_advice(source: SourceFile, file: FileReport, plan: RewritePlan, base_url: str) -> None:
    position = file.call_sites[0].position
    if source.language == "python":
        if re.search(r"\bopenai\.beta\b", source.text):
            text = f"the SDK's global client: create a client, or set OPENAI_BASE_URL={base_url} (threadbridge serve)"
            plan.add_remaining(source.name, position, text)
        return  # the client comes from another file, which is edited or listed
    text = f"run threadbridge serve, and give the client the base URL {base_url} (most SDKs read OPENAI_BASE_URL)"
    plan.add_remaining(source.name, position, text)


def _add_caveats(file: FileReport, content: bytes, plan: RewritePlan) -> None:
    """What no edit changes."""
    for use in file.caveats:
        caveat = CAVEATS[use.caveat]
        if caveat.id == "hard-coded-base-url":
            is_left = _BASE_URL.search(content) is not None and b"threadbridge.wrap(" not in content
            is_left = is_left or not use.text.startswith("https://api.openai.com")
        else:
            is_left = caveat.level in ("error", "warning")
        if is_left:
            plan.add_remaining(file.path, use.position, f"{caveat.id}: {caveat.text}")


def format_diff(edit: FileEdit) -> Iterator[bytes]:
    """The lines of a unified diff that `git apply` and `patch -p1` take; line endings are those of the file."""
    name = os.fsencode(edit.name)
    before, after = (re.findall(rb"[^\n]*\n|[^\n]+\Z", part) for part in (edit.before, edit.after))
    for line in difflib.diff_bytes(difflib.unified_diff, before, after, b"a/" + name, b"b/" + name, lineterm=b"\n"):
        yield line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n"


def write_edit(edit: FileEdit) -> None:
    """Replace the file at once, with its mode. Raises ArchiveError if it has changed since it was read."""
    if edit.path.read_bytes() != edit.before:
        raise ArchiveError(f"{edit.name} changed while it was read; run the same command again.")
    mode = edit.path.stat().st_mode
    handle, temporary = tempfile.mkstemp(dir=edit.path.parent, prefix=f".{edit.path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(edit.after)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode & 0o7777)
        os.replace(temporary, edit.path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise

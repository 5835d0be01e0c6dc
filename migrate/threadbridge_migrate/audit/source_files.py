"""Source files of a directory: which are read, how they are decoded, and where their code begins."""

from __future__ import annotations

import codecs
import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from threadbridge_migrate.audit.call_site import Position, SkippedFile
from threadbridge_migrate.audit.languages import detect_language
from threadbridge_migrate.errors import UsageError

#: Larger files are generated, or data.
MAX_FILE_BYTES = 2 * 1024 * 1024
#: Lines of minified code are longer on average.
MAX_AVERAGE_LINE = 500
#: Folders of installed, generated and cached code.
VENDORED_FOLDER = re.compile(
    r"\.git|\.hg|\.svn|\.jj|node_modules|bower_components|vendor|vendored|third_party|site-packages|dist-packages"
    r"|__pycache__|\.?venv|\.tox|\.nox|\.eggs|\.mypy_cache|\.ruff_cache|\.pytest_cache|\.next|\.nuxt|\.svelte-kit|\.yarn"
    r"|\.pnpm-store|\.gradle|\.terraform|\.bundle|Pods|Carthage|DerivedData|dist|build|target|obj|\.cache|\.idea|\.vscode"
    r"|htmlcov|coverage"
)
_BINARY_PROBE = 8192
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
#: Python's declaration of an encoding (PEP 263).
_COOKIE = re.compile(rb"\A(?:[^\n]*\n)?[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that can be read, and the text of its program."""

    path: Path
    #: Begins with the root as it was named, unless that is absolute; with slashes.
    name: str
    language: str
    text: str
    #: Of a notebook: line and column, from 0, at which each line of `text` begins in the file.
    origins: tuple[tuple[int, int], ...] | None = None

    def locate(self, line: int, column: int) -> Position:
        """The position in the file of a position in `text`; the arguments count from 0."""
        if self.origins is not None and self.origins:
            first, offset = self.origins[min(line, len(self.origins) - 1)]
            return Position(first + 1, offset + column + 1)
        return Position(line + 1, column + 1)


def read_source_files(root: Path, skip: Callable[[SkippedFile], None]) -> Iterator[SourceFile]:
    """Each readable source file below `root`, or `root` itself, in the order of names; `skip` gets the others.

    Links are not followed; vendored folders are left out without a word. Raises UsageError if there is no such path.
    """
    folder = Path() if root.is_absolute() else root.parent if root.is_file() else root
    prefix = "" if folder == Path() else f"{folder.as_posix()}/"
    if root.is_file():
        language = detect_language(root.name, _read_first_line(root))
        if language is None:
            raise UsageError(f"{root} is not source code of a known language; name a folder, or another file.")
        source = read_source_file(root, f"{prefix}{root.name}", language, skip)
        if source is not None:
            yield source
        return
    if not root.is_dir():
        raise UsageError(f"There is no {root}; name a folder or a file of source code.")
    for path, name in _walk(root, prefix, skip):
        language = detect_language(path.name)
        if language is None and "." not in path.name:
            language = detect_language(path.name, _read_first_line(path))
        if language is not None:
            source = read_source_file(path, name, language, skip)
            if source is not None:
                yield source


def _walk(root: Path, root_prefix: str, skip: Callable[[SkippedFile], None]) -> Iterator[tuple[Path, str]]:
    def report(error: OSError) -> None:
        skip(SkippedFile(root_prefix + os.path.relpath(error.filename, root), f"cannot be read: {error.strerror}"))

    for folder, folders, files in os.walk(root, onerror=report):
        relative = Path(folder).relative_to(root)
        prefix = root_prefix if relative == Path() else f"{root_prefix}{relative.as_posix()}/"
        for name in folders:
            if VENDORED_FOLDER.fullmatch(name) is None and os.path.islink(os.path.join(folder, name)):
                skip(SkippedFile(f"{prefix}{name}", "a symbolic link, which is not followed"))
        folders[:] = sorted(name for name in folders if not _is_vendored(folder, name))
        for name in sorted(files):
            yield Path(folder, name), f"{prefix}{name}"


def _is_vendored(folder: str, name: str) -> bool:
    # A virtual environment has this file under any name.
    return VENDORED_FOLDER.fullmatch(name) is not None or os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))


def _read_first_line(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return b""
        with path.open("rb") as file:
            return file.readline(200)
    except OSError:
        return b""


def read_source_file(path: Path, name: str, language: str, skip: Callable[[SkippedFile], None]) -> SourceFile | None:
    """One file; None if it cannot be read, which `skip` gets to know."""
    name = name.encode("utf-8", "backslashreplace").decode()
    try:
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            skip(SkippedFile(name, "a symbolic link, which is not followed"))
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        if status.st_size > MAX_FILE_BYTES:
            skip(SkippedFile(name, f"larger than {MAX_FILE_BYTES // 1024 // 1024} MiB"))
            return None
        content = path.read_bytes()
    except OSError as error:
        skip(SkippedFile(name, f"cannot be read: {error.strerror}"))
        return None
    text = decode_source(content)
    if text is None:
        skip(SkippedFile(name, "binary"))
        return None
    if len(text) > MAX_AVERAGE_LINE * (text.count("\n") + 4) and path.suffix != ".ipynb":
        skip(SkippedFile(name, "minified or generated: lines are too long"))
        return None
    if path.suffix == ".ipynb":
        return _read_notebook(path, name, text, skip)
    if detect_language(path.name) == "component":
        return SourceFile(path, name, "typescript", _blank_markup(text))
    return SourceFile(path, name, language, text)


def decode_source(content: bytes) -> str | None:
    """The text in its declared encoding, else UTF-8, else Latin-1, which every byte has; None for binary content."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content.decode(encoding, "replace")
    if b"\0" in content[:_BINARY_PROBE]:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        declared = _COOKIE.match(content)
        try:
            return content.decode(declared[1].decode() if declared else "latin-1", "replace")
        except LookupError:
            return content.decode("latin-1")


_SCRIPT = re.compile(r"(<script\b[^>]*>)(.*?)(?=</script|\Z)|\A(---\n)(.*?)(?=\n---)", re.DOTALL | re.IGNORECASE)


def _blank_markup(text: str) -> str:
    """The scripts of a page or component, at their positions."""
    parts: list[str] = []
    end = 0
    for script in _SCRIPT.finditer(text):
        group = 2 if script[1] else 4
        parts += [re.sub(r"[^\n]", " ", text[end : script.start(group)]), script[group]]
        end = script.end(group)
    return "".join([*parts, re.sub(r"[^\n]", " ", text[end:])])


#: A line for the shell or a magic of IPython.
_MAGIC = re.compile(r"^(\s*)[%!?]")


def _read_notebook(path: Path, name: str, text: str, skip: Callable[[SkippedFile], None]) -> SourceFile | None:
    """The cells with code as one program; each line knows where it is in the JSON text."""
    try:
        cells = json.loads(text)["cells"]
        sources = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
        lines = [line for source in sources for line in ("".join(source).split("\n"))]
    except (ValueError, KeyError, TypeError, RecursionError):
        skip(SkippedFile(name, "not a Jupyter notebook of version 4"))
        return None
    origins: list[tuple[int, int]] = []
    offset = number = line_start = 0
    for line in lines:
        encoded = json.dumps(line)[1:-1]
        found = text.find(encoded, offset) if encoded else offset
        if found < 0:
            encoded = json.dumps(line, ensure_ascii=False)[1:-1]
            found = text.find(encoded, offset)
        if found >= 0:
            number += text.count("\n", offset, found)
            line_start = text.rfind("\n", 0, found) + 1
            offset = found
        origins.append((number, offset - line_start))
        offset += len(encoded) if found >= 0 else 0
    program = "\n".join(_MAGIC.sub(r"\1#", line) for line in lines)
    return SourceFile(path, name, "python", program, tuple(origins))

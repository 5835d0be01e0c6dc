"""The text of a document that file search indexes: plain text and source files, HTML, PDF, DOCX and PPTX."""

from __future__ import annotations

import html
import io
import re
import zipfile
from html.parser import HTMLParser
from pathlib import PurePath
from typing import Final

#: Extensions of files whose bytes are text.
TEXT_EXTENSIONS: Final = frozenset(
    {
        ".c", ".cpp", ".cs", ".css", ".go", ".html", ".java", ".js", ".json", ".md", ".php", ".py", ".rb", ".sh",
        ".tex", ".ts", ".txt",
    }
)  # fmt: skip
#: Extensions that the service accepts for file search (A82).
SUPPORTED_EXTENSIONS: Final = TEXT_EXTENSIONS | {".doc", ".docx", ".pdf", ".pptx"}
#: Bytes of the XML of one part of an Office document, and of all its parts: a small archive can contain much more.
_MAX_PART_BYTES: Final = 64 * 1024 * 1024
#: The parts of an Office document with text, in reading order.
_OFFICE_PARTS: Final = re.compile(
    r"word/(?:document|footnotes|endnotes|comments|header\d*|footer\d*)\.xml|ppt/(?:slides/slide|notesSlides/notesSlide)\d+\.xml"
)
#: Text runs (`w:t`, `a:t`), tabs, and the ends of paragraphs, table cells and lines in their XML.
_OFFICE_TOKENS: Final = re.compile(
    r"<(?:w|a):t(?:\s[^>]*)?>(?P<text>[^<]*)</(?:w|a):t>|(?P<tab><w:tab\s*/>)|(?P<line></(?:w|a):p>|<(?:w|a):br\s*/>)"
)


class UnreadableDocumentError(Exception):
    """The bytes are not a document of the type that the file's extension states."""


class UnsupportedDocumentError(Exception):
    """The simulator cannot read documents of this type."""


def get_extension(filename: str) -> str:
    """The lower-case extension with its dot; `none` if there is none, as in the service's error."""
    return PurePath(filename.replace("\\", "/")).suffix.lower() or "none"


def extract_text(filename: str, raw: bytes) -> str:
    """The text of a document. Raises UnreadableDocumentError and UnsupportedDocumentError."""
    match get_extension(filename):
        case ".pdf":
            return _extract_pdf(raw)
        case ".docx" | ".pptx":
            return _extract_office(raw)
        case ".html":
            parser = _HtmlText()
            parser.feed(_decode_text(raw))
            parser.close()
            return parser.get_text()
        case extension if extension in TEXT_EXTENSIONS:
            return _decode_text(raw)
        case extension:
            raise UnsupportedDocumentError(f"The simulator cannot read files of the type {extension}.")


def _decode_text(raw: bytes) -> str:
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise UnsupportedDocumentError("The file type is not supported.")
    return text


def _extract_pdf(raw: bytes) -> str:
    try:
        import pypdf  # an optional dependency
    except ImportError as error:
        raise UnsupportedDocumentError("PDF files need pypdf: install threadbridge[documents].") from error
    try:
        reader = pypdf.PdfReader(io.BytesIO(raw))
        return "\n".join(page.extract_text() for page in reader.pages)
    # pypdf raises its own errors and, for damaged files, many of the standard library (KeyError, RecursionError …)
    except Exception as error:
        raise UnreadableDocumentError from error


def _extract_office(raw: bytes) -> str:
    """The text of all parts of an Office Open XML document; text is found without an XML parser, so no entity of a
    hostile document is expanded.
    """
    lines: list[str] = []
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            parts = [info for info in archive.infolist() if _OFFICE_PARTS.fullmatch(info.filename)]
            if not parts or sum(info.file_size for info in parts) > _MAX_PART_BYTES:
                raise UnreadableDocumentError
            for info in sorted(parts, key=lambda part: (len(part.filename), part.filename)):  # slide10 after slide2
                xml = archive.read(info).decode("utf-8")
                pieces = [
                    html.unescape(found["text"]) if found["text"] is not None else "\t" if found["tab"] else "\n"
                    for found in _OFFICE_TOKENS.finditer(xml)
                ]
                lines.append("".join(pieces).strip("\n"))
    except (zipfile.BadZipFile, UnicodeDecodeError, NotImplementedError, RuntimeError, EOFError) as error:
        raise UnreadableDocumentError from error
    return "\n".join(lines)


class _HtmlText(HTMLParser):
    """Collects the text of a page without its scripts and styles."""

    _HIDDEN: Final = frozenset({"script", "style", "template"})
    _INLINE: Final = frozenset(
        {
            "a",
            "abbr",
            "b",
            "cite",
            "code",
            "em",
            "i",
            "kbd",
            "mark",
            "q",
            "s",
            "small",
            "span",
            "strong",
            "sub",
            "sup",
            "u",
        }
    )

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._pieces: list[str] = []
        self._hidden_depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        if tag in self._HIDDEN:
            self._hidden_depth += 1
        elif tag not in self._INLINE:
            self._pieces.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._HIDDEN:
            self._hidden_depth = max(self._hidden_depth - 1, 0)
        elif tag not in self._INLINE:
            self._pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden_depth:
            self._pieces.append(data)

    def get_text(self) -> str:
        lines = (" ".join(line.split()) for line in "".join(self._pieces).splitlines())
        return "\n".join(line for line in lines if line)

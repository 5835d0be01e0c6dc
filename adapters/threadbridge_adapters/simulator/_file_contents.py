"""The bytes of files, in memory or in an unnamed temporary file, and the text in them that file search indexes."""

from __future__ import annotations

import hashlib
import html
import io
import re
import tempfile
import weakref
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import PurePath
from typing import IO, Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from threadbridge_adapters.simulator import _errors as errors

_CHUNK: Final = 256 * 1024
#: Larger contents are stored on disk.
_MAX_IN_MEMORY: Final = 64 * 1024


class FileBytes:
    """Complete bytes. They may be shared by several files and read concurrently."""

    def __init__(self, in_memory: bytes, disk: IO[bytes] | None, *, size: int, md5: str) -> None:
        self._in_memory = in_memory
        self._disk = disk
        self.size = size
        self.md5 = md5
        if disk is not None:
            weakref.finalize(self, disk.close)

    def read(self, start: int = 0, length: int | None = None) -> bytes:
        """A range of the bytes, by default all of them."""
        end = self.size if length is None else start + length
        if self._disk is None:
            return self._in_memory[start:end]
        self._disk.seek(start)
        return self._disk.read(end - start)

    async def iterate_chunks(self) -> AsyncIterator[bytes]:
        """All bytes in chunks."""
        for start in range(0, self.size, _CHUNK):
            yield self.read(start, _CHUNK)


class FileBytesWriter:
    """Collects at most `limit` bytes as they arrive; raises `too_large` if there are more."""

    def __init__(self, *, limit: int, too_large: errors.ServiceError) -> None:
        self._limit = limit
        self._too_large = too_large
        self._buffer = bytearray()
        self._disk: IO[bytes] | None = None
        self._size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)

    def write(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size > self._limit:
            self.discard()
            raise self._too_large
        self._md5.update(chunk)
        if self._disk is not None:
            self._disk.write(chunk)
            return
        self._buffer += chunk
        if len(self._buffer) > _MAX_IN_MEMORY:
            self._disk = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the content
            self._disk.write(self._buffer)
            self._buffer.clear()

    def discard(self) -> None:
        """Discard the written bytes."""
        if self._disk is not None:
            self._disk.close()

    def finish(self) -> FileBytes:
        if self._disk is not None:
            self._disk.flush()
        return FileBytes(bytes(self._buffer), self._disk, size=self._size, md5=self._md5.hexdigest())


def make_file_bytes(data: bytes) -> FileBytes:
    """The content of the given bytes."""
    writer = FileBytesWriter(limit=len(data), too_large=errors.ServiceError("unreachable"))
    writer.write(data)
    return writer.finish()


def concatenate(parts: list[FileBytes], *, limit: int, too_large: errors.ServiceError) -> FileBytes:
    """The concatenation of the contents."""
    writer = FileBytesWriter(limit=limit, too_large=too_large)
    for part in parts:
        for start in range(0, part.size, _CHUNK):
            writer.write(part.read(start, _CHUNK))
    return writer.finish()


#: Bytes of one field that is not a file, and fields in a form.
MAX_FIELD_BYTES = 64 * 1024
MAX_FIELDS = 64


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """The file of a form, with the client's file name."""

    filename: str
    content: FileBytes


@dataclass(slots=True)
class ParsedForm:
    """The fields and file of a form. Names of nested fields have brackets: `expires_after[seconds]`."""

    fields: dict[str, str] = field(default_factory=dict[str, str])
    file: UploadedFile | None = None


class _FormReader:
    """The parser's callbacks, which collect the parts."""

    def __init__(self, file_field: str, writer: FileBytesWriter) -> None:
        self.form = ParsedForm()
        self._file_field = file_field
        self._writer = writer
        self._header = [b"", b""]
        self._disposition: dict[bytes, bytes] = {}
        self._value = bytearray()
        self.is_complete = False

    def on_part_begin(self) -> None:
        self._disposition = {}
        self._value.clear()

    def on_header_begin(self) -> None:
        self._header = [b"", b""]

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header[0] += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1] += data[start:end]

    def on_header_end(self) -> None:
        if self._header[0].lower() == b"content-disposition":
            self._disposition = parse_options_header(self._header[1])[1]

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._writer.write(data[start:end])
            return
        self._value += data[start:end]
        if len(self._value) > MAX_FIELD_BYTES:
            raise errors.too_long(self._name, "string", len(self._value), MAX_FIELD_BYTES)

    def on_part_end(self) -> None:
        if self._is_file:
            name = self._disposition.get(b"filename", b"upload").decode("utf-8", "replace")
            self.form.file = UploadedFile(name, self._writer.finish())
        elif len(self.form.fields) < MAX_FIELDS:
            self.form.fields[self._name] = self._value.decode("utf-8", "replace")

    def on_end(self) -> None:
        self.is_complete = True

    @property
    def _name(self) -> str:
        return self._disposition.get(b"name", b"").decode("utf-8", "replace")

    @property
    def _is_file(self) -> bool:
        return self._name == self._file_field and self.form.file is None


async def read_form(
    body: AsyncIterator[bytes], content_type: str, *, file_field: str, writer: FileBytesWriter
) -> ParsedForm:
    """Read a form to its end. Raises the service's error if it is malformed or incomplete."""
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if kind.lower() != b"multipart/form-data" or not boundary:
        raise errors.invalid_multipart()
    reader = _FormReader(file_field, writer)
    parser = MultipartParser(
        boundary,
        {
            "on_part_begin": reader.on_part_begin,
            "on_header_begin": reader.on_header_begin,
            "on_header_field": reader.on_header_field,
            "on_header_value": reader.on_header_value,
            "on_header_end": reader.on_header_end,
            "on_part_data": reader.on_part_data,
            "on_part_end": reader.on_part_end,
            "on_end": reader.on_end,
        },
    )
    try:
        async for chunk in body:
            parser.write(chunk)
    except BaseException as error:
        writer.discard()
        if isinstance(error, FormParserError):
            raise errors.invalid_multipart() from error
        raise
    if not reader.is_complete:
        writer.discard()
        raise errors.invalid_multipart()
    return reader.form


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
            try:
                import pypdf  # an optional dependency
            except ImportError as error:
                raise UnsupportedDocumentError("PDF files need pypdf: install threadbridge[documents].") from error
            try:
                return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(raw)).pages)
            # pypdf raises its own errors and, for damaged files, many of the standard library.
            except Exception as error:
                raise UnreadableDocumentError from error
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

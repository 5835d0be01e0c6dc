"""A streaming parser of multipart forms: fields are read into memory, the file into a `Content`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator._file_bytes import FileBytes, FileBytesWriter

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

"""The files of a dump: paths, folders, members of ZIP archives, and gzip files; as bytes with a label."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import io
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, Final, Protocol

from threadbridge_migrate.errors import ArchiveError, UsageError

#: Bytes of one file of a ZIP or gzip archive, and of all files of one; more is refused as a trap.
MAX_UNPACKED_BYTES: Final = 16 << 30

#: How much larger than its packed form a file may be, from 1 MiB on.
MAX_COMPRESSION_RATIO: Final = 1000

#: Bytes at the beginning of a file from which its format is recognised.
SAMPLE_BYTES: Final = 1 << 16

_COPY_BYTES: Final = 1 << 20
_GZIP: Final = b"\x1f\x8b"


class SupportsRead(Protocol):
    """A file that bytes can be read from."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class DumpFile:
    """A file with its label: the path, and the member of a ZIP archive after an exclamation mark."""

    label: str
    open: Callable[[], IO[bytes]]

    def read_sample(self) -> bytes:
        """The beginning of the file. Raises ArchiveError."""
        with self.open() as file:
            return read_bounded(file, SAMPLE_BYTES, self.label)

    def open_text(self) -> io.TextIOWrapper:
        """The file as text, with line ends as they are. Bytes that the encoding does not have become U+FFFD."""
        encoding = detect_encoding(self.read_sample())
        return io.TextIOWrapper(io.BufferedReader(_Raw(self.open())), encoding, errors="replace", newline="")


@dataclass(frozen=True, slots=True)
class UnreadableFile:
    """A file that cannot be read, and why, in a sentence."""

    label: str
    reason: str


class _Raw(io.RawIOBase):
    """A binary file of any kind as a raw stream, so that text can be read from it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]  # the type of RawIOBase is private
        content = self._file.read(len(view))
        view[: len(content)] = content
        return len(content)

    def close(self) -> None:
        self._file.close()
        super().close()


def read_bounded(file: SupportsRead, size: int, label: str) -> bytes:
    """At most `size` bytes. Raises ArchiveError for a packed file that is damaged."""
    try:
        return file.read(size)
    except (zlib.error, EOFError, zipfile.BadZipFile, gzip.BadGzipFile) as error:
        raise ArchiveError(f"{label} is damaged: {error}.") from None


def detect_encoding(sample: bytes) -> str:
    """The encoding of a text: by its byte order mark or its zero bytes, UTF-8 if it is valid, else Windows-1252."""
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if sample.startswith(mark):
            return name
    # Without a mark: text of mostly ASCII characters has a zero byte in every second place.
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if len(sample) >= 4 and 4 * max(even, odd) >= len(sample) and 8 * min(even, odd) < max(even, odd):
        return "utf-16-be" if even > odd else "utf-16-le"
    try:
        sample.decode()
    except UnicodeDecodeError as error:
        if error.start < len(sample) - 4:  # not a character that the end of the sample divides
            return "cp1252"
    return "utf-8"


def iterate_files(paths: Sequence[Path]) -> Iterator[DumpFile | UnreadableFile]:
    """All files, those of folders in the order of their names. Hidden files and symbolic links in folders are left out.

    Raises UsageError for a path that does not exist.
    """
    for path in paths:
        if not path.exists():
            raise UsageError(f"There is no file {path}; check the path.")
        if not path.is_dir():
            yield from _unpack(path)
            continue
        for folder, names, files in os.walk(path):
            names[:] = sorted(name for name in names if not name.startswith("."))
            for name in sorted(files):
                file = Path(folder) / name
                if not name.startswith(".") and not file.is_symlink() and file.is_file():
                    yield from _unpack(file)


def _unpack(path: Path) -> Iterator[DumpFile | UnreadableFile]:
    try:
        with path.open("rb") as file:
            start = file.read(4)
        if start[:2] == _GZIP:
            yield DumpFile(str(path), lambda: _open_gzip(path))
        elif start == b"PK\x03\x04" and zipfile.is_zipfile(path):
            yield from _iterate_members(path)
        else:
            yield DumpFile(str(path), lambda: path.open("rb"))
    except OSError as error:
        yield UnreadableFile(str(path), f"it cannot be read: {error.strerror or error}")


def _open_gzip(path: Path) -> IO[bytes]:
    """The unpacked file, in a temporary one, so that its size is known before anything is read from it."""
    target = tempfile.TemporaryFile()  # noqa: SIM115 - returned open
    try:
        with gzip.open(path, "rb") as source:
            _copy_bounded(source, target, packed=path.stat().st_size, label=str(path))
    except BaseException:
        target.close()
        raise
    target.seek(0)
    return target


def _copy_bounded(source: SupportsRead, target: IO[bytes], *, packed: int, label: str) -> None:
    bound = min(MAX_UNPACKED_BYTES, max(_COPY_BYTES, packed * MAX_COMPRESSION_RATIO))
    size = 0
    while chunk := read_bounded(source, _COPY_BYTES, label):
        size += len(chunk)
        if size > bound:
            raise ArchiveError(f"{label} unpacks to more than {MAX_COMPRESSION_RATIO} times its size; unpack it first.")
        target.write(chunk)


def _iterate_members(path: Path) -> Iterator[DumpFile | UnreadableFile]:
    """The members of a ZIP archive. Their names are labels only: nothing is written under them."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        yield UnreadableFile(str(path), f"it is not a readable ZIP archive: {error}")
        return
    total = 0
    for member in members:
        label = f"{path}!{member.filename}"
        if member.is_dir() or Path(member.filename).name.startswith("."):
            continue
        total += member.file_size
        if member.flag_bits & 1:
            yield UnreadableFile(label, "it is encrypted; unpack it first")
        elif total > MAX_UNPACKED_BYTES:
            yield UnreadableFile(label, f"the archive unpacks to more than {MAX_UNPACKED_BYTES} bytes; unpack it first")
        else:
            yield DumpFile(label, _Member(path, member, label).open)


@dataclass(frozen=True, slots=True)
class _Member:
    path: Path
    member: zipfile.ZipInfo
    label: str

    def open(self) -> BinaryIO:
        target = tempfile.SpooledTemporaryFile(max_size=_COPY_BYTES)  # noqa: SIM115 - returned open
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as source:
                _copy_bounded(source, target, packed=self.member.compress_size, label=self.label)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            target.close()
            raise ArchiveError(f"{self.label} is damaged: {error}.") from None
        except BaseException:
            target.close()
            raise
        target.seek(0)
        return target  # type: ignore[return-value]  # a binary file in all but its base class


def compute_digest(file: DumpFile) -> bytes:
    """The SHA-256 of the contents. Raises ArchiveError."""
    digest = hashlib.sha256()
    with file.open() as content:
        while chunk := read_bounded(content, _COPY_BYTES, file.label):
            digest.update(chunk)
    return digest.digest()


def copy_to_path(file: DumpFile, target: Path) -> None:
    """Copy a file to a path, for libraries that open paths only."""
    with file.open() as source, target.open("wb") as copy:
        shutil.copyfileobj(source, copy)

"""The rows of an SQL dump, as SQLite, MySQL, PostgreSQL and SQL Server write them: INSERT statements and COPY data.

Nothing is executed. A statement is read token by token, so that one with all rows of a table needs no more memory than
its longest value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, Protocol, TypeAlias

#: A value that SQLite stores as it is.
SqlValue: TypeAlias = str | int | float | None

_CHUNK_CHARACTERS: Final = 1 << 18
#: Characters of one value; a longer one is the rest of a file whose quotes are damaged.
_MAX_VALUE_CHARACTERS: Final = 64 << 20

_STATEMENT: Final = re.compile(
    r"^\s*(?:INSERT\s+(?:OR\s+\w+\s+|IGNORE\s+)?(?:INTO\s+)?[\w\"`\[]|REPLACE\s+INTO\s|CREATE\s+TABLE\s|COPY\s.*FROM\s+stdin)",
    re.IGNORECASE | re.MULTILINE,
)
#: What a dump begins with, after comments: a text that only contains statements is something else.
_BEGINNING: Final = re.compile(
    r"(?:\s|--[^\n]*\n|\#[^\n]*\n|/\*.*?\*/;?)*+"
    r"(?:ALTER|BEGIN|COPY|CREATE|DELETE|DROP|GO|IF|INSERT|LOCK|PRAGMA|REPLACE|SELECT|SET|START|TRUNCATE|USE)\b",
    re.IGNORECASE | re.DOTALL,
)
_BACKSLASHES: Final = re.compile(r"`\w+`|MySQL|MariaDB")
_BRACKETS: Final = re.compile(r"\[dbo\]|^INSERT\s+(?:INTO\s+)?\[", re.IGNORECASE | re.MULTILINE)

#: Words that begin an entry of CREATE TABLE that is no column.
_CONSTRAINTS: Final = frozenset(
    ["PRIMARY", "KEY", "UNIQUE", "CONSTRAINT", "INDEX", "FOREIGN", "CHECK", "FULLTEXT", "SPATIAL", "EXCLUDE"]
)

#: Words at the beginning of a line that begin a statement, also after one without a semicolon.
_BEGINNINGS: Final = frozenset(["INSERT", "REPLACE", "CREATE", "COPY", "GO"])

_COPY_ESCAPES: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ESCAPES: Final = {**_COPY_ESCAPES, "0": "\0", "Z": "\x1a"}


class SupportsReadText(Protocol):
    """A file that text can be read from."""

    def read(self, size: int, /) -> str: ...


class SqlRow(NamedTuple):
    """One row: its table, the names of the columns (none if the dump does not say them), and the values."""

    table: str
    columns: Sequence[str]
    values: Sequence[SqlValue]


class TruncatedDumpError(Exception):
    """The dump ends within a statement."""


def is_sql_dump(sample: str) -> bool:
    """Whether a text begins with SQL and has statements with rows at the beginning of lines."""
    return _BEGINNING.match(sample) is not None and _STATEMENT.search(sample) is not None


def iterate_rows(text: SupportsReadText) -> Iterator[SqlRow]:
    """All rows in the order of the dump. Raises TruncatedDumpError where it ends too early."""
    tokens = _Tokens(text)
    columns_by_table: dict[str, list[str]] = {}
    while (token := tokens.next()) is not None:
        word = token.word
        if word == "CREATE" and tokens.take_word("TABLE"):
            table = _read_name(tokens, skipped=("IF", "NOT", "EXISTS"))
            columns_by_table[table] = _read_definitions(tokens)
        elif word == "COPY":
            table = _read_name(tokens)
            yield from _read_copy(tokens, table, _read_list(tokens) or columns_by_table.get(table, []))
        elif word in ("INSERT", "REPLACE"):
            table = _read_name(tokens, skipped=("OR", "REPLACE", "IGNORE", "ABORT", "LOW_PRIORITY", "INTO"))
            columns = _read_list(tokens) or columns_by_table.get(table, [])
            yield from _read_values(tokens, table, columns)
        elif word != "GO" and token.text != ";":
            tokens.skip_statement()


class _Token(NamedTuple):
    """A token: its text, its value if it is a literal, and whether it begins a line."""

    text: str
    kind: str
    begins_line: bool

    @property
    def word(self) -> str:
        return self.text.upper() if self.kind == "word" else ""


class _Tokens:
    """The tokens of a text, with one token of look-ahead."""

    def __init__(self, text: SupportsReadText) -> None:
        self._text = text
        self._buffer = text.read(_CHUNK_CHARACTERS)
        self._position = 0
        self._next: _Token | None = None
        self.has_backslashes = _BACKSLASHES.search(self._buffer) is not None
        self._pattern = _make_pattern(
            has_backslashes=self.has_backslashes, has_brackets=_BRACKETS.search(self._buffer) is not None
        )

    def _read_more(self) -> bool:
        rest = self._buffer[self._position :]
        if len(rest) > _MAX_VALUE_CHARACTERS:
            raise TruncatedDumpError
        more = self._text.read(max(_CHUNK_CHARACTERS, len(rest)))
        self._buffer, self._position = rest + more, 0
        return bool(more)

    def next(self) -> _Token | None:
        if self._next is not None:
            token, self._next = self._next, None
            return token
        begins_line = self._position == 0
        while True:
            found = self._pattern.match(self._buffer, self._position)
            if (found is None or found.end() == len(self._buffer)) and self._read_more():
                continue
            if found is None:
                if self._position < len(self._buffer):
                    raise TruncatedDumpError  # a literal or comment that does not end
                return None
            self._position = found.end()
            kind = found.lastgroup or ""
            if kind == "space":
                begins_line = begins_line or "\n" in found.group()
                continue
            return _Token(found.group(), kind, begins_line)

    def peek(self) -> _Token | None:
        if self._next is None:
            self._next = self.next()
        return self._next

    def take_word(self, *words: str) -> bool:
        """Take the next token if it is one of these words."""
        token = self.peek()
        if token is not None and token.word in words:
            self._next = None
            return True
        return False

    def take(self, text: str) -> bool:
        """Take the next token if it is this punctuation."""
        token = self.peek()
        if token is not None and token.kind == "punctuation" and token.text == text:
            self._next = None
            return True
        return False

    def skip_statement(self) -> None:
        """Skip to the end of the statement."""
        while (token := self.peek()) is not None:
            if token.begins_line and token.word in _BEGINNINGS:
                return
            self._next = None
            if token.text == ";":
                return

    def read_lines(self) -> Iterator[str]:
        """The lines after the current statement, as they are."""
        self._next = None
        while True:
            end = self._buffer.find("\n", self._position)
            if end < 0:
                if self._read_more():
                    continue
                if self._position < len(self._buffer):
                    yield self._buffer[self._position :]
                    self._position = len(self._buffer)
                return
            line, self._position = self._buffer[self._position : end], end + 1
            yield line.removesuffix("\r")


def _make_pattern(*, has_backslashes: bool, has_brackets: bool) -> re.Pattern[str]:
    escaped = r"'[^'\\]*+(?:(?:\\.|'')[^'\\]*+)*+'"
    plain = escaped if has_backslashes else r"'[^']*+(?:''[^']*+)*+'"
    brackets = r"|\[[^\]]*+\]" if has_brackets else ""
    hashes = r"|\#[^\n]*+" if has_backslashes else ""
    return re.compile(
        rf"""(?P<space>\s++|--[^\n]*+{hashes}|/\*.*?\*/)
        |(?P<escaped>[Ee]{escaped})
        |(?P<hex>[Xx]'[0-9A-Fa-f]*'|0x[0-9A-Fa-f]+)
        |(?P<text>(?:[NnBb]|_\w+\s*)?{plain})
        |(?P<dollar>\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
        |(?P<name>"[^"]*+(?:""[^"]*+)*+"|`[^`]*+`{brackets})
        |(?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
        |(?P<word>[^\W\d][\w$]*+)
        |(?P<punctuation>::|\|\||[^\s'"`])""",
        re.VERBOSE | re.DOTALL,
    )


def _read_name(tokens: _Tokens, skipped: Sequence[str] = ()) -> str:
    """A name of a table, without its schema."""
    while tokens.take_word(*skipped):
        pass
    name = ""
    while (token := tokens.peek()) is not None and token.kind in ("name", "word", "text"):
        name = _unquote_name(tokens.next())
        if not tokens.take("."):
            break
    return name


def _unquote_name(token: _Token | None) -> str:
    if token is None or token.kind == "word":
        return "" if token is None else token.text
    return token.text[1:-1].replace(token.text[-1] * 2, token.text[-1])


def _read_list(tokens: _Tokens) -> list[str]:
    """Names in parentheses; none if no parenthesis follows."""
    names: list[str] = []
    if tokens.take("("):
        while (token := tokens.next()) is not None and token.text != ")":
            if token.kind in ("name", "word", "text"):
                names.append(_unquote_name(token))
    return names


def _read_definitions(tokens: _Tokens) -> list[str]:
    """The names of the columns in CREATE TABLE."""
    columns: list[str] = []
    if not tokens.take("("):
        return columns
    depth, is_start = 1, True
    while depth and (token := tokens.next()) is not None:
        if is_start and token.kind in ("name", "word") and token.word not in _CONSTRAINTS:
            columns.append(_unquote_name(token))
        is_start = depth == 1 and token.text == "," and token.kind == "punctuation"
        if token.kind == "punctuation":
            depth += {"(": 1, ")": -1}.get(token.text, 0)
    tokens.skip_statement()
    return columns


def _read_values(tokens: _Tokens, table: str, columns: Sequence[str]) -> Iterator[SqlRow]:
    """The rows of an INSERT statement; none if it selects them."""
    while (token := tokens.peek()) is not None and token.word not in ("VALUES", "VALUE"):
        if (
            token.text == ";"
            or token.word in ("SELECT", "SET", "DEFAULT")
            or (token.begins_line and token.word == "GO")
        ):
            tokens.skip_statement()
            return
        tokens.next()
    tokens.next()
    while tokens.take("("):
        yield SqlRow(table, columns, _read_row(tokens))
        if not tokens.take(","):
            break
    following = tokens.peek()
    if following is not None and not (following.begins_line and following.word in _BEGINNINGS):
        tokens.skip_statement()


def _read_row(tokens: _Tokens) -> list[SqlValue]:
    """The values up to the closing parenthesis."""
    values: list[SqlValue] = []
    expression: list[_Token] = []
    depth = 0
    while (token := tokens.next()) is not None:
        if token.kind == "punctuation":
            if depth == 0 and token.text in (",", ")"):
                values.append(_evaluate(expression, has_backslashes=tokens.has_backslashes))
                expression = []
                if token.text == ")":
                    return values
                continue
            depth += {"(": 1, ")": -1}.get(token.text, 0)
        expression.append(token)
    raise TruncatedDumpError


def _evaluate(expression: Sequence[_Token], *, has_backslashes: bool) -> SqlValue:
    """The value of a literal, of texts that are joined, or of the first literal in a call."""
    literals = [value for each in expression if (value := _read_literal(each, has_backslashes)) is not None]
    first = expression[0].word if expression else ""
    if not literals or first in ("NULL", "DEFAULT"):
        return {"TRUE": 1, "FALSE": 0}.get(first)
    if first == "UNISTR":
        return re.sub(r"\\u([0-9A-Fa-f]{4})", lambda found: chr(int(found[1], 16)), str(literals[0]))
    if first == "REPLACE" and len(literals) >= 3:
        # sqlite3 writes line ends so: replace('a\nb','\n',char(10)); several of these are nested.
        text = next(each for each in literals if isinstance(each, str))
        return text.replace("\\r", "\r").replace("\\n", "\n") if literals[-1] in (10, 13) else text
    if any(each.text == "||" for each in expression):
        return "".join(str(each) for each in literals if isinstance(each, str))
    return literals[0]


def _read_literal(token: _Token, has_backslashes: bool) -> SqlValue:
    match token.kind:
        case "text" | "escaped":
            content = token.text[token.text.index("'") + 1 : -1].replace("''", "'")
            if has_backslashes or token.kind == "escaped":
                content = re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), content, flags=re.DOTALL)
            return content
        case "dollar":
            return re.sub(r"\A\$\w*\$|\$\w*\$\Z", "", token.text)
        case "hex":
            digits = token.text[2:].strip("'")
            return bytes.fromhex(digits if len(digits) % 2 == 0 else f"0{digits}").decode("utf-8", "replace")
        case "number":
            is_integer = re.fullmatch(r"[+-]?\d{1,18}", token.text) is not None
            return int(token.text) if is_integer else float(token.text) if len(token.text) < 40 else token.text
        case _:
            return None


def _read_copy(tokens: _Tokens, table: str, columns: Sequence[str]) -> Iterator[SqlRow]:
    """The lines of PostgreSQL's COPY … FROM stdin, up to `\\.`."""
    is_data = False
    while (token := tokens.next()) is not None and token.text != ";":
        is_data = is_data or token.word == "STDIN"
    if not is_data:
        return
    lines = tokens.read_lines()
    next(lines, None)  # the rest of the line of the statement
    for line in lines:
        if line == "\\.":
            return
        yield SqlRow(table, columns, [_read_copied(value) for value in line.split("\t")])
    raise TruncatedDumpError


def _read_copied(value: str) -> str | None:
    if value == "\\N":
        return None
    return re.sub(r"\\(.)", lambda found: _COPY_ESCAPES.get(found[1], found[1]), value) if "\\" in value else value

"""Objects of the API as a program printed them: the `repr` of models of the SDK or of dictionaries, or JSON.

The expressions are parsed and never evaluated. They may be anywhere in a log.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import orjson

from threadbridge.api_types import JsonObject, JsonValue

#: Values of `object` by the class of the SDK that prints them; pages print their `data`.
_OBJECTS: Final[Mapping[str, str]] = {
    "Message": "thread.message",
    "ThreadMessage": "thread.message",
    "Thread": "thread",
    "Run": "thread.run",
    "ThreadRun": "thread.run",
    "RunStep": "thread.run.step",
    "Assistant": "assistant",
    "VectorStore": "vector_store",
    "FileObject": "file",
}

_PAGES: Final = ("SyncCursorPage", "AsyncCursorPage", "SyncPage", "AsyncPage", "CursorPage")

_START: Final = re.compile(
    rf"\b(?:{'|'.join((*_PAGES, *_OBJECTS))})(?:\[[\w.]*\])?\("
    r"|[\[{]\s*\{?\s*(?:'(?:id|object|data|messages)'|\"(?:id|object|data|messages)\")\s*:"
)
_QUOTE_OR_BRACKET: Final = re.compile(r"'''|\"\"\"|'(?:[^'\\\n]|\\.)*+'|\"(?:[^\"\\\n]|\\.)*+\"|[()\[\]{}]", re.DOTALL)

#: Values that print in angle brackets, such as members of enumerations: `<Role.USER: 'user'>`.
_ENUMERATION: Final = re.compile(r"<[\w.]+: ((?:'[^'\n]*'|-?\d+))>")
_ANGLE: Final = re.compile(r"<[\w.]+(?: object)?(?: at 0x[0-9a-f]+)?>")

#: Characters of one printed expression, and levels of it.
_MAX_CHARACTERS: Final = 16 << 20
_MAX_DEPTH: Final = 60


class PrintedValue(NamedTuple):
    """A value in a text: where it begins, and the value, or None if it cannot be parsed."""

    line: int
    value: JsonValue


def is_printed(sample: str) -> bool:
    """Whether a text has printed objects of the API."""
    return _START.search(sample) is not None


def iterate_printed(text: str) -> Iterator[PrintedValue]:
    """The outermost printed values of a text, in order."""
    position, line, counted = 0, 1, 0
    while (found := _START.search(text, position)) is not None:
        line, counted = line + text.count("\n", counted, found.start()), found.start()
        # The brackets of a page's type, as in SyncCursorPage[Message](…), are not those of the expression.
        end = _find_end(text, found.end() - 1 if found.group().endswith("(") else found.start())
        if end is None:
            yield PrintedValue(line, None)
            position = found.end()
            continue
        yield PrintedValue(line, parse_printed(text[found.start() : end]))
        position = end


def _find_end(text: str, start: int) -> int | None:
    """The position after the bracket that closes the expression; None if the text ends before or it is too deep."""
    depth = 0
    for found in _QUOTE_OR_BRACKET.finditer(text, start, start + _MAX_CHARACTERS):
        if (bracket := found.group()) in "([{":
            depth += 1
        elif bracket in ")]}":
            depth -= 1
            if depth <= 0:
                return found.end()
        if depth > _MAX_DEPTH:
            return None
    return None


def parse_printed(expression: str) -> JsonValue:
    """The value of an expression as JSON; None if it is not one that a program prints."""
    try:
        return orjson.loads(expression)
    except orjson.JSONDecodeError:
        pass
    cleaned = _ANGLE.sub("None", _ENUMERATION.sub(r"\1", expression))
    try:
        return _convert(ast.parse(cleaned.strip(), mode="eval").body)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def _convert(node: ast.expr) -> JsonValue:
    match node:
        case ast.Constant(value=str() | int() | float() | bool() | None as value):
            return (
                value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if isinstance(value, str) else value
            )
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
            return [_convert(each) for each in items]
        case ast.Dict(keys=keys, values=values):
            pairs = zip(keys, values, strict=True)
            return {str(_convert(key)): _convert(value) for key, value in pairs if key is not None}
        case ast.Attribute(attr=name):
            return name.lower()  # MessageRole.USER
        case ast.Call(func=called, args=args, keywords=keywords):
            return _convert_call(_get_name(called), args, keywords)
        case _:
            return None


def _get_name(node: ast.expr) -> str:
    match node:
        case ast.Subscript(value=inner):
            return _get_name(inner)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def _convert_call(name: str, args: list[ast.expr], keywords: list[ast.keyword]) -> JsonValue:
    """The fields of a model; the time of a datetime; the only argument of anything else."""
    if name == "datetime":
        values = (each.value for each in args[:6] if isinstance(each, ast.Constant))
        numbers = [value for value in values if isinstance(value, int)]
        year, month, day, hour, minute, second = [*numbers, *[0] * (6 - len(numbers))]
        return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}Z"
    if not keywords:
        return _convert(args[0]) if args else None
    fields: JsonObject = {each.arg: _convert(each.value) for each in keywords if each.arg is not None}
    if name in _PAGES:
        return {"object": "list", **fields}
    if name in _OBJECTS and fields.get("object") is None:
        fields["object"] = _OBJECTS[name]
    return fields

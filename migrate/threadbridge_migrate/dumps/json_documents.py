"""JSON that orjson does not take: damaged texts, values one after another, and documents too large for memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import IO, Any, Final, NamedTuple

import orjson

from threadbridge.api_types import JsonValue, is_json_list, is_json_object
from threadbridge_migrate.errors import ArchiveError

#: Items of a list of a large document above which the list stays in the file.
MAX_LIST_ITEMS: Final = 200

#: Levels of lists and objects; what people exported has some tens.
_MAX_DEPTH: Final = 200


class StreamedList:
    """A long list of a large document; each iteration reads the file again, up to the place where it is damaged."""

    def __init__(self, open_file: Callable[[], IO[bytes]], path: str, sample: list[JsonValue]) -> None:
        self._open_file = open_file
        self._path = path
        #: Its first items.
        self.sample = sample

    def __iter__(self) -> Iterator[JsonValue]:
        ijson = _import_ijson()
        with self._open_file() as file:
            try:
                for value in ijson.items(file, f"{self._path}.item" if self._path else "item", use_float=True):
                    yield _clean(value)
            except (ijson.JSONError, UnicodeDecodeError, ValueError):
                return


class Outline(NamedTuple):
    """A document without its long lists: these are `StreamedList` in it. `damage` says where it ends too early."""

    value: Any
    damage: str | None


def parse_json(text: str | bytes) -> JsonValue:
    """The value of a text; half surrogates become U+FFFD, NaN and infinities null. Raises ValueError."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        try:
            return _clean(json.loads(text, parse_constant=lambda _: None))
        except (ValueError, RecursionError):
            raise ValueError(str(error)) from None


def iterate_concatenated(text: str) -> Iterator[tuple[int, JsonValue]]:
    """The values that follow one another in a text, as jq prints them, with their lines, up to the first damage."""
    decoder, position, line = json.JSONDecoder(parse_constant=lambda _: None), 0, 1
    while position < len(text):
        start = position
        while position < len(text) and text[position] in " \t\r\n,\ufeff":
            position += 1
        line += text.count("\n", start, position)
        try:
            value, end = decoder.raw_decode(text, position)
            yield line, _clean(value)
        except (ValueError, RecursionError):
            return
        line += text.count("\n", position, end)
        position = end


def iterate_stream(open_file: Callable[[], IO[bytes]]) -> Iterator[JsonValue]:
    """The values that follow one another in a file of any size, up to the first damage."""
    ijson = _import_ijson()
    with open_file() as file:
        try:
            for value in ijson.items(file, "", multiple_values=True, use_float=True):
                yield _clean(value)
        except (ijson.JSONError, UnicodeDecodeError, ValueError):
            return


def build_outline(open_file: Callable[[], IO[bytes]], *, keep_lists: bool = False) -> Outline:
    """The outline of a document; with `keep_lists` its lists are whole. Raises ArchiveError without ijson."""
    ijson = _import_ijson()
    builder = _OutlineBuilder(open_file, max_items=None if keep_lists else MAX_LIST_ITEMS)
    damage = None
    with open_file() as file:
        try:
            for event, value in ijson.basic_parse(file, use_float=True):
                builder.feed(event, value)
        except (ijson.JSONError, UnicodeDecodeError, ValueError) as error:
            damage = " ".join(str(error).split())[:120] or type(error).__name__
    return Outline(builder.finish(is_damaged=damage is not None), damage)


class _OutlineBuilder:
    """Builds a document of parse events; lists that no list contains are cut when they are long."""

    def __init__(self, open_file: Callable[[], IO[bytes]], *, max_items: int | None) -> None:
        self._open_file = open_file
        self._max_items = max_items
        self._root: Any = None
        #: The open containers, with the key that their next value gets.
        self._open: list[tuple[Any, list[str]]] = []
        self._skipped_depth = 0
        #: The paths of lists that were cut, by identity.
        self._cut: dict[int, str] = {}

    def feed(self, event: str, value: Any) -> None:
        if event in ("start_map", "start_array"):
            if len(self._open) + self._skipped_depth > _MAX_DEPTH:
                raise ValueError("nested too deeply")
            if self._is_skipping():
                self._skipped_depth += 1
                return
            container: Any = {} if event == "start_map" else []
            self._append(container)
            self._open.append((container, [""]))
        elif event in ("end_map", "end_array"):
            if self._skipped_depth:
                self._skipped_depth -= 1
            else:
                self._open.pop()
        elif event == "map_key":
            if not self._skipped_depth:
                self._open[-1][1][0] = _clean(value)
        elif not self._is_skipping():
            self._append(_clean(value))

    def _is_skipping(self) -> bool:
        if self._skipped_depth or self._max_items is None:
            return self._skipped_depth > 0
        container: Any = self._open[-1][0] if self._open else None
        if not is_json_list(container) or len(container) < self._max_items:
            return False
        if any(is_json_list(each) for each, _ in self._open[:-1]):
            return False
        self._cut.setdefault(id(container), ".".join(key[0] for _, key in self._open[:-1]))
        return True

    def _append(self, value: Any) -> None:
        if not self._open:
            self._root = value
            return
        container, key = self._open[-1]
        if is_json_list(container):
            container.append(value)
        else:
            container[key[0]] = value

    def finish(self, *, is_damaged: bool) -> Any:
        """The document. The last item of a damaged one, which is not whole, is left out."""
        if is_damaged and not self._skipped_depth:
            lists = [number for number, (each, _) in enumerate(self._open) if is_json_list(each)]
            if lists and lists[0] + 1 < len(self._open):
                self._open[lists[0]][0].pop()
        return self._replace_cut(self._root)

    def _replace_cut(self, value: Any) -> Any:
        if is_json_list(value):
            path = self._cut.get(id(value))
            return value if path is None else StreamedList(self._open_file, path, value)
        if is_json_object(value):
            return {key: self._replace_cut(each) for key, each in value.items()}
        return value


def _import_ijson() -> Any:
    """The parser of large documents, which has no types."""
    try:
        return import_module("ijson")
    except ImportError:
        raise ArchiveError("Large or damaged JSON needs ijson: pip install 'threadbridge[dumps]'.") from None


def _clean(value: JsonValue, depth: int = 0) -> JsonValue:
    """The value with U+FFFD for half surrogates, and floats for integers of more than 64 bits. Raises ValueError."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return value
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    if is_json_list(value):
        return [_clean(each, depth + 1) for each in value]
    if is_json_object(value):
        return {_clean(key): _clean(each, depth + 1) for key, each in value.items()}
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 64:
        return float(value) if abs(value) < 10**300 else None
    return value

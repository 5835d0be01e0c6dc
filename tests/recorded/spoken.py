"""What the service said, read from a cassette's own responses: the measure of what a backend should have told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from tests.recorded.cassette_form import Response
from threadbridge.ports import Wire
from threadbridge.sse import SSEDecoder


def call(name: str, arguments: str) -> str:
    """A function call as words, without regard to spaces in its arguments."""
    return f"{name} {orjson.dumps(orjson.loads(arguments)).decode()}"


def spoken(responses: Iterable[Response]) -> list[str]:
    """The calls and texts of the model, in order, from the wire of either API.

    An object seen several times counts once, as it was last seen.
    """
    said: dict[str, str] = {}
    for response in responses:
        for document in _documents(response["body"]["string"]):
            for node in _nodes(document):
                said.update(_words(node))
    return list(said.values())


def _words(node: Wire) -> dict[str, str]:
    match node:
        case {"type": "function_call", "status": "completed", "call_id": key, "name": name, "arguments": arguments}:
            return {key: call(name, arguments)}
        case {"type": "function", "id": key, "function": {"name": name, "arguments": str(arguments)}} if arguments:
            return {key: call(name, arguments)}
        case {"type": "message", "id": key, "content": [{"type": "output_text", "text": text}]}:
            return {key: text}
        case {"object": "thread.message", "role": "assistant", "id": key, "content": [{"text": {"value": text}}]}:
            return {key: text}
        case _:
            return {}


def _documents(body: bytes) -> Iterator[Any]:
    if body.lstrip().startswith(b"{"):
        yield orjson.loads(body)
        return
    for _, data, _ in SSEDecoder().receive_data(body):
        if data != b"[DONE]":
            yield orjson.loads(data)


def _nodes(document: Any) -> Iterator[Wire]:
    match document:
        case dict():
            yield document
            for value in document.values():
                yield from _nodes(value)
        case list():
            for value in document:
                yield from _nodes(value)
        case _:
            return

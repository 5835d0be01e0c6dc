"""The texts of the model in the responses of a cassette: what a backend must have passed on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import orjson

from tests.recorded.cassette_format import Response
from threadbridge.api_types import JsonObject, JsonValue, is_json_list, is_json_object
from threadbridge.sse import SSEDecoder


def format_call(name: str, arguments: str) -> str:
    """A function call as text, with normalized arguments."""
    return f"{name} {orjson.dumps(orjson.loads(arguments)).decode()}"


def extract_model_texts(responses: Iterable[Response]) -> list[str]:
    """The calls and texts of the model, in order, from the wire of either API.

    An object in several responses counts once, in its newest state.
    """
    texts: dict[str, str] = {}
    for response in responses:
        for document in _iterate_documents(response["body"]["string"]):
            for node in _iterate_nodes(document):
                texts.update(_extract_texts(node))
    return list(texts.values())


def _extract_texts(node: JsonObject) -> dict[str, str]:
    match node:
        case {"type": "function_call", "status": "completed", "call_id": key, "name": name, "arguments": arguments}:
            return {key: format_call(name, arguments)}
        case {"type": "function", "id": key, "function": {"name": name, "arguments": str(arguments)}} if arguments:
            return {key: format_call(name, arguments)}
        case {"type": "message", "id": key, "content": [{"type": "output_text", "text": text}]}:
            return {key: text}
        case {"object": "thread.message", "role": "assistant", "id": key, "content": [{"text": {"value": text}}]}:
            return {key: text}
        case _:
            return {}


def _iterate_documents(body: bytes) -> Iterator[JsonValue]:
    if body.lstrip().startswith(b"{"):
        yield orjson.loads(body)
        return
    for _, data, _ in SSEDecoder().receive_data(body):
        if data != b"[DONE]":
            yield orjson.loads(data)


def _iterate_nodes(document: JsonValue) -> Iterator[JsonObject]:
    if is_json_object(document):
        yield document
        for value in document.values():
            yield from _iterate_nodes(value)
    elif is_json_list(document):
        for value in document:
            yield from _iterate_nodes(value)

"""The format of cassettes: readable bodies, and no secrets.

JSON bodies are written as YAML, other texts as blocks. Only listed headers are kept, so that no unexpected one brings a
secret into the file. Requests match on method, path, query and body; the host names the recorded service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import orjson
import yaml

from threadbridge.api_types import JsonObject

#: vcrpy has no types: its request has `method`, `uri`, `headers`, `body`; its response is a dictionary.
Request: TypeAlias = Any
Response: TypeAlias = dict[str, Any]

RECORDED_REQUEST_HEADERS = frozenset({"accept", "content-type", "openai-beta"})
RECORDED_RESPONSE_HEADERS = frozenset({"content-type", "openai-poll-after-ms", "retry-after", "x-request-id"})

MATCH_ON = ("method", "path", "query", "same_body")


def make_request_filter(url: str, cassette_url: str) -> Callable[[Request], Request]:
    """A filter that keeps what is compared and recorded of a request to the service at `url`."""

    def filter_request(request: Request) -> Request:
        request.uri = request.uri.replace(url, cassette_url, 1)
        request.headers = _select_headers(request.headers, RECORDED_REQUEST_HEADERS)
        return request

    return filter_request


def filter_response(response: Response) -> Response:
    """Keep what is recorded of a response."""
    return {**response, "headers": _select_headers(response["headers"], RECORDED_RESPONSE_HEADERS)}


def match_body(actual: Request, recorded: Request) -> None:
    """A matcher: equal as JSON, or equal. No body and an empty one are the same."""
    body, expected = _to_readable(actual.body), _to_readable(recorded.body)
    if body != expected:
        raise AssertionError(f"asked: {body}\nrecorded: {expected}")


class Serializer:
    """Converts a cassette to text and back, for vcrpy."""

    @staticmethod
    def serialize(cassette: JsonObject) -> str:
        for exchange in cassette["interactions"]:
            exchange["request"]["body"] = _to_readable(exchange["request"]["body"])
            exchange["response"]["body"] = _to_readable(exchange["response"]["body"].get("string"))
        text: str = _YAML.dump(cassette, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
        return text

    @staticmethod
    def deserialize(text: str) -> JsonObject:
        cassette: JsonObject = yaml.load(text, Loader=_Loader)  # noqa: S506  the C implementation of SafeLoader
        for exchange in cassette["interactions"]:
            exchange["request"]["body"] = _to_bytes(exchange["request"]["body"])
            exchange["response"]["body"] = {"string": _to_bytes(exchange["response"]["body"])}
        return cassette


def _select_headers(headers: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name.lower(): value for name, value in headers.items() if name.lower() in names}


def _to_readable(body: bytes | str | None) -> JsonObject:
    if not body:
        return {}
    try:
        return {"json": orjson.loads(body)}
    except orjson.JSONDecodeError:
        return {"text": body if isinstance(body, str) else body.decode()}


def _to_bytes(body: JsonObject) -> bytes:
    return orjson.dumps(body["json"]) if "json" in body else str(body.get("text", "")).encode()


#: The stubs of these functions have parameters of unknown type.
_YAML: Any = yaml
#: The faster loader, which not every platform has.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, without YAML aliases."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _represent_text(dumper: Any, text: str) -> yaml.ScalarNode:
    node: yaml.ScalarNode = dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)
    return node


_Dumper.add_representer(str, _represent_text)

"""The bodies of recorded responses: VCR cassettes of several libraries, HAR, and the Azure test proxy.

A body is JSON or a stream of server-sent events; objects appear in it in the order in which they were seen.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

import orjson

from threadbridge.api_types import JsonMapping, is_json_list, is_json_object

#: Lists of interactions: HAR has its own below `log`.
_LISTS: Final = ("interactions", "http_interactions", "Entries", "entries")
_MAX_BODY_BYTES: Final = 1 << 28


def find_interactions(value: object) -> Sequence[object] | None:
    """The interactions of a recording, or None for anything else."""
    if not is_json_object(value):
        return None
    log: object = value.get("log")
    holder = log if is_json_object(log) else value
    for name in _LISTS:
        interactions: object = holder.get(name)
        if is_json_list(interactions) and interactions and all(_is_interaction(each) for each in interactions[:5]):
            return interactions
    requests, responses = value.get("requests"), value.get("responses")
    if is_json_list(requests) and is_json_list(responses) and len(requests) == len(responses):
        return [{"request": one, "response": other} for one, other in zip(requests, responses, strict=True)]
    return None


def _is_interaction(value: object) -> bool:
    return is_json_object(value) and (
        ("request" in value and "response" in value) or "ResponseBody" in value or "parsed_body" in value
    )


class RecordedBody(NamedTuple):
    """A JSON value of a response: its position, and what the URL of the request says about it."""

    position: str
    value: object
    thread_id: str | None
    run_id: str | None
    newest_first: bool


_THREAD_PATH: Final = re.compile(r"/threads/(?!runs)(?P<thread>[^/?]+)(?:/runs/(?P<run>[^/?]+))?")


def iterate_bodies(interactions: Iterable[object]) -> Iterator[RecordedBody]:
    """The JSON values of successful responses."""
    for number, interaction in enumerate(interactions):
        if not is_json_object(interaction):
            continue
        body, status = _find_body(interaction)
        if status is not None and not 200 <= status < 300:
            continue
        for index, value in enumerate(iterate_values(body)):
            position = f"[{number}]" if index == 0 else f"[{number}] event {index}"
            url = _find_url(interaction)
            found = _THREAD_PATH.search(url)
            order = parse_qs(urlsplit(url).query).get("order")
            yield RecordedBody(
                position, value, found and found["thread"], found and found["run"], newest_first=order != ["asc"]
            )


def _find_url(interaction: JsonMapping) -> str:
    request: object = interaction.get("request")
    holder = request if is_json_object(request) else interaction
    return next((url for name in ("uri", "url", "RequestUri", "path") if isinstance(url := holder.get(name), str)), "")


def _find_body(interaction: JsonMapping) -> tuple[object, int | None]:
    if "ResponseBody" in interaction:
        return interaction["ResponseBody"], _to_status(interaction.get("StatusCode"))
    response: object = interaction.get("response")
    if not is_json_object(response):
        return None, None
    status: object = response.get("status", response.get("status_code", response.get("code")))
    code = status.get("code") if is_json_object(status) else status
    body: object = response.get("body", response.get("parsed_body", response.get("content")))
    if is_json_object(body):
        encoded = body.get("base64_string")
        if body.get("encoding") == "base64" and isinstance(body.get("text"), str):
            encoded = body["text"]
        if isinstance(encoded, str):
            return _decode_base64(encoded), _to_status(code)
        body = next((body[name] for name in ("string", "text", "parsed_body") if name in body), body)
    return body, _to_status(code)


def _to_status(value: object) -> int | None:
    return int(value) if isinstance(value, int | str) and str(value).isdigit() else None


def _decode_base64(text: str) -> bytes | None:
    try:
        return base64.b64decode("".join(text.split()), validate=False)
    except binascii.Error:
        return None


def is_event_stream(sample: str) -> bool:
    """Whether a text is a stream of server-sent events with JSON."""
    return re.match(r"\s*(?:event:[^\n]*\n)?data:\s*[{\[]", sample) is not None


def iterate_values(body: object) -> Iterator[object]:
    """The JSON of a body: one value, or those of its events."""
    if is_json_object(body) or is_json_list(body):
        yield body
        return
    raw = body.encode("utf-8", "replace") if isinstance(body, str) else body
    if not isinstance(raw, bytes) or len(raw) > _MAX_BODY_BYTES:
        return
    if raw[:2] == b"\x1f\x8b":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error):
            return
    text = raw.strip()
    if text.startswith((b"event:", b"data:", b":")):
        yield from _iterate_events(text)
        return
    try:
        yield orjson.loads(text)
    except orjson.JSONDecodeError:
        return


def _iterate_events(text: bytes) -> Iterator[object]:
    """The data of server-sent events that are JSON."""
    for line in text.splitlines():
        name, _, data = line.partition(b":")
        if name == b"data" and data.strip().startswith(b"{"):
            try:
                yield orjson.loads(data)
            except orjson.JSONDecodeError:
                continue

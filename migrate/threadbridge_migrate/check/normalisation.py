"""The digest of a thread, by which two copies are compared.

Objects are compared as JSON values, whatever the order of their keys. Ids of files and vector stores that a ledger maps
are replaced by the new ones first, and metadata and tool resources of a thread that are null count as empty. Nothing
else may differ after a load.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, TypeAlias

import orjson

from threadbridge.api_types import JsonMapping, JsonObject, is_json_list, is_json_object
from threadbridge_migrate.load.defaults import fill_thread
from threadbridge_migrate.load.id_ledger import IdMapping, map_ids

#: Bytes of the hash of one object: two different objects of one id agree by chance in one of 2**64 cases.
_HASH_BYTES = 8

#: How much of a thread a copy has: everything; the same messages; messages with the same roles and texts; or less.
Grade: TypeAlias = Literal["full", "messages", "text", "none"]


class ThreadDigest(NamedTuple):
    """The hashes of a thread: of itself, of its messages, runs and steps by id and in order, and of its texts."""

    thread: str
    messages: list[tuple[str, str]]
    runs: list[tuple[str, str]]
    steps: list[tuple[str, str]]
    texts: str

    def encode(self) -> bytes:
        """The digest as bytes; equal threads have equal ones."""
        return orjson.dumps(tuple(self))

    @classmethod
    def decode(cls, content: bytes) -> ThreadDigest:
        """The digest of `encode`."""
        thread, messages, runs, steps, texts = orjson.loads(content)
        return cls(thread, _to_pairs(messages), _to_pairs(runs), _to_pairs(steps), texts)


def _to_pairs(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(object_id, value) for object_id, value in pairs]


def build_digest(
    thread: JsonObject | None,
    messages: Sequence[JsonObject],
    runs: Sequence[JsonObject],
    steps: Sequence[JsonObject],
    ids: IdMapping,
) -> ThreadDigest:
    """The digest of a thread whose lists are oldest first. Steps are compared by id, whatever their order."""
    texts = hashlib.sha256()
    for message in messages:
        texts.update(orjson.dumps([message.get("role"), *_list_texts(message)]))
    return ThreadDigest(
        _hash(fill_thread(thread or {}), ids),
        [(str(each.get("id")), _hash(each, ids)) for each in messages],
        [(str(each.get("id")), _hash(each, ids)) for each in runs],
        sorted((str(each.get("id")), _hash(each, ids)) for each in steps),
        texts.hexdigest()[: 2 * _HASH_BYTES],
    )


def _hash(body: JsonObject, ids: IdMapping) -> str:
    content = orjson.dumps(map_ids(body, ids), option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(content, digest_size=_HASH_BYTES).hexdigest()


def _list_texts(message: JsonMapping) -> list[str]:
    content: object = message.get("content")
    if isinstance(content, str):
        return [content]
    texts: list[str] = []
    for part in content if is_json_list(content) else ():
        text: object = part.get("text") if is_json_object(part) else None
        value = text.get("value") if is_json_object(text) else text
        if isinstance(value, str):
            texts.append(value)
    return texts


class Difference(NamedTuple):
    """How two copies of a thread differ: the grade of the second, and a sentence for each object."""

    grade: Grade
    sentences: list[str]


def compare(source: ThreadDigest, destination: ThreadDigest) -> Difference:
    """The differences of a copy from its source."""
    sentences: list[str] = []
    if source.thread != destination.thread:
        sentences.append("the thread object differs")
    for name, expected, found in (
        ("message", source.messages, destination.messages),
        ("run", source.runs, destination.runs),
        ("step", source.steps, destination.steps),
    ):
        known, present = dict(expected), dict(found)
        for object_id, value in expected:
            if object_id not in present:
                sentences.append(f"{name} {object_id} is missing")
            elif present[object_id] != value:
                sentences.append(f"{name} {object_id} differs")
        sentences += [f"{name} {object_id} is new" for object_id in present if object_id not in known]
        if expected != found and [each for each in found if each in set(expected)] != [
            each for each in expected if each in set(found)
        ]:
            sentences.append(f"the {name}s have another order")
        if len(found) != len(present):
            sentences.append(f"{len(found) - len(present)} {name}s are there twice")
    if not sentences:
        return Difference("full", sentences)
    if source.messages == destination.messages:
        return Difference("messages", sentences)
    return Difference("text" if source.texts == destination.texts else "none", sentences)

"""The published schema of the Assistants API, corrected where recordings of the real service contradict it."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from jsonschema_rs import Draft202012Validator

from threadbridge.api_types import JsonMapping, JsonObject, is_json_list, is_json_object
from threadbridge.ports import Event
from threadbridge.wire import Operation

_SHARED = Path(os.environ.get("THREADBRIDGE_SHARED", Path(__file__).parents[2] / "../shared"))
#: The slice of the published document that has `/assistants`, `/threads` and what they need.
SLICE = _SHARED / "reference" / "openapi-assistants.yaml"

ABSENT = "the published schema is not in ../shared"


class Contradiction(NamedTuple):
    """A difference between recordings and a schema: keys that may be missing, and changed properties."""

    rule: str
    schema: str
    reason: str
    optional: tuple[str, ...] = ()
    properties: Mapping[str, JsonObject] = {}


_NULL: JsonObject = {"type": "null"}
_ENVELOPE: JsonObject = {"$ref": "#/components/schemas/ErrorResponse"}
_TEXT_OR_NULL: JsonObject = {"type": ["string", "null"]}
_BUDGET: JsonObject = {"anyOf": [{"type": "integer", "minimum": 16}, _NULL]}

CONTRADICTIONS: tuple[Contradiction, ...] = (
    *(
        Contradiction(
            "A10",
            schema,
            "an empty list has no first and no last id",
            properties={"first_id": _TEXT_OR_NULL, "last_id": _TEXT_OR_NULL},
        )
        for schema in ("ListAssistantsResponse", "ListMessagesResponse", "ListRunsResponse", "ListRunStepsResponse")
    ),
    Contradiction(
        "A32",
        "MessageObject",
        "messages outside streams have no status group",
        optional=("status", "incomplete_details", "completed_at", "incomplete_at"),
    ),
    Contradiction(
        "A32",
        "MessageObject",
        "the response to a message update has file_ids instead of attachments",
        optional=("attachments",),
    ),
    Contradiction(
        "A72", "RunStepObject", "steps have expires_at, and no metadata", optional=("expired_at", "metadata")
    ),
    Contradiction(
        "A80",
        "RunObject",
        "budgets below 256 were accepted",
        properties={"max_prompt_tokens": _BUDGET, "max_completion_tokens": _BUDGET},
    ),
    Contradiction(
        "A45", "RunObject", "instructions are null if there are none", properties={"instructions": _TEXT_OR_NULL}
    ),
    Contradiction(
        "A48",
        "RunObject",
        "a run inherits more than 20 tools from an assistant",
        properties={"tools": {"maxItems": 128}},
    ),
    Contradiction("A97", "ErrorEvent", "the SDK raises only for the envelope", properties={"data": _ENVELOPE}),
)


class PublishedSchema:
    """Validators for bodies, errors and events. Each is compiled once."""

    def __init__(self, document: JsonObject) -> None:
        self._document = correct_schema(document)
        self._compiled: dict[str, Draft202012Validator] = {}
        self._bodies = dict(_iterate_body_refs(document))
        self._events = dict(_iterate_event_refs(document))

    def is_documented(self, operation: Operation) -> bool:
        """Whether the published document has the operation; extensions have no schema."""
        return (operation.method, operation.path) in self._bodies

    def find_body_faults(self, operation: Operation, body: JsonMapping) -> list[str]:
        """The faults of the response of a documented operation."""
        return self._find_faults(self._bodies[operation.method, operation.path], body)

    def find_error_faults(self, body: JsonMapping) -> list[str]:
        """The faults of an error body."""
        return self._find_faults("#/components/schemas/ErrorResponse", body)

    def find_event_faults(self, event: Event) -> list[str]:
        """The faults of an event, including its name."""
        if event.name not in self._events:
            return [f"the event {event.name} is not documented"]
        return self._find_faults(self._events[event.name], event.data)

    def _find_faults(self, ref: str, value: object) -> list[str]:
        validator = self._compiled.get(ref)
        if validator is None:
            schema = {"$ref": ref, "components": self._document["components"], "paths": self._document["paths"]}
            validator = self._compiled[ref] = Draft202012Validator(schema)
        return [f"{ref} at {error.instance_path}: {error.message}" for error in validator.iter_errors(value)]


@cache
def load_published_schema() -> PublishedSchema | None:
    """The schema; None if it is absent."""
    return PublishedSchema(yaml.load(SLICE.read_text(), yaml.CSafeLoader)) if SLICE.is_file() else None


def correct_schema(document: JsonObject) -> JsonObject:
    """A copy that allows what recordings contain. `nullable`, from older versions of the standard, becomes `anyOf`."""
    copied: JsonObject = copy.deepcopy(document)
    _spell_out_nullable(copied)
    schemas = copied["components"]["schemas"]
    for contradiction in CONTRADICTIONS:
        schema = schemas[contradiction.schema]
        schema["required"] = [key for key in schema["required"] if key not in contradiction.optional]
        for name, change in contradiction.properties.items():
            schema["properties"][name].update(change)
    return copied


def _spell_out_nullable(part: Any) -> None:
    if is_json_list(part):
        for one in part:
            _spell_out_nullable(one)
    elif is_json_object(part):
        for one in part.values():
            _spell_out_nullable(one)
        if part.get("nullable") is True:
            plain = {key: value for key, value in part.items() if key != "nullable"}
            part.clear()
            part["anyOf"] = [plain, _NULL]


def _iterate_body_refs(document: JsonObject) -> Iterator[tuple[tuple[str, str], str]]:
    """The reference of the answer's schema by method and path."""
    for path, methods in document["paths"].items():
        for method in methods.keys() & {"get", "post", "delete"}:
            answer = methods[method]["responses"]["200"]
            yield (method.upper(), path), answer["content"]["application/json"]["schema"]["$ref"]


def _iterate_event_refs(document: JsonObject) -> Iterator[tuple[str, str]]:
    """The reference of the data of every event by its name."""
    schemas = document["components"]["schemas"]
    for union in schemas["AssistantStreamEvent"]["oneOf"]:
        ref: str = union["$ref"]
        schema = schemas[ref.rpartition("/")[2]]
        kinds = schema.get("oneOf", [schema])
        for at, kind in enumerate(kinds):
            location = f"{ref}/oneOf/{at}" if "oneOf" in schema else ref
            yield kind["properties"]["event"]["enum"][0], f"{location}/properties/data"

"""The published schema covers the operations and finds faults."""

from __future__ import annotations

import pytest
import yaml

from tests.conformance.published_schema import ABSENT, CONTRADICTIONS, SLICE, Contradiction, PublishedSchema
from threadbridge.api_types import JsonObject
from threadbridge.ports import Event
from threadbridge.wire import OPERATIONS

pytestmark = pytest.mark.skipif(not SLICE.is_file(), reason=ABSENT)

#: Operations that the service never had.
EXTENSIONS = {"list_threads", "follow_run", "report_run"}


@pytest.fixture(scope="module")
def document() -> JsonObject:
    loaded: JsonObject = yaml.load(SLICE.read_text(), yaml.CSafeLoader)
    return loaded


@pytest.fixture(scope="module")
def schema(document: JsonObject) -> PublishedSchema:
    return PublishedSchema(document)


def test_every_documented_operation_is_implemented_and_all_others_are_extensions(
    document: JsonObject, schema: PublishedSchema
) -> None:
    documented = [(path, method) for path, methods in document["paths"].items() for method in methods]

    ours = [operation for operation in OPERATIONS if schema.is_documented(operation)]
    assert len(documented) == len(ours) == 23
    assert {operation.name for operation in OPERATIONS} - {operation.name for operation in ours} == EXTENSIONS


def test_an_operation_accepts_exactly_the_documented_query_parameters(
    document: JsonObject, schema: PublishedSchema
) -> None:
    for operation in filter(schema.is_documented, OPERATIONS):
        described = document["paths"][operation.path][operation.method.lower()].get("parameters", [])
        names = {parameter["name"].removesuffix("[]") for parameter in described if parameter["in"] == "query"}
        # The document forgets it (A77).
        forgotten = {"include"} if operation.name == "create_thread_and_run" else set[str]()
        assert operation.query == names | forgotten, operation.name


def test_a_missing_key_is_a_fault(schema: PublishedSchema) -> None:
    retrieve = next(operation for operation in OPERATIONS if operation.name == "retrieve_thread")

    assert schema.find_body_faults(retrieve, {"id": "thread_1"}) != []
    assert schema.find_event_faults(Event("thread.created", {"id": "thread_1"})) != []
    assert schema.find_event_faults(Event("thread.invented", {})) != []
    assert schema.find_error_faults({"error": {"message": "No."}}) != []


@pytest.mark.parametrize("contradiction", CONTRADICTIONS, ids=[f"{one.rule}-{one.schema}" for one in CONTRADICTIONS])
def test_a_contradiction_names_existing_keys_of_the_published_schema(
    document: JsonObject, contradiction: Contradiction
) -> None:
    published = document["components"]["schemas"][contradiction.schema]

    assert set(contradiction.optional) <= set(published["required"])
    assert contradiction.properties.keys() <= published["properties"].keys()

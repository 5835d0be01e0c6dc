"""Counts how much of the published API, the rules and the recordings the product covers."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import yaml

from tests.bridge.translation.upstream_events import STREAMS, translator
from tests.bridge.validation.recorded_requests import SPECS
from tests.conformance import rejected_requests
from tests.conformance.published_schema import CONTRADICTIONS, SLICE
from tests.conformance.recorded_sessions.session_replay import Verdict
from tests.conformance.replay import ReplayResult
from tests.conformance.rule_coverage import OTHER_COVERAGE, RULES, find_numbered_tests
from tests.emulated_service import WEATHER, EmulatedService, open_service, run_path
from threadbridge.api_types import JsonMapping, JsonObject, JsonValue, is_json_object
from threadbridge.errors import UpstreamError
from threadbridge.ports import Event
from threadbridge.schemas import error_messages
from threadbridge.schemas.error_messages import ErrorTemplate
from threadbridge.sse import SSEDecoder
from threadbridge.translation.stream_translator import TurnInterruption
from threadbridge.wire import OPERATIONS
from threadbridge.wire.event_stream import FrameStream


class Tally(NamedTuple):
    """The number of covered items, and the open items by name."""

    subject: str
    covered: int
    open_items: tuple[str, ...]

    @property
    def total(self) -> int:
        return self.covered + len(self.open_items)


def _make_tally(subject: str, expected: Iterable[str], actual: Iterable[str]) -> Tally:
    expected, actual = sorted(set(expected)), set(actual)
    return Tally(subject, len(actual.intersection(expected)), tuple(each for each in expected if each not in actual))


# -- The published API -------------------------------------------------------------------------------------------------

_OBJECTS = ("AssistantObject", "ThreadObject", "MessageObject", "RunObject", "RunStepObject")


async def tally_schema() -> list[Tally]:
    """Operations, parameters, properties of responses and events, compared with the published document."""
    document: JsonObject = yaml.load(SLICE.read_text(), yaml.CSafeLoader)
    properties, events = await _observe_service()
    return [
        _make_tally("operations", (name for name, _ in _iterate_documented(document)), _iterate_operations()),
        _make_tally("parameters", _iterate_parameters(document), _iterate_accepted_parameters()),
        _make_tally("properties of objects", _iterate_properties(document, properties), properties),
        _make_tally("events", _iterate_events(document), events),
    ]


def _iterate_documented(document: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    for path, methods in document["paths"].items():
        for method in methods.keys() & {"get", "post", "delete"}:
            yield f"{method.upper()} {path}", methods[method]


def _iterate_operations() -> Iterator[str]:
    return (f"{operation.method} {operation.path}" for operation in OPERATIONS)


def _iterate_parameters(document: JsonObject) -> Iterator[str]:
    for name, operation in _iterate_documented(document):
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "query":
                yield f"{name} ?{parameter['name'].removesuffix('[]')}"
        for body in operation.get("requestBody", {}).get("content", {}).values():
            schema = document["components"]["schemas"][body["schema"]["$ref"].rpartition("/")[2]]
            yield from (f"{name} {field}" for field in schema["properties"])


def _iterate_accepted_parameters() -> Iterator[str]:
    for operation in OPERATIONS:
        name = f"{operation.method} {operation.path}"
        yield from (f"{name} ?{parameter}" for parameter in operation.query)
        spec = SPECS.get(f"/v1{operation.path}") if operation.method == "POST" else None
        yield from (f"{name} {field}" for field in (spec.fields if spec is not None else ()))


def _iterate_properties(document: JsonObject, observed: set[str]) -> Iterator[str]:
    """The properties in the schema, without those that no recording has."""
    for name in _OBJECTS:
        schema = document["components"]["schemas"][name]
        kind = schema["properties"]["object"]["enum"][0]
        contradicted = {field for each in CONTRADICTIONS if each.schema == name for field in each.optional}
        for field in schema["properties"]:
            if field not in contradicted or f"{kind} {field}" in observed:
                yield f"{kind} {field}"


def _iterate_events(document: JsonObject) -> Iterator[str]:
    schemas = document["components"]["schemas"]
    for union in schemas["AssistantStreamEvent"]["oneOf"]:
        schema = schemas[union["$ref"].rpartition("/")[2]]
        yield from (kind["properties"]["event"]["enum"][0] for kind in schema.get("oneOf", [schema]))


async def _observe_service() -> tuple[set[str], set[str]]:
    """The properties and events observed in a tool loop and in every kind of ending."""
    async with open_service() as service:
        bodies = [body async for body in _iterate_bodies(service)]
        events_seen = await service.collect_events(
            "/threads/runs", assistant_id=await service.create_assistant(instructions="Say hello.")
        )
    broken = [
        each
        for frame in [frame async for frame in FrameStream(_BrokenStream(), request_id="req_1")]
        for each in SSEDecoder().receive_data(frame)
    ]
    events = (
        {each.name for each in events_seen}
        | {event.name for event in _iterate_ending_events()}
        | {each.event for each in broken}
    )
    bodies += [each.data for each in events_seen if is_json_object(each.data)]
    return {f"{body['object']} {field}" for body in bodies for field in body}, events


async def _iterate_bodies(service: EmulatedService) -> AsyncIterator[JsonMapping]:
    run = await service.submit_outputs(await service.run_to_rest("CALL get_weather {}", tools=[WEATHER]))
    yield run
    yield (await service.get(f"/assistants/{run['assistant_id']}")).body
    yield (await service.get(f"/threads/{run['thread_id']}")).body
    for body in [*await service.list_messages(run), *await service.list_steps(await service.retrieve_run(run))]:
        yield body
    yield (await service.get(run_path(run))).body


class _BrokenStream(AsyncIterator[Event]):
    async def __anext__(self) -> Event:
        raise UpstreamError("The service is gone.")


def _iterate_ending_events() -> Iterator[Event]:
    for stream in STREAMS.values():
        turn = translator()
        for event in stream:
            yield from turn.translate(event)
        for ending in ("failed", "cancelled", "expired"):
            turn = translator()
            for event in stream[: len(stream) // 2]:
                yield from turn.translate(event)
            if turn.outcome is None:
                yield from turn.interrupt(TurnInterruption(ending))


# -- Rules and texts ---------------------------------------------------------------------------------------------------


def tally_rules() -> Tally:
    """Rules with a test, a numbered difference or nothing to do are covered; those left to an issue are open."""
    tested = find_numbered_tests()
    left = {
        rule: row for rule, row in OTHER_COVERAGE.items() if rule not in tested and row.coverage.startswith("issue")
    }
    named = tuple(f"A{rule} ({row.coverage}): {row.reason}" for rule, row in left.items())
    return Tally("rules", len(RULES) - len(named), named)


def tally_error_texts() -> Tally:
    """Every error text is caused by a request of the tests and compared literally."""
    templates = [each for each in vars(error_messages).values() if isinstance(each, ErrorTemplate)]
    messages = [fault.message for fault in _iterate_faults()]
    matched = [each.text for each in templates if any(_compile_pattern(each).match(message) for message in messages)]
    return _make_tally("error texts", (each.text for each in templates), matched)


def _iterate_faults() -> Iterator[rejected_requests.RejectedRequest]:
    tables: list[Mapping[str, Any]] = [table for table in vars(rejected_requests).values() if is_json_object(table)]
    return (
        fault for table in tables for fault in table.values() if isinstance(fault, rejected_requests.RejectedRequest)
    )


def _compile_pattern(template: ErrorTemplate) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{\w+\\\}", ".*", re.escape(template.text)), re.DOTALL)


# -- Recordings --------------------------------------------------------------------------------------------------------


def tally_recordings(outcome: ReplayResult) -> list[Tally]:
    """The recorded requests that the product answers like the real service."""
    counted = [each for each in outcome.judged if each.verdict is not Verdict.NOT_REPLAYABLE]
    good = [each for each in counted if each.verdict is not Verdict.FAILED]
    failed = tuple(
        f"{each.exchange.method} {each.exchange.path} ({each.exchange.file})" for each in outcome.select(Verdict.FAILED)
    )
    refused = [
        each for each in counted if each.exchange.status is not None and each.exchange.status >= _FIRST_ERROR_STATUS
    ]
    texts = {_normalize_error_text(each.exchange.response_json) for each in refused}
    same = {_normalize_error_text(each.exchange.response_json) for each in refused if each.verdict is Verdict.EQUAL}
    return [
        Tally("recorded answers", len(good), failed),
        _make_tally("recorded error texts", texts, same),
    ]


def _normalize_error_text(body: JsonValue) -> str:
    error = body.get("error") if is_json_object(body) else None
    message = error.get("message") if is_json_object(error) else None
    return re.sub(r"\b[a-z]+_[A-Za-z0-9]{8,}", "…", str(message))


_FIRST_ERROR_STATUS = 400

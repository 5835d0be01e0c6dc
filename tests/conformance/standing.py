"""How much of the published API, the rules and the recordings the product answers: counted, never estimated."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import yaml

from tests.bridge.translation.upstream_events import STREAMS, translator
from tests.bridge.validation.recorded_requests import SPECS
from tests.conformance import faults
from tests.conformance.golden.judge import Verdict
from tests.conformance.published import CONTRADICTIONS, SLICE
from tests.conformance.replay import Outcome
from tests.conformance.rules import ELSEWHERE, RULES, numbered_tests
from tests.differences.service import WEATHER, Service, emulated, path_of
from threadbridge.errors import UpstreamError
from threadbridge.ports import Event, Wire
from threadbridge.schemas import error_messages
from threadbridge.schemas.error_messages import ErrorTemplate
from threadbridge.sse import SSEDecoder
from threadbridge.translation.turn_result import TurnInterruption
from threadbridge.wire import OPERATIONS
from threadbridge.wire.event_stream import FrameStream


class Tally(NamedTuple):
    """So many of so many; what is open, by name."""

    of_what: str
    done: int
    open: tuple[str, ...]

    @property
    def all(self) -> int:
        return self.done + len(self.open)


def _tally(of_what: str, wanted: Iterable[str], there: Iterable[str]) -> Tally:
    wanted, there = sorted(set(wanted)), set(there)
    return Tally(of_what, len(there.intersection(wanted)), tuple(each for each in wanted if each not in there))


# -- The published API -------------------------------------------------------------------------------------------------

_OBJECTS = ("AssistantObject", "ThreadObject", "MessageObject", "RunObject", "RunStepObject")


async def of_the_schema() -> list[Tally]:
    """Operations, what they can be asked, what their answers show, and events, against the published document."""
    document: Wire = yaml.load(SLICE.read_text(), yaml.CSafeLoader)
    shown, events = await _shown()
    return [
        _tally("operations", (name for name, _ in _documented(document)), _operations()),
        _tally("parameters", _parameters(document), _taken()),
        _tally("properties of objects", _properties(document, shown), shown),
        _tally("events", _events(document), events),
    ]


def _documented(document: Wire) -> Iterator[tuple[str, Wire]]:
    for path, methods in document["paths"].items():
        for method in methods.keys() & {"get", "post", "delete"}:
            yield f"{method.upper()} {path}", methods[method]


def _operations() -> Iterator[str]:
    return (f"{operation.method} {operation.path}" for operation in OPERATIONS)


def _parameters(document: Wire) -> Iterator[str]:
    for name, operation in _documented(document):
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "query":
                yield f"{name} ?{parameter['name'].removesuffix('[]')}"
        for body in operation.get("requestBody", {}).get("content", {}).values():
            schema = document["components"]["schemas"][body["schema"]["$ref"].rpartition("/")[2]]
            yield from (f"{name} {field}" for field in schema["properties"])


def _taken() -> Iterator[str]:
    for operation in OPERATIONS:
        name = f"{operation.method} {operation.path}"
        yield from (f"{name} ?{parameter}" for parameter in operation.query)
        spec = SPECS.get(f"/v1{operation.path}") if operation.method == "POST" else None
        yield from (f"{name} {field}" for field in (spec.fields if spec is not None else ()))


def _properties(document: Wire, shown: set[str]) -> Iterator[str]:
    """What the schema shows, but for what recordings never do."""
    for name in _OBJECTS:
        schema = document["components"]["schemas"][name]
        kind = schema["properties"]["object"]["enum"][0]
        contradicted = {field for each in CONTRADICTIONS if each.schema == name for field in each.optional}
        for field in schema["properties"]:
            if field not in contradicted or f"{kind} {field}" in shown:
                yield f"{kind} {field}"


def _events(document: Wire) -> Iterator[str]:
    schemas = document["components"]["schemas"]
    for union in schemas["AssistantStreamEvent"]["oneOf"]:
        schema = schemas[union["$ref"].rpartition("/")[2]]
        yield from (kind["properties"]["event"]["enum"][0] for kind in schema.get("oneOf", [schema]))


async def _shown() -> tuple[set[str], set[str]]:
    """The properties and the events that the product was seen to show, in a tool loop and in every kind of ending."""
    async with emulated() as service:
        bodies = [body async for body in _bodies(service)]
        told = await service.stream("/threads/runs", assistant_id=await service.assistant(instructions="Say hello."))
    broken = [
        each
        for frame in [frame async for frame in FrameStream(_Broken(), request_id="req_1")]
        for each in SSEDecoder().receive_data(frame)
    ]
    events = {each.name for each in told} | {event.name for event in _endings()} | {each.event for each in broken}
    bodies += [each.data for each in told if isinstance(each.data, dict)]
    return {f"{body['object']} {field}" for body in bodies for field in body}, events


async def _bodies(service: Service) -> AsyncIterator[Wire]:
    run = await service.answered(await service.run("CALL get_weather {}", tools=[WEATHER]))
    yield run
    yield (await service.get(f"/assistants/{run['assistant_id']}")).body
    yield (await service.get(f"/threads/{run['thread_id']}")).body
    for body in [*await service.messages(run), *await service.steps(await service.look(run))]:
        yield body
    yield (await service.get(path_of(run))).body


class _Broken(AsyncIterator[Event]):
    async def __anext__(self) -> Event:
        raise UpstreamError("The service is gone.")


def _endings() -> Iterator[Event]:
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


def of_the_rules() -> Tally:
    """Every rule has a test, a numbered difference or nothing to it; those left to an issue are open."""
    tested = numbered_tests()
    left = {rule: row for rule, row in ELSEWHERE.items() if rule not in tested and row.where.startswith("issue")}
    named = tuple(f"A{rule} ({row.where}): {row.why}" for rule, row in left.items())
    return Tally("rules", len(RULES) - len(named), named)


def of_the_texts() -> Tally:
    """Every error text is caused by a request of the tests and compared word for word."""
    complaints = [each for each in vars(error_messages).values() if isinstance(each, ErrorTemplate)]
    told = [fault.message for fault in _faults()]
    seen = [each.text for each in complaints if any(_pattern(each).match(message) for message in told)]
    return _tally("error texts", (each.text for each in complaints), seen)


def _faults() -> Iterator[faults.Fault]:
    tables: list[Mapping[str, Any]] = [table for table in vars(faults).values() if isinstance(table, dict)]
    return (fault for table in tables for fault in table.values() if isinstance(fault, faults.Fault))


def _pattern(complaint: ErrorTemplate) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{\w+\\\}", ".*", re.escape(complaint.text)), re.DOTALL)


# -- Recordings --------------------------------------------------------------------------------------------------------


def of_the_recordings(outcome: Outcome) -> list[Tally]:
    """What was asked of the real service, and is answered in the same way by the product."""
    counted = [each for each in outcome.judged if each.verdict is not Verdict.NOT_REPLAYABLE]
    good = [each for each in counted if each.verdict is not Verdict.FAILED]
    failed = tuple(f"{each.seen.method} {each.seen.path} ({each.seen.file})" for each in outcome.of(Verdict.FAILED))
    refused = [each for each in counted if each.seen.status is not None and each.seen.status >= _REFUSED]
    texts = {_text(each.seen.response_json) for each in refused}
    same = {_text(each.seen.response_json) for each in refused if each.verdict is Verdict.EQUAL}
    return [
        Tally("recorded answers", len(good), failed),
        _tally("recorded error texts", texts, same),
    ]


def _text(body: Any) -> str:
    error = body.get("error") if isinstance(body, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    return re.sub(r"\b[a-z]+_[A-Za-z0-9]{8,}", "…", str(message))


_REFUSED = 400

"""Replays one session: sends every request to the product and compares every response with the recorded one."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import orjson

from tests.conformance.recorded_sessions.comparison import Mismatch, compare, compare_events
from tests.conformance.recorded_sessions.differences import NOT_STORED, NOT_YET_VISIBLE, find_difference_number
from tests.conformance.recorded_sessions.gateway_under_test import (
    CreationRejected,
    GatewayUnderTest,
    Reply,
    encode_recorded_body,
    open_gateway,
)
from tests.conformance.recorded_sessions.id_map import IdMap
from tests.conformance.recorded_sessions.prior_objects import PriorObject, infer_priors
from tests.conformance.recorded_sessions.recordings import (
    RecordedExchange,
    find_answer_time,
    find_creation_time,
    is_assistants_request,
    iterate_objects,
)
from tests.conformance.recorded_sessions.run_records import (
    RunRecord,
    collect_run_records,
    is_in_flight,
    locks_thread,
    was_started,
)
from tests.conformance.recorded_sessions.scripted_upstream import SCRIPT, RunScript
from tests.conformance.recorded_sessions.sessions import ID, Session, list_created_ids
from tests.request_context import CONTEXT
from threadbridge.api_types import JsonValue, is_json_object
from threadbridge.errors import BridgeError
from threadbridge.sse import SSEDecoder


class Verdict(Enum):
    """The result of one replayed exchange."""

    EQUAL = "equal"
    NUMBERED = "numbered differences"
    FAILED = "failures"
    NOT_REPLAYABLE = "not replayable"


@dataclass
class JudgedExchange:
    """One exchange and its verdict, with the mismatches or the reason why it was not replayed."""

    exchange: RecordedExchange
    verdict: Verdict
    mismatches: list[Mismatch] = field(default_factory=list[Mismatch])
    numbers: frozenset[int] = frozenset()
    reason: str = ""


async def replay_session(session: Session) -> list[JudgedExchange]:
    """The verdict on every exchange of a session."""
    judged = [
        JudgedExchange(exchange, Verdict.NOT_REPLAYABLE, reason=reason) for exchange, reason in session.not_replayable
    ]
    async with open_gateway() as opened:
        try:
            again = _SessionReplay(session, opened)
        except Exception as error:
            return [*judged, *(_make_failure(seen, error) for seen in session.exchanges)]
        return [*judged, *(each for each in await again.judge_all() if getattr(each.exchange, "is_recorded", True))]


def _make_failure(exchange: RecordedExchange, error: Exception) -> JudgedExchange:
    """Make an error of the replay itself a failure."""
    return JudgedExchange(exchange, Verdict.FAILED, [Mismatch("value", ("the replay",), "an answer", repr(error))])


#: The status of a run in an error text: `Cannot cancel run with status 'completed'.`
_STATUS = re.compile(r"status ['\"](\w+)['\"]")
_MAX_POLLS = 2000
#: Seconds; a response in this process takes milliseconds.
_EXCHANGE_TIMEOUT = 20.0


class _SessionReplay:
    def __init__(self, session: Session, opened: GatewayUnderTest) -> None:
        self._exchanges = session.exchanges
        self._product = opened
        self._ids = IdMap()
        self._run_records = collect_run_records(session.exchanges)
        self._scripts = {run_id: RunScript(story) for run_id, story in self._run_records.items()}
        self._priors = infer_priors(session.exchanges)
        self._rejections_by_id: dict[str, str] = {}
        self._early_replies: dict[int, Reply] = {}  # replayed during an earlier stream

    async def judge_all(self) -> list[JudgedExchange]:
        """Replay the exchanges in order."""
        judged: list[JudgedExchange] = []
        for number, exchange in enumerate(self._exchanges):
            try:
                async with asyncio.timeout(_EXCHANGE_TIMEOUT):
                    judged.append(await self._judge(number, exchange))
            except Exception as error:
                judged.append(_make_failure(exchange, error))
        return judged

    async def _judge(self, number: int, exchange: RecordedExchange) -> JudgedExchange:
        if not is_assistants_request(exchange):
            return await self._judge_passthrough(exchange)
        at = self._find_time(number)
        await self._create_priors(at)
        reason = self._find_obstacle(number, exchange)
        if reason is not None:
            return JudgedExchange(exchange, Verdict.NOT_REPLAYABLE, reason=reason)
        self._product.set_time(at)
        for story in self._run_records.values():
            await self._advance_run(story, number, exchange)
        SCRIPT.set(self._select_script(number, exchange))
        reply = self._early_replies.pop(number, None) or await self._send(number, exchange)
        return self._compare_reply(exchange, reply, hidden_by=self._find_hiding_difference(number, exchange))

    async def _send(self, number: int, exchange: RecordedExchange) -> Reply:
        """The response to a request; an interruption of a recorded stream is repeated."""
        disconnected, parts = (
            asyncio.Event(),
            (self._ids.to_ours(exchange.path or ""), self._ids.to_ours(exchange.query)),
        )
        sending = self._product.send(
            exchange, path=parts[0], query=parts[1], body=self._translate_body(exchange), disconnected=disconnected
        )
        run_record = _find_interrupted_run(self._run_records.values(), number, exchange)
        if run_record is None:
            return await sending
        answering = asyncio.ensure_future(sending)
        speaking = asyncio.ensure_future(self._scripts[run_record.run_id].output_sent.wait())
        try:
            await asyncio.wait((answering, speaking), return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                await self._interrupt(run_record, number, exchange, disconnected)
            return await answering
        finally:
            speaking.cancel()
            answering.cancel()

    async def _interrupt(
        self, run_record: RunRecord, number: int, exchange: RecordedExchange, disconnected: asyncio.Event
    ) -> None:
        """Disconnect the client, expire the run or cancel it, as recorded."""
        if not _is_whole(exchange):
            disconnected.set()
        elif run_record.last_run["status"] == "expired":
            self._product.set_time(run_record.snapshots[0][1]["expires_at"])
        else:
            reply = await self._product.cancel_newest_run()
            later = enumerate(self._exchanges[number + 1 :], number + 1)
            path = f"/runs/{run_record.run_id}/cancel"
            asked = next((at for at, each in later if (each.path or "").endswith(path) and each.status == _OK), None)
            if asked is not None:
                self._early_replies[asked] = reply

    # -- Before a request ----------------------------------------------------------------------------------------------

    def _find_time(self, number: int) -> float | None:
        """The time of the exchange, or an upper bound from later ones."""
        for exchange in self._exchanges[number:]:
            at = find_creation_time(exchange) or find_answer_time(exchange)
            if at is not None:
                return at
        return None

    async def _create_priors(self, now: float | None) -> None:
        """Create the prior objects of this time whose thread exists."""
        due = [prior for prior in self._priors if now is None or prior.at <= now]
        for prior in due:
            if all(map(self._ids.knows, ID.findall(prior.path))):
                self._priors.remove(prior)
                self._product.set_time(prior.at)
                await self._create_prior(prior)

    async def _create_prior(self, prior: PriorObject) -> None:
        body = orjson.loads(self._ids.to_ours(orjson.dumps(prior.body).decode()))
        try:
            created = await self._product.create(self._ids.to_ours(prior.path), body)
        except CreationRejected as refused:
            self._rejections_by_id[prior.recorded_id] = str(refused)
        else:
            self._ids.pair(prior.recorded_id, created["id"])

    def _find_obstacle(self, number: int, exchange: RecordedExchange) -> str | None:
        """The reason why this exchange cannot be replayed in its session; None if it can."""
        if exchange.status == _NOT_FOUND or self._is_under_way(number, exchange):
            return None
        for object_id in ID.findall(f"{exchange.path}?{exchange.query}"):
            if not self._ids.knows(object_id) and object_id.split("_")[0] in _OWN_KINDS:
                rejection = self._rejections_by_id.get(object_id)
                made = any(object_id in list_created_ids(each) for each in self._exchanges[:number])
                if rejection is not None:
                    return f"{object_id} was there before and cannot be made again ({rejection})"
                return f"{object_id} was {'not made by the product' if made else 'made outside of the recording'}"
        return None

    def _select_script(self, number: int, exchange: RecordedExchange) -> RunScript:
        """The script of the run that a request creates, continues or retrieves."""
        here = [story for story in self._run_records.values() if story.snapshots[0][0] == number]
        asked = [self._run_records[each] for each in ID.findall(exchange.path or "") if each in self._run_records]
        run_record = next(iter([*asked, *here]), None)
        return (
            self._scripts[run_record.run_id]
            if run_record is not None
            else RunScript(RunRecord("", snapshots=[(0, {})]))
        )

    def _translate_body(self, exchange: RecordedExchange) -> bytes:
        if exchange.request_json is not None:
            return self._ids.to_ours(orjson.dumps(exchange.request_json).decode()).encode()
        body = exchange.request_body or b""
        return body if isinstance(body, bytes) else self._ids.to_ours(body).encode()

    # -- Advance runs to their recorded state --------------------------------------------------------------------------

    async def _advance_run(self, run_record: RunRecord, number: int, exchange: RecordedExchange) -> None:
        """Advance a run to the state that the recorded run had at this exchange."""
        script, turn = self._scripts[run_record.run_id], run_record.find_turn_at(number)
        if exchange.sse is not None and any(at == number for at, _ in run_record.snapshots):
            script.allow_end(turn + (number in run_record.submit_numbers))
            return
        if number == run_record.snapshots[0][0] or number in run_record.submit_numbers:
            after = next((run for at, run in run_record.snapshots if at > number), None)
            if number in run_record.submit_numbers:
                await self._wait_until_over(run_record, turn)
                turn += 1
            if after is None or was_started(after):
                script.allow_start(turn)
            return
        if not self._ids.knows(run_record.run_id):
            return
        match self._find_expected_status(run_record, number, exchange):
            case "queued" | "cancelling" | None:
                pass
            case "in_progress":
                script.allow_start(turn)
                await self._wait_until(run_record, lambda status: status != "queued")
            case "expired":
                self._product.set_time(run_record.snapshots[0][1]["expires_at"])
            case "cancelled":
                await self._wait_until(run_record, lambda status: status == "cancelled")
            case _:
                await self._wait_until_over(run_record, turn)

    def _find_expected_status(self, run_record: RunRecord, number: int, exchange: RecordedExchange) -> str | None:
        """The status that the run must have for this exchange; None: any."""
        snapshot = next((run for at, run in run_record.snapshots if at == number), None)
        if snapshot is not None:
            return str(snapshot["status"])
        body = exchange.response_json
        if run_record.run_id in (exchange.path or "") and is_json_object(body) and "error" in body:
            status_match = _STATUS.search(str(body["error"].get("message")))
            return status_match[1] if status_match is not None else None
        if run_record.thread_id not in (exchange.path or "") or any(
            is_in_flight(run) for at, run in run_record.snapshots if at > number
        ):
            return None
        ended = run_record.last_run["status"]
        if exchange.method == "GET" and run_record.snapshots[0][0] < number:
            return ended if self._shows_objects_of(run_record, exchange) else None
        return (
            ended
            if exchange.method == "POST" and exchange.status == _OK and not locks_thread(run_record.last_run)
            else None
        )

    def _find_hiding_difference(self, number: int, exchange: RecordedExchange) -> int | None:
        """The number of the difference because of which the product may list fewer messages or steps here."""
        if self._is_under_way(number, exchange):
            return NOT_YET_VISIBLE
        run_records = (story for story in self._run_records.values() if self._shows_objects_of(story, exchange))
        cut_off = any(story.is_cut_off and not story.fragments for story in run_records)
        return NOT_STORED if exchange.method == "GET" and cut_off else None

    def _is_under_way(self, number: int, exchange: RecordedExchange) -> bool:
        """Whether the response has messages or steps of an unfinished turn."""
        return any(
            story.is_under_way(number, list(iterate_objects(exchange)))
            for story in self._run_records.values()
            if exchange.method == "GET" and self._shows_objects_of(story, exchange)
        )

    def _shows_objects_of(self, run_record: RunRecord, exchange: RecordedExchange) -> bool:
        body = exchange.response_json
        listed: list[JsonValue] = body.get("data", [body]) if is_json_object(body) else []
        return any(each.get("run_id") == run_record.run_id for each in listed if is_json_object(each))

    async def _wait_until_over(self, run_record: RunRecord, turn: int) -> None:
        self._scripts[run_record.run_id].allow_end(turn)
        await self._wait_until(run_record, lambda status: status not in ("queued", "in_progress"))

    async def _wait_until(self, run_record: RunRecord, condition: Callable[[str], bool]) -> None:
        """Poll until the run has the status; if it never has, the comparison fails."""
        thread_id, run_id = self._ids.get_ours(run_record.thread_id), self._ids.get_ours(run_record.run_id)
        for _ in range(_MAX_POLLS):
            try:
                run = (await self._product.backend.retrieve_run(CONTEXT, thread_id, run_id)).run
            except BridgeError:  # deleted, or never there
                return
            if condition(run["status"]):
                return
            await asyncio.sleep(0)

    # -- After it ------------------------------------------------------------------------------------------------------

    async def _judge_passthrough(self, exchange: RecordedExchange) -> JudgedExchange:
        """Send a request to another API through the gateway to a service that returns the recorded response."""
        self._product.passthrough.expected = exchange
        reply = await self._product.send(
            exchange, path=exchange.path or "", query=exchange.query, body=self._translate_body(exchange)
        )
        same = reply.status == exchange.status and reply.body == encode_recorded_body(exchange)
        if same:
            return JudgedExchange(exchange, Verdict.EQUAL)
        return JudgedExchange(
            exchange, Verdict.FAILED, [Mismatch("value", ("relayed",), exchange.status, reply.status)]
        )

    def _compare_reply(self, exchange: RecordedExchange, reply: Reply, *, hidden_by: int | None) -> JudgedExchange:
        mismatches = list(self._iterate_mismatches(exchange, reply))
        hidden = any(map(_shows_fewer, mismatches))
        numbers = [
            find_difference_number(mismatch, exchange, hidden_by=hidden_by if hidden else None)
            for mismatch in mismatches
        ]
        failures = [mismatch for mismatch, number in zip(mismatches, numbers, strict=True) if number is None]
        known = frozenset(number for number in numbers if number is not None)
        verdict = Verdict.FAILED if failures else Verdict.NUMBERED if known else Verdict.EQUAL
        return JudgedExchange(exchange, verdict, failures or mismatches, known)

    def _iterate_mismatches(self, exchange: RecordedExchange, reply: Reply) -> Iterator[Mismatch]:
        if reply.status != exchange.status:
            yield Mismatch("value", ("status",), exchange.status, reply.status)
            yield from compare(exchange.response_json, self._ids.to_recorded(_parse_json(reply)))
            return
        yield from _compare_headers(exchange, reply)
        if exchange.sse is not None:
            recorded = [(name or "", data) for name, data in exchange.sse]
            ours = list(_parse_events(reply))
            if not _is_whole(exchange):  # the client left, and its recording ends there
                ours = ours[: len(recorded)]
            self._ids.learn(_group_by_name(recorded), _group_by_name(ours))
            yield from compare_events(recorded, [(name, self._ids.to_recorded(data)) for name, data in ours])
            return
        self._ids.learn(exchange.response_json, _parse_json(reply))
        yield from compare(exchange.response_json, self._ids.to_recorded(_parse_json(reply)))
        yield from _compare_layout(exchange, reply)


def _shows_fewer(mismatch: Mismatch) -> bool:
    """Whether the product lists fewer objects, or lacks the requested one."""
    listed = mismatch.path == ("data",) and mismatch.kind == "length" and mismatch.ours < mismatch.recorded
    return listed or (mismatch.path == ("status",) and mismatch.ours == _NOT_FOUND)


def _is_whole(exchange: RecordedExchange) -> bool:
    """Whether a stream was recorded to its end."""
    return bool(exchange.sse) and [name for name, _ in exchange.sse or ()][-1] == "done"


def _find_interrupted_run(
    run_records: Iterable[RunRecord], number: int, exchange: RecordedExchange
) -> RunRecord | None:
    """The run whose interrupted or abandoned stream this is."""
    if exchange.sse is None:
        return None
    candidates = [story for story in run_records if any(at == number for at, _ in story.snapshots)]
    return next((story for story in candidates if story.is_cut_off), None)


_OWN_KINDS = frozenset({"asst", "thread", "msg", "run", "step"})
_OK, _NOT_FOUND = 200, 404


def _parse_json(reply: Reply) -> Any:
    return reply.json


def _group_by_name(events: list[tuple[str, Any]]) -> dict[str, list[Any]]:
    """The data of a stream's events, grouped by name, so that events are compared in order within each name."""
    named: dict[str, list[Any]] = {}
    for name, data in events:
        named.setdefault(name, []).append(data)
    return named


def _parse_events(reply: Reply) -> Iterator[tuple[str, Any]]:
    for name, data, _ in SSEDecoder().receive_data(reply.body):
        yield name, data.decode() if data == b"[DONE]" else orjson.loads(data)


def _compare_headers(exchange: RecordedExchange, reply: Reply) -> Iterator[Mismatch]:
    """Compares the headers of A4: fixed ones must be equal, variable ones present."""
    for name in ("content-type", "openai-version"):
        recorded = exchange.response_headers.get(name)
        if recorded is not None and recorded != reply.headers.get(name):
            yield Mismatch("value", ("headers", name), recorded, reply.headers.get(name))
    for name in ("x-request-id", "openai-processing-ms"):
        if name in exchange.response_headers and name not in reply.headers:
            yield Mismatch("missing", ("headers", name), exchange.response_headers[name], None)


def _compare_layout(exchange: RecordedExchange, reply: Reply) -> Iterator[Mismatch]:
    """The layout of the body (A4), if the recording preserved it."""
    if isinstance(exchange.response_body, str) and exchange.response_json is not None:
        recorded, ours = exchange.response_body.strip().count("\n") > 0, reply.body.strip().count(b"\n") > 0
        if recorded != ours:
            yield Mismatch("value", ("layout",), recorded, ours)

"""One session, made again: every request is sent to the product, every answer compared with the recorded one."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import orjson

from tests.conformance.golden.comparison import Mismatch, compared, compared_events
from tests.conformance.golden.differences import NOT_KEPT, NOT_YET_VISIBLE, number_of
from tests.conformance.golden.ids import Ids
from tests.conformance.golden.priors import Prior, priors_of
from tests.conformance.golden.recordings import Recorded, answered_at, created_at, is_ours, objects
from tests.conformance.golden.service import CannotBeMade, Product, Reply, body_of, product
from tests.conformance.golden.sessions import ID, Session, made_by
from tests.conformance.golden.stories import Story, is_going, locks_its_thread, stories_of, was_taken_up
from tests.conformance.golden.upstream import SCRIPT, Script
from threadbridge.errors import BridgeError
from threadbridge.sse import SSEDecoder


class Verdict(Enum):
    """What became of one exchange."""

    EQUAL = "equal"
    NUMBERED = "numbered differences"
    FAILED = "failures"
    NOT_REPLAYABLE = "not replayable"


@dataclass
class Judged:
    """One exchange and its verdict, with the differences found or the reason why it was not made again."""

    seen: Recorded
    verdict: Verdict
    mismatches: list[Mismatch] = field(default_factory=list[Mismatch])
    numbers: frozenset[int] = frozenset()
    reason: str = ""


async def replay(session: Session) -> list[Judged]:
    """The verdict on every exchange of a session."""
    judged = [Judged(seen, Verdict.NOT_REPLAYABLE, reason=reason) for seen, reason in session.not_replayable]
    async with product() as opened:
        try:
            again = _Replay(session, opened)
        except Exception as error:
            return [*judged, *(_broken(seen, error) for seen in session.exchanges)]
        return [*judged, *(each for each in await again.verdicts() if getattr(each.seen, "is_recorded", True))]


def _broken(seen: Recorded, error: Exception) -> Judged:
    """What the replay itself cannot cope with is a failure, never passed over."""
    return Judged(seen, Verdict.FAILED, [Mismatch("value", ("the replay",), "an answer", repr(error))])


#: What a text says about the status of a run: `Cannot cancel run with status 'completed'.`
_STATUS = re.compile(r"status ['\"](\w+)['\"]")
_LOOKS = 2000
#: Seconds; an answer in this process takes thousandths.
_LONGEST_EXCHANGE = 20.0


class _Replay:
    def __init__(self, session: Session, opened: Product) -> None:
        self._exchanges = session.exchanges
        self._product = opened
        self._ids = Ids()
        self._stories = stories_of(session.exchanges)
        self._scripts = {run_id: Script(story) for run_id, story in self._stories.items()}
        self._priors = priors_of(session.exchanges)
        self._cannot_be_made: dict[str, str] = {}
        self._answered_early: dict[int, Reply] = {}  # made again while a stream before them was told

    async def verdicts(self) -> list[Judged]:
        """One exchange after another."""
        judged: list[Judged] = []
        for number, seen in enumerate(self._exchanges):
            try:
                async with asyncio.timeout(_LONGEST_EXCHANGE):
                    judged.append(await self._judge(number, seen))
            except Exception as error:
                judged.append(_broken(seen, error))
        return judged

    async def _judge(self, number: int, seen: Recorded) -> Judged:
        if not is_ours(seen):
            return await self._relayed(seen)
        at = self._time(number)
        await self._make_priors(at)
        reason = self._why_not(number, seen)
        if reason is not None:
            return Judged(seen, Verdict.NOT_REPLAYABLE, reason=reason)
        self._product.at(at)
        for story in self._stories.values():
            await self._bring(story, number, seen)
        SCRIPT.set(self._script(number, seen))
        reply = self._answered_early.pop(number, None) or await self._sent(number, seen)
        return self._compared(seen, reply, hidden_by=self._hidden_by(number, seen))

    async def _sent(self, number: int, seen: Recorded) -> Reply:
        """The answer to a request; where it is a stream that something put an end to, that happens again."""
        leaves, parts = asyncio.Event(), (self._ids.to_ours(seen.path or ""), self._ids.to_ours(seen.query))
        sending = self._product.send(seen, path=parts[0], query=parts[1], body=self._body(seen), leaves=leaves)
        story = _interrupted_in(self._stories.values(), number, seen)
        if story is None:
            return await sending
        answering = asyncio.ensure_future(sending)
        speaking = asyncio.ensure_future(self._scripts[story.run_id].has_spoken.wait())
        try:
            await asyncio.wait((answering, speaking), return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                await self._interrupt(story, number, seen, leaves)
            return await answering
        finally:
            speaking.cancel()
            answering.cancel()

    async def _interrupt(self, story: Story, number: int, seen: Recorded, leaves: asyncio.Event) -> None:
        """The client leaves, its time is up, or somebody cancels the run: whatever was recorded."""
        if not _is_whole(seen):
            leaves.set()
        elif story.last["status"] == "expired":
            self._product.at(story.snapshots[0][1]["expires_at"])
        else:
            reply = await self._product.cancel_newest_run()
            later = enumerate(self._exchanges[number + 1 :], number + 1)
            path = f"/runs/{story.run_id}/cancel"
            asked = next((at for at, each in later if (each.path or "").endswith(path) and each.status == _OK), None)
            if asked is not None:
                self._answered_early[asked] = reply

    # -- Before a request ----------------------------------------------------------------------------------------------

    def _time(self, number: int) -> float | None:
        """When the exchange took place, or at the latest what came after it."""
        for seen in self._exchanges[number:]:
            at = created_at(seen) or answered_at(seen)
            if at is not None:
                return at
        return None

    async def _make_priors(self, now: float | None) -> None:
        """Everything that was there by now, as soon as the thread it belongs to is."""
        due = [prior for prior in self._priors if now is None or prior.at <= now]
        for prior in due:
            if all(map(self._ids.knows, ID.findall(prior.path))):
                self._priors.remove(prior)
                self._product.at(prior.at)
                await self._make(prior)

    async def _make(self, prior: Prior) -> None:
        body = orjson.loads(self._ids.to_ours(orjson.dumps(prior.body).decode()))
        try:
            made = await self._product.post(self._ids.to_ours(prior.path), body)
        except CannotBeMade as refused:
            self._cannot_be_made[prior.recorded_id] = str(refused)
        else:
            self._ids.pair(prior.recorded_id, made["id"])

    def _why_not(self, number: int, seen: Recorded) -> str | None:
        """Why this exchange cannot be made again in this session; None where it can."""
        if seen.status == _NOT_FOUND or self._is_under_way(number, seen):
            return None
        for asked in ID.findall(f"{seen.path}?{seen.query}"):
            if not self._ids.knows(asked) and asked.split("_")[0] in _OWN_KINDS:
                refused = self._cannot_be_made.get(asked)
                made = any(asked in made_by(each) for each in self._exchanges[:number])
                if refused is not None:
                    return f"{asked} was there before and cannot be made again ({refused})"
                return f"{asked} was {'not made by the product' if made else 'made outside of the recording'}"
        return None

    def _script(self, number: int, seen: Recorded) -> Script:
        """The script of the run that a request starts, continues or looks at."""
        here = [story for story in self._stories.values() if story.snapshots[0][0] == number]
        asked = [self._stories[each] for each in ID.findall(seen.path or "") if each in self._stories]
        story = next(iter([*asked, *here]), None)
        return self._scripts[story.run_id] if story is not None else Script(Story("", snapshots=[(0, {})]))

    def _body(self, seen: Recorded) -> bytes:
        if seen.request_json is not None:
            return self._ids.to_ours(orjson.dumps(seen.request_json).decode()).encode()
        body = seen.request_body or b""
        return body if isinstance(body, bytes) else self._ids.to_ours(body).encode()

    # -- Runs go on as far as the recorded ones had gone ---------------------------------------------------------------

    async def _bring(self, story: Story, number: int, seen: Recorded) -> None:
        """Let a run go on until it is where the recorded one was when this exchange took place."""
        script, turn = self._scripts[story.run_id], story.round_at(number)
        if seen.sse is not None and any(at == number for at, _ in story.snapshots):
            script.let_end(turn + (number in story.submits))
            return
        if number == story.snapshots[0][0] or number in story.submits:
            after = next((run for at, run in story.snapshots if at > number), None)
            if number in story.submits:
                await self._until_over(story, turn)
                turn += 1
            if after is None or was_taken_up(after):
                script.let_begin(turn)
            return
        if not self._ids.knows(story.run_id):
            return
        match self._wanted(story, number, seen):
            case "queued" | "cancelling" | None:
                pass
            case "in_progress":
                script.let_begin(turn)
                await self._until(story, lambda status: status != "queued")
            case "expired":
                self._product.at(story.snapshots[0][1]["expires_at"])
            case "cancelled":
                await self._until(story, lambda status: status == "cancelled")
            case _:
                await self._until_over(story, turn)

    def _wanted(self, story: Story, number: int, seen: Recorded) -> str | None:
        """The status the run had, as far as this exchange needs it; None where it says nothing about it."""
        shown = next((run for at, run in story.snapshots if at == number), None)
        if shown is not None:
            return str(shown["status"])
        if story.run_id in (seen.path or "") and isinstance(seen.response_json, dict) and "error" in seen.response_json:
            told = _STATUS.search(str(seen.response_json["error"].get("message")))
            return told[1] if told is not None else None
        if story.thread_id not in (seen.path or "") or any(is_going(run) for at, run in story.snapshots if at > number):
            return None
        ended = story.last["status"]
        if seen.method == "GET" and story.snapshots[0][0] < number:
            return ended if self._shows_something_of(story, seen) else None
        return ended if seen.method == "POST" and seen.status == _OK and not locks_its_thread(story.last) else None

    def _hidden_by(self, number: int, seen: Recorded) -> int | None:
        """The difference that makes ours show fewer messages or steps, if this answer is one where it may."""
        if self._is_under_way(number, seen):
            return NOT_YET_VISIBLE
        shown = (story for story in self._stories.values() if self._shows_something_of(story, seen))
        cut_off = any(story.is_cut_off and not story.fragments for story in shown)
        return NOT_KEPT if seen.method == "GET" and cut_off else None

    def _is_under_way(self, number: int, seen: Recorded) -> bool:
        """Whether the answer shows messages or steps of a turn that was not over."""
        return any(
            story.is_under_way(number, list(objects(seen)))
            for story in self._stories.values()
            if seen.method == "GET" and self._shows_something_of(story, seen)
        )

    def _shows_something_of(self, story: Story, seen: Recorded) -> bool:
        body = seen.response_json
        listed = body.get("data", [body]) if isinstance(body, dict) else []
        return any(each.get("run_id") == story.run_id for each in listed if isinstance(each, dict))

    async def _until_over(self, story: Story, turn: int) -> None:
        self._scripts[story.run_id].let_end(turn)
        await self._until(story, lambda status: status not in ("queued", "in_progress"))

    async def _until(self, story: Story, reached: Any) -> None:
        """Look until the run is there; where it never gets, the comparison will tell."""
        thread_id, run_id = self._ids.ours(story.thread_id), self._ids.ours(story.run_id)
        for _ in range(_LOOKS):
            try:
                run = (await self._product.backend.retrieve_run(thread_id, run_id)).run
            except BridgeError:  # deleted, or never there
                return
            if reached(run["status"]):
                return
            await asyncio.sleep(0)

    # -- After it ------------------------------------------------------------------------------------------------------

    async def _relayed(self, seen: Recorded) -> Judged:
        """A request to another API goes through the gateway to a service that answers as it was recorded."""
        self._product.behind.expected = seen
        reply = await self._product.send(seen, path=seen.path or "", query=seen.query, body=self._body(seen))
        same = reply.status == seen.status and reply.body == body_of(seen)
        if same:
            return Judged(seen, Verdict.EQUAL)
        return Judged(seen, Verdict.FAILED, [Mismatch("value", ("relayed",), seen.status, reply.status)])

    def _compared(self, seen: Recorded, reply: Reply, *, hidden_by: int | None) -> Judged:
        mismatches = list(self._mismatches(seen, reply))
        hidden = any(map(_shows_fewer, mismatches))
        numbers = [number_of(mismatch, seen, hidden_by=hidden_by if hidden else None) for mismatch in mismatches]
        failures = [mismatch for mismatch, number in zip(mismatches, numbers, strict=True) if number is None]
        known = frozenset(number for number in numbers if number is not None)
        verdict = Verdict.FAILED if failures else Verdict.NUMBERED if known else Verdict.EQUAL
        return Judged(seen, verdict, failures or mismatches, known)

    def _mismatches(self, seen: Recorded, reply: Reply) -> Iterator[Mismatch]:
        if reply.status != seen.status:
            yield Mismatch("value", ("status",), seen.status, reply.status)
            yield from compared(seen.response_json, self._ids.to_recorded(_json(reply)))
            return
        yield from _headers(seen, reply)
        if seen.sse is not None:
            recorded = [(name or "", data) for name, data in seen.sse]
            ours = list(_events(reply))
            if not _is_whole(seen):  # the client left, and its recording ends there
                ours = ours[: len(recorded)]
            self._ids.learn(_by_name(recorded), _by_name(ours))
            yield from compared_events(recorded, [(name, self._ids.to_recorded(data)) for name, data in ours])
            return
        self._ids.learn(seen.response_json, _json(reply))
        yield from compared(seen.response_json, self._ids.to_recorded(_json(reply)))
        yield from _layout(seen, reply)


def _shows_fewer(mismatch: Mismatch) -> bool:
    """Whether ours lists fewer objects, or does not have the one that is asked for."""
    listed = mismatch.place == ("data",) and mismatch.kind == "length" and mismatch.ours < mismatch.recorded
    return listed or (mismatch.place == ("status",) and mismatch.ours == _NOT_FOUND)


def _is_whole(seen: Recorded) -> bool:
    """Whether a stream was recorded to its end."""
    return bool(seen.sse) and [name for name, _ in seen.sse or ()][-1] == "done"


def _interrupted_in(stories: Iterable[Story], number: int, seen: Recorded) -> Story | None:
    """The run whose words this stream tells up to where it was interrupted, or its client left."""
    if seen.sse is None:
        return None
    told = [story for story in stories if any(at == number for at, _ in story.snapshots)]
    return next((story for story in told if story.is_cut_off), None)


_OWN_KINDS = frozenset({"asst", "thread", "msg", "run", "step"})
_OK, _NOT_FOUND = 200, 404


def _json(reply: Reply) -> Any:
    return reply.json


def _by_name(events: list[tuple[str, Any]]) -> dict[str, list[Any]]:
    """The data of a stream's events, those of one name together: the first of ours stands for the first recorded."""
    named: dict[str, list[Any]] = {}
    for name, data in events:
        named.setdefault(name, []).append(data)
    return named


def _events(reply: Reply) -> Iterator[tuple[str, Any]]:
    for name, data, _ in SSEDecoder().receive_data(reply.body):
        yield name, data.decode() if data == b"[DONE]" else orjson.loads(data)


def _headers(seen: Recorded, reply: Reply) -> Iterator[Mismatch]:
    """The headers of A4: those with a meaning are equal, those of the moment are there."""
    for name in ("content-type", "openai-version"):
        recorded = seen.response_headers.get(name)
        if recorded is not None and recorded != reply.headers.get(name):
            yield Mismatch("value", ("headers", name), recorded, reply.headers.get(name))
    for name in ("x-request-id", "openai-processing-ms"):
        if name in seen.response_headers and name not in reply.headers:
            yield Mismatch("missing", ("headers", name), seen.response_headers[name], None)


def _layout(seen: Recorded, reply: Reply) -> Iterator[Mismatch]:
    """How the body is set out (A4), where the recording kept it as it was."""
    if isinstance(seen.response_body, str) and seen.response_json is not None:
        recorded, ours = seen.response_body.strip().count("\n") > 0, reply.body.strip().count(b"\n") > 0
        if recorded != ours:
            yield Mismatch("value", ("layout",), recorded, ours)

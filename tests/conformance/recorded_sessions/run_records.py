"""Collects the recorded states, messages and steps of every run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tests.conformance.recorded_sessions.recordings import RecordedExchange, iterate_objects
from threadbridge.api_types import JsonMapping, JsonObject, is_json_object
from threadbridge.run_states import ACTIVE_STATUSES

_IN_FLIGHT = frozenset({"queued", "in_progress", "cancelling"})
_CANCELLED = frozenset({"cancelling", "cancelled"})
_INTERRUPTED = _CANCELLED | {"expired"}


@dataclass
class TurnOutput:
    """The output of the model in one turn: steps and usage."""

    #: Steps in their newest state, oldest first; unrecorded steps are inferred from messages and calls.
    steps: list[JsonObject] = field(default_factory=list[JsonObject])
    usage: JsonObject | None = None


@dataclass
class RunRecord:
    """All that a session recorded of one run."""

    run_id: str
    #: (number of the exchange, the run in its response), in order.
    snapshots: list[tuple[int, JsonObject]] = field(default_factory=list[tuple[int, JsonObject]])
    messages: dict[str, JsonObject] = field(default_factory=dict[str, JsonObject])
    steps: dict[str, JsonObject] = field(default_factory=dict[str, JsonObject])
    #: Fragments as they were streamed, by the id of their message or call.
    fragments: dict[str, list[JsonObject]] = field(default_factory=dict[str, list[JsonObject]])
    #: Numbers of the exchanges that submitted tool outputs.
    submit_numbers: list[int] = field(default_factory=list[int])

    @property
    def last_run(self) -> JsonObject:
        """The newest recorded state of the run."""
        return self.snapshots[-1][1]

    @property
    def thread_id(self) -> str:
        thread_id: str = self.last_run["thread_id"]
        return thread_id

    @property
    def is_cut_off(self) -> bool:
        """Whether the run was cancelled or expired before the response was complete."""
        return self.last_run["status"] in _INTERRUPTED and not any(map(asks_for_outputs, self.split_turns()[-1].steps))

    def split_turns(self) -> list[TurnOutput]:
        """The output of each turn; that of the last one may be incomplete."""
        rounds = [TurnOutput()]
        for step in self._collect_steps():
            rounds[-1].steps.append(step)
            if asks_for_outputs(step):
                rounds.append(TurnOutput())
        if len(rounds) > 1 and not rounds[-1].steps and len(rounds) - 1 > len(self.submit_numbers):
            rounds.pop()
        self._distribute_usage(rounds)
        return rounds

    def find_turn_at(self, number: int) -> int:
        """The number of the turn at this exchange: the count of earlier tool output submissions."""
        return sum(submitted < number for submitted in self.submit_numbers)

    def is_under_way(self, number: int, objects_shown: Sequence[JsonObject]) -> bool:
        """Whether the exchange has objects of an unfinished turn of this run."""
        if any(is_in_flight(run) for at, run in self.snapshots if at > number):
            return True
        before = [run for at, run in self.snapshots if at <= number]
        steps = [
            body for body in objects_shown if body.get("run_id") == self.run_id and body.get("status") == "in_progress"
        ]
        return bool(steps and before and is_in_flight(before[-1]))

    def _distribute_usage(self, rounds: Sequence[TurnOutput]) -> None:
        """Steps have usage; the rest of the run's usage belongs to its last turn."""
        for each in rounds:
            each.usage = sum_usages(step["usage"] for step in each.steps if step.get("usage"))
        total = self.last_run.get("usage")
        if total:
            rounds[-1].usage = subtract_usage(total, sum_usages(each.usage for each in rounds[:-1] if each.usage))

    # -- Steps ---------------------------------------------------------------------------------------------------------

    def _collect_steps(self) -> list[JsonObject]:
        known = sorted(self.steps.values(), key=lambda step: int(step["created_at"]))
        message_ids = {_message_id_of(step) for step in known}
        calls = {call["id"] for step in known for call in step["step_details"].get("tool_calls", ())}
        messages_without_step = [message for message in self.messages.values() if message["id"] not in message_ids]
        calls_without_step = [
            call for call in self._list_requested_calls() if not {each["id"] for each in call} & calls
        ]
        if not messages_without_step and not calls_without_step:
            return known
        return self._add_inferred_steps(known, messages_without_step, calls_without_step)

    def _add_inferred_steps(
        self,
        known: list[JsonObject],
        messages_without_step: list[JsonObject],
        calls_without_step: list[list[JsonObject]],
    ) -> list[JsonObject]:
        """Unrecorded steps, assigned to turns by their time."""
        starts = self._list_turn_starts()
        timed_steps = [*known, *map(_make_message_step, messages_without_step)]
        keyed_steps = [
            (_find_turn(step["created_at"], starts), 0, int(step["created_at"]), step) for step in timed_steps
        ]
        keyed_steps += [(turn, 1, 0, _make_calls_step(calls)) for turn, calls in enumerate(calls_without_step)]
        return [step for *_, step in sorted(keyed_steps, key=lambda each: each[:3])]

    def _list_requested_calls(self) -> list[list[JsonObject]]:
        """The required calls of every round."""
        rounds: dict[str, list[JsonObject]] = {}
        for _, run in self.snapshots:
            if run.get("required_action"):
                calls: list[JsonObject] = run["required_action"]["submit_tool_outputs"]["tool_calls"]
                rounds.setdefault(calls[0]["id"], calls)
        return list(rounds.values())

    def _list_turn_starts(self) -> list[int]:
        """The start times of the turns after the first: each overwrites `started_at` (A44)."""
        started = [run["started_at"] for _, run in self.snapshots if run.get("started_at")]
        return [after for before, after in pairwise([*started[:1], *started]) if after > before]


def asks_for_outputs(step: JsonObject) -> bool:
    """Whether the calls of a step needed outputs of the client."""
    return any(call["type"] == "function" for call in step["step_details"].get("tool_calls", ()))


def _message_id_of(step: JsonObject) -> str | None:
    message_id: str | None = step["step_details"].get("message_creation", {}).get("message_id")
    return message_id


def _make_message_step(message: JsonObject) -> JsonObject:
    details = {"type": "message_creation", "message_creation": {"message_id": message["id"]}}
    return {"created_at": message["created_at"], "step_details": details}


def _make_calls_step(calls: Sequence[JsonObject]) -> JsonObject:
    return {"step_details": {"type": "tool_calls", "tool_calls": list(calls)}}


def _find_turn(at: int, starts: Sequence[int]) -> int:
    return sum(start <= at for start in starts)


# -- Reading -----------------------------------------------------------------------------------------------------------


def collect_run_records(exchanges: Sequence[RecordedExchange]) -> dict[str, RunRecord]:
    """The records of all runs of a session, by recorded id."""
    stories: dict[str, RunRecord] = {}
    for number, exchange in enumerate(exchanges):
        if (exchange.path or "").endswith("/submit_tool_outputs") and exchange.status == 200:
            run_id = (exchange.path or "").split("/")[-2]
            stories.setdefault(run_id, RunRecord(run_id)).submit_numbers.append(number)
        for each in _iterate_in_time_order(exchange):
            _record_object(stories, number, each)
    return {run_id: story for run_id, story in stories.items() if story.snapshots}


def _iterate_in_time_order(exchange: RecordedExchange) -> Iterator[JsonObject]:
    """The objects of a response, oldest first: lists are newest first by default (A11)."""
    found = list(iterate_objects(exchange))
    body = exchange.response_json
    listed = is_json_object(body) and "data" in body
    return reversed(found) if listed and "order=asc" not in exchange.query else iter(found)


def _record_object(stories: dict[str, RunRecord], number: int, body: JsonObject) -> None:
    match body.get("object"):
        case "thread.run":
            _get_run_record(stories, body["id"]).snapshots.append((number, body))
        case "thread.message" if body.get("run_id") and body.get("role") == "assistant":
            story = _get_run_record(stories, body["run_id"])
            if body["content"] or body["id"] not in story.messages:
                # Keep the status that a stream had: later responses do not have it (A32).
                story.messages[body["id"]] = {**story.messages.get(body["id"], {}), **body}
        case "thread.run.step":
            _get_run_record(stories, body["run_id"]).steps[body["id"]] = body
        case "thread.message.delta":
            for part in body["delta"]["content"]:
                _find_owner(stories, "messages", body["id"]).fragments.setdefault(body["id"], []).append(part)
        case "thread.run.step.delta":
            story = _find_owner(stories, "steps", body["id"])
            for call in body["delta"]["step_details"].get("tool_calls", ()):
                story.fragments.setdefault(f"{body['id']}#{call['index']}", []).append(call)
        case _:
            pass


def _get_run_record(stories: dict[str, RunRecord], run_id: str) -> RunRecord:
    return stories.setdefault(run_id, RunRecord(run_id))


def _find_owner(stories: dict[str, RunRecord], kind: str, object_id: str) -> RunRecord:
    return next(story for story in reversed(stories.values()) if object_id in getattr(story, kind))


# -- Usage -------------------------------------------------------------------------------------------------------------

_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
_DETAILS = {"prompt_token_details": "cached_tokens", "completion_tokens_details": "reasoning_tokens"}


def _flatten_usage(usage: JsonObject) -> dict[str, int]:
    counts = {name: int(usage.get(name) or 0) for name in _COUNTS}
    for name, inner in _DETAILS.items():
        details: JsonObject = usage.get(name) or {}
        counts[name] = int(details.get(inner) or 0)
    return counts


def _nest_usage(counts: dict[str, int]) -> JsonObject:
    whole: JsonObject = {name: counts[name] for name in _COUNTS}
    return whole | {name: {inner: counts[name]} for name, inner in _DETAILS.items()}


def sum_usages(usages: Iterator[JsonObject]) -> JsonObject | None:
    """The sum; None for no usages."""
    total: dict[str, int] | None = None
    for usage in usages:
        counts = _flatten_usage(usage)
        total = counts if total is None else {name: total[name] + count for name, count in counts.items()}
    return None if total is None else _nest_usage(total)


def subtract_usage(total: JsonObject, spent: JsonObject | None) -> JsonObject:
    """The difference of two usages, at least zero."""
    one, two = _flatten_usage(total), _flatten_usage(spent or {})
    return _nest_usage({name: max(0, one[name] - two[name]) for name in one})


# -- Status of a run ---------------------------------------------------------------------------------------------------


def is_in_flight(run: JsonMapping) -> bool:
    """Whether the run is queued, in progress or cancelling."""
    return run["status"] in _IN_FLIGHT


def was_started(run: JsonObject) -> bool:
    """Whether the run was started; a run cancelled while queued never was."""
    return run["status"] != "queued" and (run["status"] not in _CANCELLED or run["started_at"] is not None)


def locks_thread(run: JsonObject) -> bool:
    """Whether the run was active (A63)."""
    return run["status"] in ACTIVE_STATUSES

"""Infers the requests of responses that were recorded without them.

The first response with an object is that of its creation, later ones are retrievals or updates, and a stream was
requested. A run was also created, its tool outputs were submitted, and it was cancelled if its status says so: the
responses to these requests were not recorded, so the requests are replayed and not judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

from tests.conformance.recorded_sessions.prior_objects import make_creation_body
from tests.conformance.recorded_sessions.recordings import (
    RecordedExchange,
    is_assistants_request,
    iterate_objects,
    lacks_request,
)
from tests.conformance.recorded_sessions.sessions import Session
from threadbridge.api_types import JsonObject


@dataclass
class InferredExchange:
    """An inferred request with its time, and its response."""

    file: str
    method: str | None
    path: str | None
    at: float
    request_json: Any = None
    response_json: Any = None
    sse: Sequence[tuple[str | None, Any]] | None = None
    #: Orders requests of the same second: those that start something come first.
    rank: int = 2
    #: Whether its response was recorded.
    is_recorded: bool = True
    index: int = 0
    query: str = ""
    status: int | None = 200
    request_headers: Mapping[str, str] = field(default_factory=dict[str, str])
    request_body: str | bytes | None = None
    response_body: str | bytes | None = None
    response_headers: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.response_headers = {"date": formatdate(self.at, usegmt=True)}


def infer_sessions(recorded: Iterable[RecordedExchange]) -> list[Session]:
    """The sessions of responses without requests: one for each thread and each assistant, in order of time."""
    by_owner: dict[str, list[RecordedExchange]] = {}
    unassigned: list[Session] = []
    for exchange in recorded:
        if lacks_request(exchange) and is_assistants_request(exchange):
            for owner in (owners := list(_iterate_owners(exchange))):
                by_owner.setdefault(owner, []).append(exchange)
            if not owners:
                unassigned.append(Session(exchange.file, [], [(exchange, "only a step was recorded, and not its run")]))
    return [*map(_infer_session, by_owner.values()), *unassigned]


def _infer_session(answers: Sequence[RecordedExchange]) -> Session:
    requests = sorted(_RequestInference(answers).infer_requests(), key=_sort_key)
    return Session(min(exchange.file for exchange in answers), [*requests])


def _sort_key(request: InferredExchange) -> tuple[float, int]:
    return request.at, request.rank


def _iterate_owners(exchange: RecordedExchange) -> Iterator[str]:
    """The id of the thread or the assistant of a response."""
    first = next(iterate_objects(exchange), JsonObject())
    if first.get("object") in ("assistant", "thread", "thread.deleted"):
        yield first["id"]
    elif first.get("object") in ("thread.message", "thread.run") or exchange.sse is not None:
        yield first["thread_id"]


class _RequestInference:
    """Infers the requests of the responses with one thread or one assistant."""

    def __init__(self, answers: Sequence[RecordedExchange]) -> None:
        self._answers = answers
        self._runs: dict[str, JsonObject] = {}  # the newest state
        self._creation_bodies: dict[str, JsonObject] = {}  # from the first state
        runs = [
            body for exchange in answers for body in iterate_objects(exchange) if body.get("object") == "thread.run"
        ]
        for run in sorted(runs, key=_find_own_time):
            self._runs[run["id"]] = run
            self._creation_bodies.setdefault(run["id"], _infer_creation_body(run))
        self._waiting_runs = {run["id"]: run for run in runs if run["required_action"]}
        streams = [seen for seen in answers if seen.sse is not None]
        self._started_run_ids = {_find_run(seen)["id"] for seen in streams if not _is_continuation(seen)}
        self._answered_run_ids = {_find_run(seen)["id"] for seen in streams if _is_continuation(seen)}

    def infer_requests(self) -> Iterator[InferredExchange]:
        """Every request, unordered."""
        seen_objects: dict[str, JsonObject] = {}
        for exchange in sorted(self._answers, key=self._find_time):
            yield (
                self._infer_from_body(exchange, seen_objects)
                if exchange.sse is None
                else self._infer_from_stream(exchange)
            )
            seen_objects.update((body["id"], body) for body in iterate_objects(exchange) if "id" in body)
        for run in self._runs.values():
            yield from self._infer_unrecorded(run)

    # -- Recorded responses --------------------------------------------------------------------------------------------

    def _infer_from_body(self, exchange: RecordedExchange, seen_objects: Mapping[str, JsonObject]) -> InferredExchange:
        first = next(iterate_objects(exchange))
        method, path, request = "GET", f"{_collection_path(first)}/{first['id']}", None
        before = seen_objects.get(first["id"])
        if exchange.response_json["object"] == "list":
            path = _collection_path(first)
        elif first["object"] == "thread.deleted":
            method = "DELETE"
        elif "file_ids" in first or (before is not None and before["metadata"] != first["metadata"]):
            method, request = "POST", {"metadata": first["metadata"]}
        elif before is None and first["object"] != "thread.run":
            method, path, request = "POST", _collection_path(first), make_creation_body(first)
        return InferredExchange(exchange.file, method, path, self._find_time(exchange), request, exchange.response_json)

    def _infer_from_stream(self, exchange: RecordedExchange) -> InferredExchange:
        first, run = next(iterate_objects(exchange)), _find_run(exchange)
        path, at, request = _collection_path(run), run["created_at"], self._creation_bodies[run["id"]]
        if _is_continuation(exchange):
            at, request = first["completed_at"], _make_tool_outputs(first["step_details"]["tool_calls"])
            path = f"{path}/{run['id']}/submit_tool_outputs"
        elif first["object"] == "thread":
            path = "/v1/threads/runs"
        return InferredExchange(exchange.file, "POST", path, at, {**request, "stream": True}, sse=exchange.sse, rank=0)

    # -- Unrecorded responses ------------------------------------------------------------------------------------------

    def _infer_unrecorded(self, run: JsonObject) -> Iterator[InferredExchange]:
        path, deadline = _collection_path(run), run["created_at"] + _EXPIRY
        waiting = self._waiting_runs.get(run["id"])
        if run["id"] not in self._started_run_ids:
            queued = {**run, **_QUEUED_FIELDS, "expires_at": deadline}
            yield _make_unrecorded(path, run["created_at"], self._creation_bodies[run["id"]], queued, rank=0)
        if waiting is not None and run is not waiting and run["id"] not in self._answered_run_ids:
            calls = waiting["required_action"]["submit_tool_outputs"]["tool_calls"]
            queued = {**waiting, "status": "queued", "required_action": None}
            yield _make_unrecorded(
                f"{path}/{run['id']}/submit_tool_outputs", run["started_at"], _make_tool_outputs(calls), queued
            )
        if run["cancelled_at"] is not None:
            cancelling = {**run, "status": "cancelling", "cancelled_at": None, "expires_at": deadline}
            yield _make_unrecorded(f"{path}/{run['id']}/cancel", run["cancelled_at"], None, cancelling)

    # -- Time ----------------------------------------------------------------------------------------------------------

    def _find_time(self, exchange: RecordedExchange) -> float:
        """The earliest time of a response: a message is visible only after the run that created it ended."""
        bodies = list(iterate_objects(exchange))
        runs = [self._runs[body["run_id"]] for body in bodies if body.get("run_id") in self._runs]
        return max(map(_find_own_time, bodies + runs))


def _find_own_time(body: JsonObject) -> float:
    times = [body.get(name) for name in ("created_at", "started_at", "completed_at", "cancelled_at", "failed_at")]
    return float(max((time for time in times if time is not None), default=_LATE) + ("file_ids" in body))


_RUN_SETTINGS = (
    "assistant_id", "model", "instructions", "tools", "metadata", "temperature", "top_p", "response_format",
    "tool_choice", "truncation_strategy", "max_prompt_tokens", "max_completion_tokens", "parallel_tool_calls",
)  # fmt: skip
_EXPIRY = 600
_LATE = 2**31
_QUEUED_FIELDS: JsonObject = {
    "status": "queued",
    **dict.fromkeys(("started_at", "cancelled_at", "failed_at", "completed_at")),
    **dict.fromkeys(("required_action", "incomplete_details", "usage")),
}


def _make_unrecorded(
    path: str, at: float, request: JsonObject | None, answer: JsonObject, *, rank: int = 1
) -> InferredExchange:
    return InferredExchange("(not recorded)", "POST", path, at, request, answer, rank=rank, is_recorded=False)


def _find_run(stream: RecordedExchange) -> JsonObject:
    return next(each for each in iterate_objects(stream) if each["object"] == "thread.run")


def _is_continuation(stream: RecordedExchange) -> bool:
    """Whether a stream continues an existing run: its first event is the step with the submitted outputs (A91)."""
    return bool(next(iterate_objects(stream))["object"] == "thread.run.step")


def _collection_path(body: JsonObject) -> str:
    match body["object"]:
        case "assistant":
            return "/v1/assistants"
        case "thread.message":
            return f"/v1/threads/{body['thread_id']}/messages"
        case "thread.run":
            return f"/v1/threads/{body['thread_id']}/runs"
        case _:
            return "/v1/threads"


def _infer_creation_body(run: JsonObject) -> JsonObject:
    """The request body that creates such a run, including what its assistant may have set."""
    return {name: run[name] for name in _RUN_SETTINGS if run.get(name) is not None}


def _make_tool_outputs(calls: Iterable[JsonObject]) -> JsonObject:
    """The known tool outputs; unknown ones have a placeholder."""
    return {
        "tool_outputs": [
            {"tool_call_id": call["id"], "output": call["function"].get("output") or "(not recorded)"} for call in calls
        ]
    }

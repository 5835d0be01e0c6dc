"""Answers that were recorded without their requests: what must have been asked for each, as far as they tell.

What is shown first was made, what is shown again was looked at or changed, a stream was asked for. A run that is shown
was started, its calls were answered, and it was cancelled if it says so: what came back then was not recorded, so these
requests are made again and not judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

from tests.conformance.golden.priors import creation_of
from tests.conformance.golden.recordings import Recorded, is_bare, is_ours, objects
from tests.conformance.golden.sessions import Session
from threadbridge.ports import Wire


@dataclass
class Inferred:
    """A request that must have been made at a certain time, and its answer."""

    file: str
    method: str | None
    path: str | None
    at: float
    request_json: Any = None
    response_json: Any = None
    sse: Sequence[tuple[str | None, Any]] | None = None
    #: Of what happened in the same second, what began something comes first, then what went on with it.
    rank: int = 2
    #: Whether its answer was recorded.
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


def sessions_of_bare(recorded: Iterable[Recorded]) -> list[Session]:
    """The sessions behind bare answers: one for all about a thread, or an assistant, in order of time."""
    together: dict[str, list[Recorded]] = {}
    untold: list[Session] = []
    for seen in recorded:
        if is_bare(seen) and is_ours(seen):
            for owner in (owners := list(_owner(seen))):
                together.setdefault(owner, []).append(seen)
            if not owners:
                untold.append(Session(seen.file, [], [(seen, "only a step was recorded, and not its run")]))
    return [*map(_session, together.values()), *untold]


def _session(answers: Sequence[Recorded]) -> Session:
    requests = sorted(_Asked(answers).requests(), key=_order)
    return Session(min(seen.file for seen in answers), [*requests])


def _order(asked: Inferred) -> tuple[float, int]:
    return asked.at, asked.rank


def _owner(seen: Recorded) -> Iterator[str]:
    """The thread, or the assistant, that an answer is about."""
    first = next(objects(seen), {})
    if first.get("object") in ("assistant", "thread", "thread.deleted"):
        yield first["id"]
    elif first.get("object") in ("thread.message", "thread.run") or seen.sse is not None:
        yield first["thread_id"]


class _Asked:
    """The requests behind the answers about one thread, or one assistant."""

    def __init__(self, answers: Sequence[Recorded]) -> None:
        self._answers = answers
        self._runs: dict[str, Wire] = {}  # as they were seen last
        self._asked_for: dict[str, Wire] = {}  # what made them, as they were seen first
        runs = [body for seen in answers for body in objects(seen) if body.get("object") == "thread.run"]
        for run in sorted(runs, key=_own_time):
            self._runs[run["id"]] = run
            self._asked_for.setdefault(run["id"], _asked_for(run))
        self._waiting = {run["id"]: run for run in runs if run["required_action"]}
        streams = [seen for seen in answers if seen.sse is not None]
        self._started = {_run_of(seen)["id"] for seen in streams if not _goes_on(seen)}
        self._answered = {_run_of(seen)["id"] for seen in streams if _goes_on(seen)}

    def requests(self) -> Iterator[Inferred]:
        """Every request, in no order."""
        shown: dict[str, Wire] = {}
        for seen in sorted(self._answers, key=self._time_of):
            yield self._of_body(seen, shown) if seen.sse is None else self._of_stream(seen)
            shown.update((body["id"], body) for body in objects(seen) if "id" in body)
        for run in self._runs.values():
            yield from self._unrecorded(run)

    # -- Answers that were recorded ------------------------------------------------------------------------------------

    def _of_body(self, seen: Recorded, shown: Mapping[str, Wire]) -> Inferred:
        first = next(objects(seen))
        method, path, request = "GET", f"{_collection(first)}/{first['id']}", None
        before = shown.get(first["id"])
        if seen.response_json["object"] == "list":
            path = _collection(first)
        elif first["object"] == "thread.deleted":
            method = "DELETE"
        elif "file_ids" in first or (before is not None and before["metadata"] != first["metadata"]):
            method, request = "POST", {"metadata": first["metadata"]}
        elif before is None and first["object"] != "thread.run":
            method, path, request = "POST", _collection(first), creation_of(first)
        return Inferred(seen.file, method, path, self._time_of(seen), request, seen.response_json)

    def _of_stream(self, seen: Recorded) -> Inferred:
        first, run = next(objects(seen)), _run_of(seen)
        path, at, request = _collection(run), run["created_at"], self._asked_for[run["id"]]
        if _goes_on(seen):
            at, request = first["completed_at"], _outputs(first["step_details"]["tool_calls"])
            path = f"{path}/{run['id']}/submit_tool_outputs"
        elif first["object"] == "thread":
            path = "/v1/threads/runs"
        return Inferred(seen.file, "POST", path, at, {**request, "stream": True}, sse=seen.sse, rank=0)

    # -- Answers that were not -----------------------------------------------------------------------------------------

    def _unrecorded(self, run: Wire) -> Iterator[Inferred]:
        path, deadline = _collection(run), run["created_at"] + _EXPIRY
        waiting = self._waiting.get(run["id"])
        if run["id"] not in self._started:
            queued = {**run, **_AT_FIRST, "expires_at": deadline}
            yield _made_up(path, run["created_at"], self._asked_for[run["id"]], queued, rank=0)
        if waiting is not None and run is not waiting and run["id"] not in self._answered:
            calls = waiting["required_action"]["submit_tool_outputs"]["tool_calls"]
            queued = {**waiting, "status": "queued", "required_action": None}
            yield _made_up(f"{path}/{run['id']}/submit_tool_outputs", run["started_at"], _outputs(calls), queued)
        if run["cancelled_at"] is not None:
            cancelling = {**run, "status": "cancelling", "cancelled_at": None, "expires_at": deadline}
            yield _made_up(f"{path}/{run['id']}/cancel", run["cancelled_at"], None, cancelling)

    # -- Time ----------------------------------------------------------------------------------------------------------

    def _time_of(self, seen: Recorded) -> float:
        """When an answer could be given: a message is not shown before the run that wrote it was over."""
        bodies = list(objects(seen))
        runs = [self._runs[body["run_id"]] for body in bodies if body.get("run_id") in self._runs]
        return max(map(_own_time, bodies + runs))


def _own_time(body: Wire) -> float:
    times = [body.get(name) for name in ("created_at", "started_at", "completed_at", "cancelled_at", "failed_at")]
    return float(max((time for time in times if time is not None), default=_LATE) + ("file_ids" in body))


_RUN_SETTINGS = (
    "assistant_id", "model", "instructions", "tools", "metadata", "temperature", "top_p", "response_format",
    "tool_choice", "truncation_strategy", "max_prompt_tokens", "max_completion_tokens", "parallel_tool_calls",
)  # fmt: skip
_EXPIRY = 600
_LATE = 2**31
_AT_FIRST: Wire = {
    "status": "queued",
    **dict.fromkeys(("started_at", "cancelled_at", "failed_at", "completed_at")),
    **dict.fromkeys(("required_action", "incomplete_details", "usage")),
}


def _made_up(path: str, at: float, request: Wire | None, answer: Wire, *, rank: int = 1) -> Inferred:
    return Inferred("(not recorded)", "POST", path, at, request, answer, rank=rank, is_recorded=False)


def _run_of(stream: Recorded) -> Wire:
    return next(each for each in objects(stream) if each["object"] == "thread.run")


def _goes_on(stream: Recorded) -> bool:
    """Whether a stream tells of a run that was there: its first event is the step that got its outputs (A91)."""
    return bool(next(objects(stream))["object"] == "thread.run.step")


def _collection(body: Wire) -> str:
    match body["object"]:
        case "assistant":
            return "/v1/assistants"
        case "thread.message":
            return f"/v1/threads/{body['thread_id']}/messages"
        case "thread.run":
            return f"/v1/threads/{body['thread_id']}/runs"
        case _:
            return "/v1/threads"


def _asked_for(run: Wire) -> Wire:
    """The request body that makes a run as it is shown, whatever of it its assistant said already."""
    return {name: run[name] for name in _RUN_SETTINGS if run.get(name) is not None}


def _outputs(calls: Iterable[Wire]) -> Wire:
    """Tool outputs as far as they are known."""
    return {
        "tool_outputs": [
            {"tool_call_id": call["id"], "output": call["function"].get("output") or "(not recorded)"} for call in calls
        ]
    }

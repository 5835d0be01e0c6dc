"""Groups recorded exchanges into sessions: those of one file, and those of files with common object ids."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import orjson

from tests.conformance.recorded_sessions.recordings import (
    RecordedExchange,
    find_answer_time,
    is_assistants_request,
    lacks_request,
)

#: Ids of the Assistants API and of the resources it refers to (A9).
from threadbridge.api_types import is_json_object

ID = re.compile(r"\b(?:asst|thread|msg|run|step|call|vs|vsfb|file)[_-][A-Za-z0-9]{8,}")

_FIRST_VERSION = "assistants=v1"


@dataclass
class Session:
    """Exchanges in order of time, and those that cannot be replayed, each with the reason."""

    name: str
    exchanges: list[RecordedExchange]
    not_replayable: list[tuple[RecordedExchange, str]] = field(default_factory=list[tuple[RecordedExchange, str]])


def group_sessions(recorded: Iterable[RecordedExchange]) -> list[Session]:
    """The sessions with requests to the Assistants API; responses without requests are left out."""
    sessions: list[Session] = []
    for exchanges in _group_by_shared_objects([exchange for exchange in recorded if not lacks_request(exchange)]):
        usable = [seen for seen in exchanges if find_obstacle(seen) is None]
        dropped = [(seen, reason) for seen in exchanges if (reason := find_obstacle(seen)) is not None]
        if any(map(_is_assistants_exchange, exchanges)):
            sessions.append(Session(_session_name(exchanges), _order_exchanges(usable), dropped))
    return sessions


def find_obstacle(exchange: RecordedExchange) -> str | None:
    """The reason why an exchange can never be replayed; None if it can."""
    if exchange.request_headers.get("openai-beta") == _FIRST_VERSION:
        return "a request of version 1 of the API"
    return None


def _is_assistants_exchange(exchange: RecordedExchange) -> bool:
    return is_assistants_request(exchange)


def _session_name(exchanges: Sequence[RecordedExchange]) -> str:
    return min(exchange.file for exchange in exchanges)


# -- Belonging together ------------------------------------------------------------------------------------------------


def _group_by_shared_objects(recorded: Sequence[RecordedExchange]) -> list[list[RecordedExchange]]:
    """The exchanges of files that share objects, in the order of the file names."""
    root: dict[str, str] = {}

    def find(file: str) -> str:
        while (above := root.setdefault(file, file)) != file:
            file = above
        return file

    makers = {made: seen.file for seen in recorded if find_obstacle(seen) is None for made in list_created_ids(seen)}
    for exchange in recorded:
        find(exchange.file)
        if find_obstacle(exchange) is None:
            for asked in list_requested_ids(exchange) & makers.keys():
                root[find(exchange.file)] = find(makers[asked])
    groups: dict[str, list[RecordedExchange]] = {}
    for exchange in recorded:
        groups.setdefault(find(exchange.file), []).append(exchange)
    return sorted(groups.values(), key=_session_name)


def list_created_ids(exchange: RecordedExchange) -> frozenset[str]:
    """The ids of the objects that a request created: thread, run, file, vector store."""
    if exchange.method != "POST" or exchange.status != 200:
        return frozenset()
    body = exchange.response_json
    if is_json_object(body):
        ids = {body.get("id"), body.get("thread_id") if (exchange.path or "").endswith("/threads/runs") else None}
        return frozenset(each for each in ids if isinstance(each, str)) - list_requested_ids(exchange)
    streamed_ids = [data["id"] for name, data in exchange.sse or () if name in ("thread.created", "thread.run.created")]
    return frozenset(streamed_ids)


def list_requested_ids(exchange: RecordedExchange) -> frozenset[str]:
    """The ids in a request."""
    return frozenset(ID.findall(f"{exchange.path}?{exchange.query} {_request_text(exchange)}"))


def _request_text(exchange: RecordedExchange) -> str:
    if exchange.request_json is not None:
        return orjson.dumps(exchange.request_json).decode()
    return exchange.request_body if isinstance(exchange.request_body, str) else ""


# -- Order -------------------------------------------------------------------------------------------------------------


def _order_exchanges(exchanges: Sequence[RecordedExchange]) -> list[RecordedExchange]:
    """Order the exchanges of several files by the service's clock, and creations before uses.

    The clock counts seconds, and cassettes are edited: a request may have been renamed and kept its old answer.
    """
    if len({seen.file for seen in exchanges}) == 1:
        return _move_streams_first(exchanges)
    waiting = [exchange for *_, exchange in sorted(_assign_times(exchanges), key=lambda each: each[:3])]
    unmade = Counter(made for seen in waiting for made in list_created_ids(seen))
    ordered: list[RecordedExchange] = []
    while waiting:
        firsts = {seen.file: seen for seen in reversed(waiting)}  # the order within a file is kept
        of_each = sorted(firsts.values(), key=waiting.index)
        ready = next((seen for seen in of_each if not list_requested_ids(seen) & unmade.keys()), waiting[0])
        waiting.remove(ready)
        unmade -= Counter(list_created_ids(ready))
        ordered.append(ready)
    return ordered


def _move_streams_first(exchanges: Sequence[RecordedExchange]) -> list[RecordedExchange]:
    """Move streams before later requests: some recorders write a stream after the request that cancelled its run."""
    ordered: list[RecordedExchange] = []
    for exchange in exchanges:
        made = list_created_ids(exchange) if exchange.sse is not None else frozenset[str]()
        at = next((at for at, each in enumerate(ordered) if list_requested_ids(each) & made), len(ordered))
        ordered.insert(at, exchange)
    return ordered


def _assign_times(exchanges: Sequence[RecordedExchange]) -> Iterator[tuple[float, str, int, RecordedExchange]]:
    latest: dict[str, float] = {}
    for exchange in exchanges:
        at = latest[exchange.file] = max(
            find_answer_time(exchange) or 0.0, latest.get(exchange.file, 0.0)
        )  # files are written in order
        yield at, exchange.file, exchange.index, exchange

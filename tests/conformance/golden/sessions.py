"""Which recorded exchanges belong together: those of one file, and those of files that speak of the same objects."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import orjson

from tests.conformance.golden.recordings import Recorded, answered_at, is_bare, is_ours

#: Ids of the Assistants API and of the resources it refers to (A9).
ID = re.compile(r"\b(?:asst|thread|msg|run|step|call|vs|vsfb|file)[_-][A-Za-z0-9]{8,}")

_FIRST_VERSION = "assistants=v1"


@dataclass
class Session:
    """Exchanges in the order in which they happened, and those that cannot be made again, each with the reason."""

    name: str
    exchanges: list[Recorded]
    not_replayable: list[tuple[Recorded, str]] = field(default_factory=list)


def sessions_of(recorded: Iterable[Recorded]) -> list[Session]:
    """The sessions of the Assistants API among recordings; those of other APIs alone are left out, and bare answers."""
    sessions: list[Session] = []
    for together in _grouped([seen for seen in recorded if not is_bare(seen)]):
        usable = [seen for seen in together if why_not(seen) is None]
        dropped = [(seen, reason) for seen in together if (reason := why_not(seen)) is not None]
        if any(map(_speaks_of_assistants, together)):
            sessions.append(Session(_name(together), _in_order(usable), dropped))
    return sessions


def why_not(seen: Recorded) -> str | None:
    """Why an exchange can never be made again; None where it can."""
    if seen.request_headers.get("openai-beta") == _FIRST_VERSION:
        return "a request of version 1 of the API"
    return None


def _speaks_of_assistants(seen: Recorded) -> bool:
    return is_ours(seen)


def _name(together: Sequence[Recorded]) -> str:
    return min(seen.file for seen in together)


# -- Belonging together ------------------------------------------------------------------------------------------------


def _grouped(recorded: Sequence[Recorded]) -> list[list[Recorded]]:
    """Files joined where one asks for what another made, in the order of their names."""
    root: dict[str, str] = {}

    def find(file: str) -> str:
        while (above := root.setdefault(file, file)) != file:
            file = above
        return file

    makers = {made: seen.file for seen in recorded if why_not(seen) is None for made in made_by(seen)}
    for seen in recorded:
        find(seen.file)
        if why_not(seen) is None:
            for asked in asked_of(seen) & makers.keys():
                root[find(seen.file)] = find(makers[asked])
    groups: dict[str, list[Recorded]] = {}
    for seen in recorded:
        groups.setdefault(find(seen.file), []).append(seen)
    return sorted(groups.values(), key=_name)


def made_by(seen: Recorded) -> frozenset[str]:
    """The ids of the objects that a request made: a new thread and run, a file, a vector store."""
    if seen.method != "POST" or seen.status != 200:
        return frozenset()
    if isinstance(seen.response_json, dict):
        body = seen.response_json
        made = {body.get("id"), body.get("thread_id") if (seen.path or "").endswith("/threads/runs") else None}
        return frozenset(each for each in made if isinstance(each, str)) - asked_of(seen)
    opened = [data["id"] for name, data in seen.sse or () if name in ("thread.created", "thread.run.created")]
    return frozenset(opened)


def asked_of(seen: Recorded) -> frozenset[str]:
    """The ids in a request."""
    return frozenset(ID.findall(f"{seen.path}?{seen.query} {_text(seen)}"))


def _text(seen: Recorded) -> str:
    if seen.request_json is not None:
        return orjson.dumps(seen.request_json).decode()
    return seen.request_body if isinstance(seen.request_body, str) else ""


# -- Order -------------------------------------------------------------------------------------------------------------


def _in_order(exchanges: Sequence[Recorded]) -> list[Recorded]:
    """By the service's clock where files were joined; but what makes an object comes before what asks for it.

    The clock counts seconds, and cassettes are edited: a request may have been renamed and kept its old answer.
    """
    if len({seen.file for seen in exchanges}) == 1:
        return _streams_before_what_came_in_them(exchanges)
    waiting = [seen for *_, seen in sorted(_timed(exchanges), key=lambda each: each[:3])]
    unmade = Counter(made for seen in waiting for made in made_by(seen))
    ordered: list[Recorded] = []
    while waiting:
        firsts = {seen.file: seen for seen in reversed(waiting)}  # a file keeps its order
        of_each = sorted(firsts.values(), key=waiting.index)
        ready = next((seen for seen in of_each if not asked_of(seen) & unmade.keys()), waiting[0])
        waiting.remove(ready)
        unmade -= Counter(made_by(ready))
        ordered.append(ready)
    return ordered


def _streams_before_what_came_in_them(exchanges: Sequence[Recorded]) -> list[Recorded]:
    """Some recorders write a stream down when it is over, and so behind the request that cancelled its run."""
    ordered: list[Recorded] = []
    for seen in exchanges:
        made = made_by(seen) if seen.sse is not None else frozenset[str]()
        at = next((at for at, each in enumerate(ordered) if asked_of(each) & made), len(ordered))
        ordered.insert(at, seen)
    return ordered


def _timed(exchanges: Sequence[Recorded]) -> Iterator[tuple[float, str, int, Recorded]]:
    latest: dict[str, float] = {}
    for seen in exchanges:
        at = latest[seen.file] = max(answered_at(seen) or 0.0, latest.get(seen.file, 0.0))  # files are written in order
        yield at, seen.file, seen.index, seen

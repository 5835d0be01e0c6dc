"""Calls of hosted tools: the service behind performs them, and each is a step of its own (§8, A92, A93)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from threadbridge.ports import Entry, Event, IdGenerator, Wire
from threadbridge.translation.citations import CitationResolver, get_result_file_id
from threadbridge.translation.wire_objects import build_closed_step, build_open_step, build_step_delta, build_step_event

#: Statuses of a call that the service could not bring to its end.
_FAILED_STATUSES = frozenset({"failed", "incomplete"})

_DEFAULT_RANKING_OPTIONS: Wire = {"ranker": "default_2024_08_21", "score_threshold": 0.0}


class _HostedToolWriter:
    """The step of one call, which it is the only one of."""

    item_type: ClassVar[str]
    tool_type: ClassVar[str]
    #: The step as it was stored last; None until it ended.
    step: Wire | None = None

    def __init__(
        self, run: Wire, *, new_id: IdGenerator, now: Callable[[], float], citations: CitationResolver
    ) -> None:
        self._run = run
        self._now = now
        self._citations = citations
        self._call_id = new_id("call")  # hosted items have no call id, and an item's id is never shown (§8)
        self._item: Wire | None = None
        self._open_step = build_open_step(
            run, step_id=new_id("step"), created_at=int(now()), details={"type": "tool_calls", "tool_calls": []}
        )

    @property
    def is_finished(self) -> bool:
        """Whether the service is done with it."""
        return self._item is not None

    def open(self) -> list[Event]:
        """The step, and the call in it with nothing found or done yet."""
        empty = {"index": 0, "id": self._call_id, "type": self.tool_type, self.tool_type: self._build_empty_details()}
        return [
            Event("thread.run.step.created", self._open_step),
            Event("thread.run.step.in_progress", self._open_step),
            build_step_delta(self._open_step["id"], empty),
        ]

    def finish(self, item: Wire) -> list[Event]:
        """Take the finished item, and send what was not streamed of it. A call of a closed step stays as it was."""
        if self.step is not None or self._item is not None:
            return []
        self._item = item
        return self._apply_item(item)

    def close(self, *, step_status: str, usage: Wire, last_error: Wire | None = None) -> list[Event]:
        """The closing event. A call that was over when the turn broke is completed all the same."""
        status, error = ("completed", None) if self._has_succeeded() else (step_status, last_error)
        call = {"id": self._call_id, "type": self.tool_type, self.tool_type: self._build_full_details()}
        details = {"type": "tool_calls", "tool_calls": [call]}
        self.step = build_closed_step(
            {**self._open_step, "step_details": details}, status, at=int(self._now()), usage=usage, last_error=error
        )
        return [build_step_event(self.step, self._run["expires_at"])]

    def build_entry(self) -> Entry:
        """The call as a line of the timeline."""
        return Entry(item=self._build_replay_item(self._item) if self._item else None, run_id=self._run["id"])

    def _has_succeeded(self) -> bool:
        return self._item is not None and self._item.get("status") not in _FAILED_STATUSES

    def _build_delta(self, **fields: Any) -> Event:
        return build_step_delta(self._open_step["id"], {"index": 0, "type": self.tool_type, self.tool_type: fields})

    def _build_empty_details(self) -> Wire:
        raise NotImplementedError

    def _build_full_details(self) -> Wire:
        raise NotImplementedError

    def _apply_item(self, item: Wire) -> list[Event]:
        raise NotImplementedError

    def _build_replay_item(self, item: Wire) -> Wire:
        return item


class FileSearchWriter(_HostedToolWriter):
    """A search in vector stores. Its results come with the end of the step (A92), their words only on request (A77)."""

    item_type = "file_search_call"
    tool_type = "file_search"
    _results: tuple[Wire, ...] = ()

    def _build_empty_details(self) -> Wire:
        return {"ranking_options": _get_ranking_options(self._run), "results": []}

    def _build_full_details(self) -> Wire:
        return {"ranking_options": _get_ranking_options(self._run), "results": list(self._results)}

    def _apply_item(self, item: Wire) -> list[Event]:
        results: list[Wire] = item.get("results") or []
        self._citations.add_search_results(results)
        self._results = tuple(_build_result(result) for result in results)
        return []


class CodeInterpreterWriter(_HostedToolWriter):
    """Python at work: its code as it is written, then what came out (A93)."""

    item_type = "code_interpreter_call"
    tool_type = "code_interpreter"

    def __init__(
        self, run: Wire, *, new_id: IdGenerator, now: Callable[[], float], citations: CitationResolver
    ) -> None:
        super().__init__(run, new_id=new_id, now=now, citations=citations)
        self._code: list[str] = []
        self._outputs: list[Wire] = []

    def add(self, fragment: str) -> list[Event]:
        """The next characters of the code."""
        self._code.append(fragment)
        return [self._build_delta(input=fragment)]

    def _build_empty_details(self) -> Wire:
        return {"input": "", "outputs": []}

    def _build_full_details(self) -> Wire:
        return {"input": "".join(self._code), "outputs": list(self._outputs)}

    def _apply_item(self, item: Wire) -> list[Event]:
        streamed, code = "".join(self._code), item.get("code") or ""
        rest = code[len(streamed) :] if code.startswith(streamed) else ""
        events = self.add(rest) if rest else []
        for output in item.get("outputs") or ():
            converted = self._convert_output(output)
            if converted is not None:
                events.append(self._build_delta(outputs=[{"index": len(self._outputs), **converted}]))
                self._outputs.append(converted)
        return events

    def _convert_output(self, output: Wire) -> Wire | None:
        match output:
            case {"type": "logs", "logs": str(logs)}:
                return {"type": "logs", "logs": logs}
            case {"type": "image", "url": str(url)} if (
                file_id := self._citations.produced_files.register_inline_image(url)
            ) is not None:
                return {"type": "image", "image": {"file_id": file_id}}
            case _:
                return None

    def _build_replay_item(self, item: Wire) -> Wire:
        """Without images: they are megabytes of text, and the model has seen them."""
        outputs = item.get("outputs")
        replayable = [output for output in outputs if output.get("type") != "image"] if outputs else outputs
        return {**item, "outputs": replayable}


def _get_ranking_options(run: Wire) -> Wire:
    """The tool's own, without `hybrid_search` (A76)."""
    for tool in run["tools"]:
        if tool["type"] == "file_search":
            options = tool.get("file_search", {}).get("ranking_options") or _DEFAULT_RANKING_OPTIONS
            return {name: options.get(name, default) for name, default in _DEFAULT_RANKING_OPTIONS.items()}
    return dict(_DEFAULT_RANKING_OPTIONS)


def _build_result(result: Wire) -> Wire:
    return {
        "file_id": get_result_file_id(result),
        "file_name": result.get("filename") or "",
        "score": result.get("score"),
        "attributes": result.get("attributes") or {},
        "content": [{"type": "text", "text": result.get("text") or ""}],
    }

"""The recorded output of a turn as a response of the Responses API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.conformance.recorded_sessions.recorded_items import RecordedItem, make_items, make_placeholder_message
from tests.conformance.recorded_sessions.run_records import RunRecord, TurnOutput
from threadbridge.api_types import JsonObject
from threadbridge.errors import UpstreamError


class RecordedAnswer:
    """One response: the items of the steps of a turn, and the status that the run had afterwards.

    `ended` is the run in its last recorded state, for the last turn only.
    """

    def __init__(self, run_record: RunRecord, turn: TurnOutput, final_run: JsonObject | None) -> None:
        self._run_record = run_record
        self._turn = turn
        self._final_run = final_run
        self._items = list(self._make_items())

    def raise_failure(self) -> None:
        """Raise the error of the run, if it produced nothing."""
        if self._final_run is not None and self._final_run["status"] == "failed" and not self._turn.steps:
            error: JsonObject = self._final_run["last_error"] or {}
            status = 429 if error.get("code") == "rate_limit_exceeded" else 500
            raise UpstreamError(error.get("message") or "", status=status, code=error.get("code"))

    @property
    def is_cut_off(self) -> bool:
        """Whether the run was cancelled or expired before the response was complete."""
        return self._final_run is not None and self._run_record.is_cut_off

    def make_response(self) -> JsonObject:
        """The response object."""
        status = self._find_status()
        return {
            "id": "resp_recorded",
            "object": "response",
            "model": "recorded",
            "status": status,
            "error": self._final_run["last_error"] if self._final_run is not None and status == "failed" else None,
            "incomplete_details": {"reason": self._find_limit()} if status == "incomplete" else None,
            "output": [item for item, _ in self._items],
            "usage": to_upstream_usage(self._turn.usage),
        }

    def iterate_events(self) -> Iterator[JsonObject]:
        """The response as a stream, in the recorded fragments; an interrupted one has no final event."""
        response = self.make_response()
        yield {"type": "response.created", "response": {**response, "status": "in_progress", "output": []}}
        for index, (item, deltas) in enumerate(self._items):
            yield {"type": "response.output_item.added", "output_index": index, "item": _empty_item(item)}
            for delta in deltas:
                yield {"output_index": index, "item_id": item["id"], **delta}
            if self.is_cut_off and index == len(self._items) - 1:
                return
            yield {"type": "response.output_item.done", "output_index": index, "item": item}
        if not self.is_cut_off:
            yield {"type": f"response.{response['status']}", "response": response}

    def _find_status(self) -> str:
        status = self._final_run["status"] if self._final_run is not None else "completed"
        return status if status in ("incomplete", "failed") else "completed"

    def _find_limit(self) -> str:
        """The limit that ended the response: only a stream shows the content filter (A39)."""
        details: list[JsonObject] = [
            message.get("incomplete_details") or {} for message in self._run_record.messages.values()
        ]
        is_filtered = any(each.get("reason") == "content_filter" for each in details)
        return "content_filter" if is_filtered else "max_output_tokens"

    def _make_items(self) -> Iterator[RecordedItem]:
        """The items, each with the events of its fragments."""
        items = [each for step in self._turn.steps for each in make_items(self._run_record, step)]
        if not items and self._final_run is not None and self._final_run["status"] == "completed":
            items = [make_placeholder_message()]
        return (RecordedItem({"id": f"item_{number}", **item}, deltas) for number, (item, deltas) in enumerate(items))


def _empty_item(item: JsonObject) -> JsonObject:
    empty: Mapping[str, JsonObject] = {
        "message": {"content": []},
        "function_call": {"arguments": ""},
        "code_interpreter_call": {"code": "", "outputs": []},
        "file_search_call": {"results": None},
    }
    return {**item, "status": "in_progress", **empty[item["type"]]}


def to_upstream_usage(usage: JsonObject | None) -> JsonObject | None:
    """A run's usage in the form of the Responses API."""
    if usage is None:
        return None
    return {
        "input_tokens": usage["prompt_tokens"],
        "input_tokens_details": usage["prompt_token_details"],
        "output_tokens": usage["completion_tokens"],
        "output_tokens_details": usage["completion_tokens_details"],
        "total_tokens": usage["total_tokens"],
    }

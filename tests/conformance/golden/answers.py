"""What the recorded model produced in a turn, as the answer of a Responses service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.conformance.golden.items import Made, items_of, unrecorded_message
from tests.conformance.golden.stories import Round, Story
from threadbridge.errors import UpstreamError
from threadbridge.ports import Wire


class Answer:
    """One response: the items that the steps of a turn show, and the way the run went on.

    `ended` is the run in its last recorded state, for the last turn only.
    """

    def __init__(self, story: Story, told: Round, ended: Wire | None) -> None:
        self._story = story
        self._told = told
        self._ended = ended
        self._items = list(self._made())

    def refuse(self) -> None:
        """Raise what failed the run, where nothing had been produced."""
        if self._ended is not None and self._ended["status"] == "failed" and not self._told.steps:
            error = self._ended["last_error"] or {}
            status = 429 if error.get("code") == "rate_limit_exceeded" else 500
            raise UpstreamError(error.get("message") or "", status=status, code=error.get("code"))

    @property
    def is_cut_off(self) -> bool:
        """Whether the model was still speaking when the run was cancelled or its time was up."""
        return self._ended is not None and self._story.is_cut_off

    def response(self) -> Wire:
        """The response object."""
        status = self._status()
        return {
            "id": "resp_recorded",
            "object": "response",
            "model": "recorded",
            "status": status,
            "error": self._ended["last_error"] if self._ended is not None and status == "failed" else None,
            "incomplete_details": {"reason": self._limit()} if status == "incomplete" else None,
            "output": [item for item, _ in self._items],
            "usage": as_upstream(self._told.usage),
        }

    def events(self) -> Iterator[Wire]:
        """The response as a stream, in the recorded fragments; one that is cut off has no end."""
        response = self.response()
        yield {"type": "response.created", "response": {**response, "status": "in_progress", "output": []}}
        for index, (item, deltas) in enumerate(self._items):
            yield {"type": "response.output_item.added", "output_index": index, "item": _emptied(item)}
            for delta in deltas:
                yield {"output_index": index, "item_id": item["id"], **delta}
            if self.is_cut_off and index == len(self._items) - 1:
                return
            yield {"type": "response.output_item.done", "output_index": index, "item": item}
        if not self.is_cut_off:
            yield {"type": f"response.{response['status']}", "response": response}

    def _status(self) -> str:
        status = self._ended["status"] if self._ended is not None else "completed"
        return status if status in ("incomplete", "failed") else "completed"

    def _limit(self) -> str:
        """What cut the answer: only a stream tells when it was the filter (A39)."""
        reasons = [(message.get("incomplete_details") or {}).get("reason") for message in self._story.messages.values()]
        return "content_filter" if "content_filter" in reasons else "max_output_tokens"

    def _made(self) -> Iterator[Made]:
        """The items, each with the events of its fragments."""
        made = [each for step in self._told.steps for each in items_of(self._story, step)]
        if not made and self._ended is not None and self._ended["status"] == "completed":
            made = [unrecorded_message()]
        return (Made({"id": f"item_{number}", **item}, deltas) for number, (item, deltas) in enumerate(made))


def _emptied(item: Wire) -> Wire:
    empty: Mapping[str, Wire] = {
        "message": {"content": []},
        "function_call": {"arguments": ""},
        "code_interpreter_call": {"code": "", "outputs": []},
        "file_search_call": {"results": None},
    }
    return {**item, "status": "in_progress", **empty[item["type"]]}


def as_upstream(usage: Wire | None) -> Wire | None:
    """A run's usage in the words of the Responses API."""
    if usage is None:
        return None
    return {
        "input_tokens": usage["prompt_tokens"],
        "input_tokens_details": usage["prompt_token_details"],
        "output_tokens": usage["completion_tokens"],
        "output_tokens_details": usage["completion_tokens_details"],
        "total_tokens": usage["total_tokens"],
    }

"""A Responses service that produces what the recorded model produced, when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextvars import ContextVar

from tests.conformance.golden.stories import Round, Story
from threadbridge.errors import UpstreamError
from threadbridge.ports import UpstreamResponse, Wire
from threadbridge_adapters.responses.no_upstream import NoUpstream
from threadbridge_adapters.responses.places import Places

_NOT_RECORDED = "(The words were not recorded.)"


class Script:
    """The turns of one run, and how far it may go: each turn begins and ends when the replay says so."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._rounds = story.rounds()
        self.asked = 0
        self._begun = [asyncio.Event() for _ in range(len(self._rounds) + 1)]
        self._over = [asyncio.Event() for _ in range(len(self._rounds) + 1)]

    def let_begin(self, turn: int) -> None:
        """The turn may be taken up, and every one before it."""
        for event in self._begun[: turn + 1]:
            event.set()

    def let_end(self, turn: int) -> None:
        """The model has answered in this turn, and in every one before it."""
        self.let_begin(turn)
        for event in self._over[: turn + 1]:
            event.set()

    @property
    def may_begin(self) -> bool:
        return self._begun[min(self.asked, len(self._rounds))].is_set()

    async def beginning(self) -> None:
        await self._begun[min(self.asked, len(self._rounds))].wait()

    async def answer(self) -> Answer:
        """What the model produced in the next turn, once it may."""
        turn = min(self.asked, len(self._rounds) - 1)
        self.asked += 1
        await self._over[turn].wait()
        is_last = turn == len(self._rounds) - 1
        return Answer(self._story, self._rounds[turn], self._story.last if is_last else None)


#: The script of the run that the present request is about. A worker inherits it from the request that employs it.
SCRIPT: ContextVar[Script] = ContextVar("script")


class ScriptedPlaces(Places):
    """Places that are free as soon as the recorded service took the run up."""

    def reserve(self) -> bool:
        return SCRIPT.get().may_begin

    async def wait(self, called_off: asyncio.Future[None]) -> bool:
        beginning = asyncio.ensure_future(SCRIPT.get().beginning())
        await asyncio.wait((beginning, called_off), return_when=asyncio.FIRST_COMPLETED)
        beginning.cancel()
        return not called_off.done()

    def give_back(self) -> None:
        """Nobody is kept waiting by those who have a place."""


class ScriptedUpstream(NoUpstream):
    """`ports.Upstream` for the runs of a session."""

    async def create(self, body: bytes) -> UpstreamResponse:
        answer = await SCRIPT.get().answer()
        answer.refuse()
        return UpstreamResponse(answer.response())

    async def stream(self, body: bytes) -> Streaming:
        answer = await SCRIPT.get().answer()
        answer.refuse()
        return Streaming(answer)


class Streaming:
    """`ports.UpstreamStream` of one answer."""

    request_id: str | None = None

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[Wire]:
        for event in self._answer.events():
            yield event

    async def aclose(self) -> None:
        """There is nothing to close."""


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

    def response(self) -> Wire:
        """The response object."""
        status = self._status()
        return {
            "id": "resp_recorded",
            "object": "response",
            "model": "recorded",
            "status": status,
            "error": self._ended["last_error"] if self._ended is not None and status == "failed" else None,
            "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
            "output": [item for item, _ in self._items],
            "usage": _as_upstream(self._told.usage),
        }

    def events(self) -> Iterator[Wire]:
        """The response as a stream, in the recorded fragments."""
        response = self.response()
        yield {"type": "response.created", "response": {**response, "status": "in_progress", "output": []}}
        for index, (item, deltas) in enumerate(self._items):
            yield {"type": "response.output_item.added", "output_index": index, "item": _emptied(item)}
            for delta in deltas:
                yield {"output_index": index, "item_id": item["id"], **delta}
            yield {"type": "response.output_item.done", "output_index": index, "item": item}
        yield {"type": f"response.{response['status']}", "response": response}

    def _status(self) -> str:
        status = self._ended["status"] if self._ended is not None else "completed"
        return status if status in ("incomplete", "failed") else "completed"

    # -- Items ---------------------------------------------------------------------------------------------------------

    def _made(self) -> Iterator[tuple[Wire, list[Wire]]]:
        """Each item with the events of its fragments."""
        numbers = 0
        for step in self._told.steps:
            for made in self._of_step(step):
                numbers += 1
                item, deltas = made
                yield {"id": f"item_{numbers}", **item}, deltas
        if not numbers and self._ended is not None and self._ended["status"] == "completed":
            yield {"id": "item_1", **_message([_output_text(_NOT_RECORDED, [])], "completed")}, []

    def _of_step(self, step: Wire) -> Iterator[tuple[Wire, list[Wire]]]:
        details = step["step_details"]
        if details["type"] == "message_creation":
            yield self._of_message(details["message_creation"]["message_id"])
            return
        for index, call in enumerate(details["tool_calls"]):
            fragments = self._story.fragments.get(f"{step.get('id')}#{index}", [])
            yield _CALLS[call["type"]](call, fragments)

    def _of_message(self, message_id: str) -> tuple[Wire, list[Wire]]:
        message = self._story.messages.get(message_id)
        if message is None:
            return _message([_output_text(_NOT_RECORDED, [])], "completed"), []
        parts = [_PARTS[part["type"]](part) for part in message["content"] if part["type"] in _PARTS]
        status = "incomplete" if message.get("status") == "incomplete" else "completed"
        return _message(parts, status), [_delta(part) for part in self._story.fragments.get(message_id, ())]


def _message(parts: Sequence[Wire], status: str) -> Wire:
    return {"type": "message", "role": "assistant", "status": status, "content": list(parts)}


def _output_text(text: str, annotations: Sequence[Wire]) -> Wire:
    return {"type": "output_text", "text": text, "annotations": list(annotations), "logprobs": []}


_PARTS = {
    "text": lambda part: _output_text(part["text"]["value"], []),
    "refusal": lambda part: {"type": "refusal", "refusal": part["refusal"]},
}


def _delta(part: Wire) -> Wire:
    at = {"content_index": part["index"]}
    if part["type"] == "refusal":
        return {"type": "response.refusal.delta", "delta": part["refusal"], **at}
    return {"type": "response.output_text.delta", "delta": part.get("text", {}).get("value", ""), **at}


def _function(call: Wire, fragments: Sequence[Wire]) -> tuple[Wire, list[Wire]]:
    item = {
        "type": "function_call",
        "status": "completed",
        "call_id": call["id"],
        "name": call["function"]["name"],
        "arguments": call["function"]["arguments"],
    }
    words = [each["function"]["arguments"] for each in fragments if each.get("function", {}).get("arguments")]
    return item, [{"type": "response.function_call_arguments.delta", "delta": each} for each in words]


def _file_search(call: Wire, fragments: Sequence[Wire]) -> tuple[Wire, list[Wire]]:
    found = [
        {
            "file_id": result.get("file_id"),
            "filename": result.get("file_name"),
            "score": result.get("score"),
            "attributes": result.get("attributes") or {},
            "text": "".join(each.get("text", "") for each in result.get("content") or ()),
        }
        for result in call["file_search"].get("results") or ()
    ]
    return {"type": "file_search_call", "status": "completed", "queries": [], "results": found}, []


def _code_interpreter(call: Wire, fragments: Sequence[Wire]) -> tuple[Wire, list[Wire]]:
    told = call["code_interpreter"]
    outputs = [each for each in told.get("outputs") or () if each["type"] == "logs"]
    item = {
        "type": "code_interpreter_call",
        "status": "completed",
        "container_id": "cntr_recorded",
        "code": told["input"],
        "outputs": outputs,
    }
    return item, []


_CALLS = {"function": _function, "file_search": _file_search, "code_interpreter": _code_interpreter}


def _emptied(item: Wire) -> Wire:
    empty: Mapping[str, Wire] = {"message": {"content": []}, "function_call": {"arguments": ""}}
    return {**item, "status": "in_progress", **empty.get(item["type"], {})}


def _as_upstream(usage: Wire | None) -> Wire | None:
    if usage is None:
        return None
    return {
        "input_tokens": usage["prompt_tokens"],
        "input_tokens_details": usage["prompt_token_details"],
        "output_tokens": usage["completion_tokens"],
        "output_tokens_details": usage["completion_tokens_details"],
        "total_tokens": usage["total_tokens"],
    }

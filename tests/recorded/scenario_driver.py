"""Runs a conversation through the backend port and records observations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import cast

from tests.recorded.model_texts import format_call
from tests.request_context import CONTEXT
from threadbridge.api_types import FunctionTool, JsonValue, RunObject, RunToolCall, SubmitToolOutputsBody
from threadbridge.errors import RequestError
from threadbridge.ports import Backend, Event, ListQuery

#: Seconds a run may take. A real model needs some of them.
_TIMEOUT_SECONDS = 60.0

_IN_FLIGHT = ("queued", "in_progress", "cancelling")

#: The simulator obeys the lines of a user's message by nature, a real model by these words.
INSTRUCTIONS = (
    "Every line of the user's message is an order, and you do nothing else. `CALL name {json}`: call this function "
    "with exactly these arguments; the calls of neighbouring lines go out together, in parallel. `THEN CALL name "
    "{json}`: a call that waits for the outputs of the calls above it. `SAY text`: when all calls have been answered, "
    "answer with exactly this text."
)


def _make_function_tool(name: str) -> FunctionTool:
    city = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    return {"type": "function", "function": {"name": name, "description": f"{name} of a city", "parameters": city}}


TOOLS = [_make_function_tool("get_weather"), _make_function_tool("get_time")]


class DeltaAccumulator:
    """Joins the deltas of a stream to texts and calls."""

    def __init__(self) -> None:
        self._texts: dict[object, str] = {}
        self._names: dict[object, str] = {}

    def add(self, event: Event) -> None:
        """Add the text or call of a delta; other events have none."""
        match event.data:
            case {"object": "thread.message.delta", "id": key, "delta": {"content": parts}}:
                for part in parts:
                    self._append_text((key, part["index"]), part["text"]["value"])
            case {"object": "thread.run.step.delta", "id": key, "delta": {"step_details": {"tool_calls": calls}}}:
                for call in calls:
                    self._names.setdefault((key, call["index"]), call["function"].get("name"))
                    self._append_text((key, call["index"]), call["function"].get("arguments") or "")
            case _:
                return

    def list_words(self) -> list[str]:
        """Texts and calls, in the order in which they began."""
        return [
            format_call(self._names[key], text) if key in self._names else text for key, text in self._texts.items()
        ]

    def _append_text(self, key: object, text: str) -> None:
        self._texts[key] = self._texts.get(key, "") + text


class ScenarioDriver:
    """One assistant and one thread.

    `course` is what every service must do alike: statuses, events, refusals, and that functions were called.
    `words` is what only the model knows: texts and arguments. What was streamed is noted from its deltas.
    """

    def __init__(self, backend: Backend, *, poll_interval: float) -> None:
        self.backend = backend
        self.observations: list[str] = []
        self.model_texts: list[str] = []
        self._poll_interval = poll_interval
        self._assistant_id = ""
        self.thread_id = ""
        self.run: RunObject  # since the first run was started

    async def open(self) -> None:
        """Create the assistant and the thread."""
        assistant = await self.backend.create_assistant(
            CONTEXT, {"model": "gpt-4o", "temperature": 0, "instructions": INSTRUCTIONS, "tools": TOOLS}
        )
        self._assistant_id = assistant["id"]
        self.thread_id = (await self.backend.create_thread(CONTEXT, {}))["id"]

    async def close(self) -> None:
        """Delete the thread and the assistant."""
        await self.backend.delete_thread(CONTEXT, self.thread_id)
        await self.backend.delete_assistant(CONTEXT, self._assistant_id)

    async def add_message(self, *lines: str) -> None:
        """Add a message to the thread."""
        await self.backend.create_message(CONTEXT, self.thread_id, {"role": "user", "content": "\n".join(lines)})

    async def run_polled(self) -> None:
        """Create a run and poll it until it is at rest."""
        run = await self.backend.create_run(CONTEXT, self.thread_id, {"assistant_id": self._assistant_id})
        await self._poll_until_rest(run)

    async def submit_polled(self) -> None:
        """Submit every output and poll again."""
        await self._poll_until_rest(
            await self.backend.submit_tool_outputs(CONTEXT, self.thread_id, self.run["id"], self._make_outputs())
        )

    async def run_streamed(self) -> None:
        """Create a run and read its stream."""
        await self._follow_events(
            await self.backend.stream_run(CONTEXT, self.thread_id, {"assistant_id": self._assistant_id})
        )

    async def submit_streamed(self) -> None:
        """Submit every output and read the stream."""
        events = await self.backend.stream_tool_outputs(CONTEXT, self.thread_id, self.run["id"], self._make_outputs())
        await self._follow_events(events)

    async def note_results(self) -> None:
        """Record the newest message and the steps of the run."""
        messages = await self.backend.list_messages(CONTEXT, self.thread_id, ListQuery(limit=1))
        newest: JsonValue = messages["data"][0]
        steps = await self.backend.list_steps(CONTEXT, self.thread_id, self.run["id"], ListQuery(order="asc"))
        self.observations += [f"step {step['type']} {step['status']}" for step in steps["data"]]
        self.observations.append(f"message by the {newest['role']}")
        self.model_texts.append(newest["content"][0]["text"]["value"])

    async def expect_rejection(self, request: Awaitable[object]) -> None:
        """Record the error of a request."""
        try:
            await request
        except RequestError as refusal:
            self.observations.append(f"{refusal.status} {refusal.message}")
        else:
            raise AssertionError("the request was accepted")

    async def _poll_until_rest(self, run: RunObject) -> None:
        waited = 0.0
        while run["status"] in _IN_FLIGHT and waited < _TIMEOUT_SECONDS:
            await asyncio.sleep(self._poll_interval)
            waited += self._poll_interval
            run = (await self.backend.retrieve_run(CONTEXT, self.thread_id, run["id"])).run
        self._note_rest(run)
        self.model_texts += [
            format_call(call["function"]["name"], call["function"]["arguments"]) for call in self._list_required_calls()
        ]

    async def _follow_events(self, events: AsyncIterator[Event]) -> None:
        pieces = DeltaAccumulator()
        async for event in events:
            if not (event.name.endswith(".delta") and self.observations[-1] == event.name):
                self.observations.append(event.name)
            pieces.add(event)
            if event.data["object"] == "thread.run":
                self.run = cast("RunObject", event.data)
        self._note_rest(self.run)
        self.model_texts += pieces.list_words()

    def _note_rest(self, run: RunObject) -> None:
        self.run = run
        self.observations.append(f"run {run['status']}")
        self.observations += [f"called {call['function']['name']}" for call in self._list_required_calls()]

    def _list_required_calls(self) -> list[RunToolCall]:
        required = self.run["required_action"]
        return required["submit_tool_outputs"]["tool_calls"] if required is not None else []

    def _make_outputs(self) -> SubmitToolOutputsBody:
        return {
            "tool_outputs": [{"tool_call_id": call["id"], "output": "sunny"} for call in self._list_required_calls()]
        }

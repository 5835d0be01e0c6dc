"""A streamed run with an event handler: text and calls appear as they come, outputs go back from within the handler.

    python streaming.py [--async] ["your question"]

Needs OPENAI_API_KEY, and OPENAI_BASE_URL where the Assistants API is not at its usual place.
"""

import argparse
import asyncio
import json

from openai import AssistantEventHandler, AsyncAssistantEventHandler, AsyncOpenAI, OpenAI
from openai.types.beta import AssistantStreamEvent, FunctionToolParam
from openai.types.beta.threads import Run, Text, TextDelta
from openai.types.beta.threads.run_submit_tool_outputs_params import ToolOutput
from openai.types.beta.threads.runs import ToolCall, ToolCallDelta
from typing_extensions import override

QUESTION = "When does the library open tomorrow, and is it worth going early?"
INSTRUCTIONS = "You work at the desk of a public library. Look opening hours up before you answer. Be brief."
HOURS = {"today": "9 to 18", "tomorrow": "11 to 16"}

TOOL: FunctionToolParam = {
    "type": "function",
    "function": {
        "name": "opening_hours",
        "description": "The library's opening hours.",
        "parameters": {
            "type": "object",
            "properties": {"day": {"type": "string", "enum": sorted(HOURS)}},
            "required": ["day"],
        },
    },
}


def opening_hours(day: str) -> str:
    return json.dumps({"day": day, "hours": HOURS[day]})


def tool_outputs(run: Run) -> list[ToolOutput]:
    assert run.required_action is not None
    outputs: list[ToolOutput] = []
    for call in run.required_action.submit_tool_outputs.tool_calls:
        output = opening_hours(**json.loads(call.function.arguments))
        print(f"\nlibrary > {output}", end="", flush=True)
        outputs.append({"tool_call_id": call.id, "output": output})
    return outputs


def show_text(delta: TextDelta) -> None:
    print(delta.value or "", end="", flush=True)


def show_call(tool_call: ToolCall) -> None:
    if tool_call.type == "function":
        print(f"\nassistant calls > {tool_call.function.name} ", end="", flush=True)


def show_arguments(delta: ToolCallDelta) -> None:
    if delta.type == "function" and delta.function:
        print(delta.function.arguments or "", end="", flush=True)


class Handler(AssistantEventHandler):
    """Prints text and calls, and submits the outputs of calls on another stream."""

    def __init__(self, client: OpenAI) -> None:
        super().__init__()
        self.client = client

    @override
    def on_event(self, event: AssistantStreamEvent) -> None:
        if event.event == "thread.run.requires_action":
            with self.client.beta.threads.runs.submit_tool_outputs_stream(
                run_id=event.data.id,
                thread_id=event.data.thread_id,
                tool_outputs=tool_outputs(event.data),
                event_handler=Handler(self.client),
            ) as stream:
                stream.until_done()
        elif event.event == "thread.run.failed":
            print(f"\nThe run failed: {event.data.last_error}")

    @override
    def on_text_created(self, text: Text) -> None:
        print("\nassistant > ", end="", flush=True)

    @override
    def on_text_delta(self, delta: TextDelta, snapshot: Text) -> None:
        show_text(delta)

    @override
    def on_tool_call_created(self, tool_call: ToolCall) -> None:
        show_call(tool_call)

    @override
    def on_tool_call_delta(self, delta: ToolCallDelta, snapshot: ToolCall) -> None:
        show_arguments(delta)


class AsyncHandler(AsyncAssistantEventHandler):
    """The same for the asynchronous client."""

    def __init__(self, client: AsyncOpenAI) -> None:
        super().__init__()
        self.client = client

    @override
    async def on_event(self, event: AssistantStreamEvent) -> None:
        if event.event == "thread.run.requires_action":
            async with self.client.beta.threads.runs.submit_tool_outputs_stream(
                run_id=event.data.id,
                thread_id=event.data.thread_id,
                tool_outputs=tool_outputs(event.data),
                event_handler=AsyncHandler(self.client),
            ) as stream:
                await stream.until_done()
        elif event.event == "thread.run.failed":
            print(f"\nThe run failed: {event.data.last_error}")

    @override
    async def on_text_created(self, text: Text) -> None:
        print("\nassistant > ", end="", flush=True)

    @override
    async def on_text_delta(self, delta: TextDelta, snapshot: Text) -> None:
        show_text(delta)

    @override
    async def on_tool_call_created(self, tool_call: ToolCall) -> None:
        show_call(tool_call)

    @override
    async def on_tool_call_delta(self, delta: ToolCallDelta, snapshot: ToolCall) -> None:
        show_arguments(delta)


def main(question: str) -> None:
    client = OpenAI()
    assistant = client.beta.assistants.create(
        name="Library desk", model="gpt-4o", instructions=INSTRUCTIONS, tools=[TOOL]
    )
    thread = client.beta.threads.create()
    client.beta.threads.messages.create(thread.id, role="user", content=question)
    print(f"user > {question}", end="", flush=True)

    with client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant.id, event_handler=Handler(client)
    ) as stream:
        stream.until_done()
    print()


async def main_async(question: str) -> None:
    async with AsyncOpenAI() as client:
        assistant = await client.beta.assistants.create(
            name="Library desk", model="gpt-4o", instructions=INSTRUCTIONS, tools=[TOOL]
        )
        thread = await client.beta.threads.create()
        await client.beta.threads.messages.create(thread.id, role="user", content=question)
        print(f"user > {question}", end="", flush=True)

        async with client.beta.threads.runs.stream(
            thread_id=thread.id, assistant_id=assistant.id, event_handler=AsyncHandler(client)
        ) as stream:
            await stream.until_done()
        print()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Ask the library desk, and watch the answer come.")
    parser.add_argument("question", nargs="?", default=QUESTION)
    parser.add_argument("--async", action="store_true", dest="use_async", help="use the asynchronous client")
    arguments = parser.parse_args()
    if arguments.use_async:
        asyncio.run(main_async(arguments.question))
    else:
        main(arguments.question)

"""An agent loop written by hand: poll the run, call the functions, submit the outputs, until it ends.

    python agent_loop.py [--async] ["your question"]

Needs OPENAI_API_KEY, and OPENAI_BASE_URL where the Assistants API is not at its usual place.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

from openai import AsyncOpenAI, OpenAI
from openai.types.beta import FunctionToolParam
from openai.types.beta.threads import Message, RequiredActionFunctionToolCall, Run
from openai.types.beta.threads.run_submit_tool_outputs_params import ToolOutput

QUESTION = (
    "I can travel to Lisbon or to Oslo. Where is it warmer today, what is that in Fahrenheit, and can you book it?"
)
INSTRUCTIONS = (
    "You help people travel. Look the temperatures up, convert them with the function, and try to book when asked. "
    "When a function answers with an error, tell the user in plain words what did not work."
)
TEMPERATURES = {"Lisbon": 24, "Oslo": 7}
SECONDS_BETWEEN_POLLS = 0.5


def get_temperature(city: str) -> str:
    return json.dumps({"city": city, "celsius": TEMPERATURES[city]})


def to_fahrenheit(celsius: float) -> str:
    return json.dumps({"fahrenheit": celsius * 9 / 5 + 32})


#: book_trip is offered to the model but not implemented: the call gets an error that the model can explain.
FUNCTIONS: dict[str, Callable[..., str]] = {"get_temperature": get_temperature, "to_fahrenheit": to_fahrenheit}


def tool(name: str, description: str, **parameters: str) -> FunctionToolParam:
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": description,
            "parameters": {
                "type": "object",
                "properties": {key: {"type": kind} for key, kind in parameters.items()},
                "required": list(parameters),
            },
        },
    }


TOOLS = [
    tool("get_temperature", "Today's temperature in a city, in degrees Celsius.", city="string"),
    tool("to_fahrenheit", "Convert degrees Celsius to Fahrenheit.", celsius="number"),
    tool("book_trip", "Book a trip to a city.", city="string"),
]


def call_function(name: str, arguments: str) -> str:
    """The output of the function. An error becomes an output too, so that the model can continue."""
    function = FUNCTIONS.get(name)
    if function is None:
        return f"Error: there is no function named {name}."
    try:
        parsed: dict[str, Any] = json.loads(arguments)
    except json.JSONDecodeError:
        return "Error: the arguments are not valid JSON."
    try:
        return function(**parsed)
    except Exception as error:
        return f"Error: {name} failed with {error!r}."


def answer(call: RequiredActionFunctionToolCall) -> ToolOutput:
    output = call_function(call.function.name, call.function.arguments)
    print(f"  {call.function.name}({call.function.arguments}) -> {output}")
    return {"tool_call_id": call.id, "output": output}


def tool_outputs(run: Run) -> list[ToolOutput]:
    assert run.required_action is not None
    calls = run.required_action.submit_tool_outputs.tool_calls
    print(f"round of {len(calls)}:")
    return [answer(call) for call in calls]


def show(run: Run, newest: Message | None) -> None:
    if run.status != "completed" or newest is None:
        raise SystemExit(f"The run ended as {run.status}: {run.last_error}")
    for part in newest.content:
        if part.type == "text":
            print(f"assistant: {part.text.value}")


def main(question: str) -> None:
    client = OpenAI()
    assistant = client.beta.assistants.create(
        name="Travel agent", model="gpt-4o", instructions=INSTRUCTIONS, tools=TOOLS
    )
    thread = client.beta.threads.create(messages=[{"role": "user", "content": question}])
    print(f"user: {question}")

    run = client.beta.threads.runs.create(thread.id, assistant_id=assistant.id)
    while run.status in ("queued", "in_progress", "requires_action", "cancelling"):
        if run.status == "requires_action":
            run = client.beta.threads.runs.submit_tool_outputs(
                run.id, thread_id=thread.id, tool_outputs=tool_outputs(run)
            )
        else:
            time.sleep(SECONDS_BETWEEN_POLLS)
            run = client.beta.threads.runs.retrieve(run.id, thread_id=thread.id)

    messages = client.beta.threads.messages.list(thread.id, order="desc", limit=1)
    show(run, messages.data[0])


async def main_async(question: str) -> None:
    async with AsyncOpenAI() as client:
        assistant = await client.beta.assistants.create(
            name="Travel agent", model="gpt-4o", instructions=INSTRUCTIONS, tools=TOOLS
        )
        thread = await client.beta.threads.create(messages=[{"role": "user", "content": question}])
        print(f"user: {question}")

        run = await client.beta.threads.runs.create(thread.id, assistant_id=assistant.id)
        while run.status in ("queued", "in_progress", "requires_action", "cancelling"):
            if run.status == "requires_action":
                run = await client.beta.threads.runs.submit_tool_outputs(
                    run.id, thread_id=thread.id, tool_outputs=tool_outputs(run)
                )
            else:
                await asyncio.sleep(SECONDS_BETWEEN_POLLS)
                run = await client.beta.threads.runs.retrieve(run.id, thread_id=thread.id)

        messages = await client.beta.threads.messages.list(thread.id, order="desc", limit=1)
        show(run, messages.data[0])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Ask the travel agent.")
    parser.add_argument("question", nargs="?", default=QUESTION)
    parser.add_argument("--async", action="store_true", dest="use_async", help="use the asynchronous client")
    arguments = parser.parse_args()
    if arguments.use_async:
        asyncio.run(main_async(arguments.question))
    else:
        main(arguments.question)

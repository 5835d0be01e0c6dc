"""A data analyst: one question, answered with the help of a function that knows the figures.

    python data_analyst.py [--async] ["your question"]

Needs OPENAI_API_KEY, and OPENAI_BASE_URL where the Assistants API is not at its usual place.
"""

import argparse
import asyncio
import json
import statistics

from openai import AsyncOpenAI, OpenAI
from openai.types.beta import FunctionToolParam
from openai.types.beta.threads import Message, Run
from openai.types.beta.threads.run_submit_tool_outputs_params import ToolOutput

QUESTION = "How did revenue develop over the year, and was marketing worth its money?"
INSTRUCTIONS = (
    "You are a data analyst. Look figures up with column_statistics before you speak about them. "
    "The columns are 'revenue' and 'marketing', in thousands, one value per quarter. Answer in two sentences."
)
FIGURES = {"revenue": [112.0, 130.5, 128.0, 161.5], "marketing": [9.0, 14.0, 11.5, 20.5]}

TOOL: FunctionToolParam = {
    "type": "function",
    "function": {
        "name": "column_statistics",
        "description": "The values of a column with their sum, mean and change from first to last.",
        "parameters": {
            "type": "object",
            "properties": {"column": {"type": "string", "enum": sorted(FIGURES)}},
            "required": ["column"],
        },
    },
}


def column_statistics(column: str) -> str:
    values = FIGURES[column]
    return json.dumps(
        {
            "values": values,
            "sum": sum(values),
            "mean": statistics.fmean(values),
            "change": values[-1] - values[0],
        }
    )


def tool_outputs(run: Run) -> list[ToolOutput]:
    """Submit an output for every required call."""
    assert run.required_action is not None
    outputs: list[ToolOutput] = []
    for call in run.required_action.submit_tool_outputs.tool_calls:
        output = column_statistics(**json.loads(call.function.arguments))
        print(f"  {call.function.name}({call.function.arguments}) -> {output}")
        outputs.append({"tool_call_id": call.id, "output": output})
    return outputs


def show(run: Run, newest: Message | None) -> None:
    if run.status != "completed" or newest is None:
        raise SystemExit(f"The run ended as {run.status}: {run.last_error}")
    for part in newest.content:
        if part.type == "text":
            print(f"assistant: {part.text.value}")


def main(question: str) -> None:
    client = OpenAI()
    assistant = client.beta.assistants.create(
        name="Data analyst", model="gpt-4o", instructions=INSTRUCTIONS, tools=[TOOL]
    )
    thread = client.beta.threads.create()
    client.beta.threads.messages.create(thread.id, role="user", content=question)
    print(f"user: {question}")

    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    while run.status == "requires_action":
        run = client.beta.threads.runs.submit_tool_outputs_and_poll(
            run_id=run.id, thread_id=thread.id, tool_outputs=tool_outputs(run)
        )

    messages = client.beta.threads.messages.list(thread.id, run_id=run.id)
    show(run, next(iter(messages), None))


async def main_async(question: str) -> None:
    async with AsyncOpenAI() as client:
        assistant = await client.beta.assistants.create(
            name="Data analyst", model="gpt-4o", instructions=INSTRUCTIONS, tools=[TOOL]
        )
        thread = await client.beta.threads.create()
        await client.beta.threads.messages.create(thread.id, role="user", content=question)
        print(f"user: {question}")

        run = await client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
        while run.status == "requires_action":
            run = await client.beta.threads.runs.submit_tool_outputs_and_poll(
                run_id=run.id, thread_id=thread.id, tool_outputs=tool_outputs(run)
            )

        messages = await client.beta.threads.messages.list(thread.id, run_id=run.id)
        show(run, next(iter(messages.data), None))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Ask the data analyst.")
    parser.add_argument("question", nargs="?", default=QUESTION)
    parser.add_argument("--async", action="store_true", dest="use_async", help="use the asynchronous client")
    arguments = parser.parse_args()
    if arguments.use_async:
        asyncio.run(main_async(arguments.question))
    else:
        main(arguments.question)

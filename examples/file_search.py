"""Ask about files: notes are searched and cited, a table is plotted, and the chart is downloaded.

    python file_search.py [--async] ["your question"]

Needs OPENAI_API_KEY, and OPENAI_BASE_URL where the Assistants API is not at its usual place.
"""

import argparse
import asyncio
from collections.abc import Mapping

from openai import AsyncOpenAI, OpenAI
from openai.types.beta import AssistantToolParam
from openai.types.beta.threads import Message, Run, Text
from openai.types.beta.threads.message_create_params import Attachment

QUESTION = "Which quarter was the best, and why? Plot the revenue of the attached table as well."
INSTRUCTIONS = "Answer from the notes, in one sentence. Plot with matplotlib, and show the plot."
NOTES = ("notes.txt", b"The fourth quarter was the best: the new shop in Lisbon opened in October.")
TABLE = ("revenue.csv", b"quarter,revenue\n1,112.0\n2,130.5\n3,128.0\n4,161.5\n")
TOOLS: list[AssistantToolParam] = [{"type": "file_search"}, {"type": "code_interpreter"}]


def attached(file_id: str) -> list[Attachment]:
    return [{"file_id": file_id, "tools": [{"type": "code_interpreter"}]}]


def checked(run: Run, newest: Message | None) -> Message:
    if run.status != "completed" or newest is None:
        raise SystemExit(f"The run ended as {run.status}: {run.last_error}")
    return newest


def cited(text: Text) -> dict[str, str]:
    """The files the text cites, by their markers."""
    return {note.text: note.file_citation.file_id for note in text.annotations if note.type == "file_citation"}


def with_footnotes(text: Text, names: Mapping[str, str]) -> str:
    """The text with its markers as numbers, and the names of the files below it."""
    value = text.value
    for number, marker in enumerate(names, 1):
        value = value.replace(marker, f" [{number}]")
    return "\n".join([value, *(f"  [{number}] {name}" for number, name in enumerate(names.values(), 1))])


def charts(message: Message) -> list[str]:
    return [part.image_file.file_id for part in message.content if part.type == "image_file"]


def show_chart(content: bytes) -> None:
    kind = "a PNG image" if content.startswith(b"\x89PNG") else "something else"
    print(f"chart: {kind} of {len(content)} bytes")


def main(question: str) -> None:
    client = OpenAI()
    notes = client.files.create(file=NOTES, purpose="assistants")
    table = client.files.create(file=TABLE, purpose="assistants")
    store = client.vector_stores.create(name="Notes", file_ids=[notes.id])
    assistant = client.beta.assistants.create(
        name="Librarian",
        model="gpt-4o",
        instructions=INSTRUCTIONS,
        tools=TOOLS,
        tool_resources={"file_search": {"vector_store_ids": [store.id]}},
    )
    thread = client.beta.threads.create()
    client.beta.threads.messages.create(thread.id, role="user", content=question, attachments=attached(table.id))
    print(f"user: {question}")

    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    messages = client.beta.threads.messages.list(thread.id, run_id=run.id)
    answer = checked(run, next(iter(messages), None))

    for part in answer.content:
        if part.type == "text":
            names = {marker: client.files.retrieve(file_id).filename for marker, file_id in cited(part.text).items()}
            print(f"assistant: {with_footnotes(part.text, names)}")
    for file_id in charts(answer):
        show_chart(client.files.content(file_id).content)


async def main_async(question: str) -> None:
    async with AsyncOpenAI() as client:
        notes = await client.files.create(file=NOTES, purpose="assistants")
        table = await client.files.create(file=TABLE, purpose="assistants")
        store = await client.vector_stores.create(name="Notes", file_ids=[notes.id])
        assistant = await client.beta.assistants.create(
            name="Librarian",
            model="gpt-4o",
            instructions=INSTRUCTIONS,
            tools=TOOLS,
            tool_resources={"file_search": {"vector_store_ids": [store.id]}},
        )
        thread = await client.beta.threads.create()
        await client.beta.threads.messages.create(
            thread.id, role="user", content=question, attachments=attached(table.id)
        )
        print(f"user: {question}")

        run = await client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
        messages = await client.beta.threads.messages.list(thread.id, run_id=run.id)
        answer = checked(run, next(iter(messages.data), None))

        for part in answer.content:
            if part.type == "text":
                found = {marker: await client.files.retrieve(file_id) for marker, file_id in cited(part.text).items()}
                names = {marker: file.filename for marker, file in found.items()}
                print(f"assistant: {with_footnotes(part.text, names)}")
        for file_id in charts(answer):
            show_chart((await client.files.content(file_id)).content)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Ask about files.")
    parser.add_argument("question", nargs="?", default=QUESTION)
    parser.add_argument("--async", action="store_true", dest="use_async", help="use the asynchronous client")
    arguments = parser.parse_args()
    if arguments.use_async:
        asyncio.run(main_async(arguments.question))
    else:
        main(arguments.question)

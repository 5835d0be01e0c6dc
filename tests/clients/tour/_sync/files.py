# Generated from ../_async by .ci/unasync.py: edit there.
"""Files, vector stores, and the hosted tools that read and write them."""

from __future__ import annotations

from openai import OpenAI
from openai.types.beta.threads import Message
from openai.types.beta.threads.runs import RunStepInclude

from tests.clients.tour.output import expect_rejection, show

TEXT = b"The ferry to the island leaves at nine. Tickets cost twelve francs."
SEARCHING = "SEARCH when does the ferry leave\nSAY It leaves at nine[[1]]."
CODING = "PYTHON save(fares)\nPRINTS 12\nWRITES fares.csv one,12\nSAY Here they are: [[fares.csv]]"
RESULTS: RunStepInclude = "step_details.tool_calls[*].file_search.results[*].content"


def tour(client: OpenAI) -> None:
    file = client.files.create(file=("ferry.txt", TEXT), purpose="assistants")
    show("files.create", [file.object, file.filename, file.bytes, file.purpose])
    show("files.retrieve", (client.files.retrieve(file.id)).filename)
    store = client.vector_stores.create(name="Ferries")
    show("vector_stores.create", [store.object, store.name, store.status])
    added = client.vector_stores.files.create_and_poll(file.id, vector_store_id=store.id)
    show("vector_stores.files.create_and_poll", added.status)
    listed = client.vector_stores.files.list(store.id)
    show("vector_stores.files.list, every page", [one.status for one in listed])
    _show_file_search(client, store.id)
    _show_code_interpreter(client, file.id)
    show("vector_stores.delete", (client.vector_stores.delete(store.id)).deleted)
    show("files.delete", (client.files.delete(file.id)).deleted)
    with expect_rejection("files.retrieve, deleted"):
        client.files.retrieve(file.id)


def _show_file_search(client: OpenAI, store_id: str) -> None:
    """A run that searches; what its step and its message say of it."""
    threads = client.beta.threads
    assistant = client.beta.assistants.create(
        model="gpt-4o",
        tools=[{"type": "file_search"}],
        tool_resources={"file_search": {"vector_store_ids": [store_id]}},
    )
    show("assistants.create with file_search", assistant)
    run = threads.create_and_run_poll(
        assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": SEARCHING}]}
    )
    show("threads.create_and_run_poll with file_search", run.status)
    steps = threads.runs.steps.list(run.id, thread_id=run.thread_id, include=[RESULTS], order="asc")
    show("threads.runs.steps.list with results", [step.step_details for step in steps.data])
    messages = threads.messages.list(run.thread_id, limit=1)
    show("threads.messages.list with citations", messages.data[0].content)


def _show_code_interpreter(client: OpenAI, file_id: str) -> None:
    """A streamed run that reads an attached file and writes one of its own."""
    threads = client.beta.threads
    assistant = client.beta.assistants.create(model="gpt-4o", tools=[{"type": "code_interpreter"}])
    thread = threads.create()
    message = threads.messages.create(
        thread.id,
        role="user",
        content=CODING,
        attachments=[{"file_id": file_id, "tools": [{"type": "code_interpreter"}]}],
    )
    show("threads.messages.create with a file", message.attachments)
    show("threads.retrieve with a file", (threads.retrieve(thread.id)).tool_resources)
    with threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
        show("threads.runs.stream with code_interpreter", [event.event for event in stream])
        run = stream.get_final_run()
    steps = threads.runs.steps.list(run.id, thread_id=thread.id, order="asc")
    show("threads.runs.steps.list with code", [step.step_details for step in steps.data])
    newest = (threads.messages.list(thread.id, limit=1)).data[0]
    show("threads.messages.list with a written file", newest.content)
    written = client.files.content(_find_written_file(newest))
    show("files.content of a written file", written.text)


def _find_written_file(message: Message) -> str:
    """The file that the message links to."""
    text = message.content[0]
    assert text.type == "text"
    note = text.text.annotations[0]
    assert note.type == "file_path"
    return note.file_path.file_id

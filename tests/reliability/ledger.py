"""What clients requested and what was acknowledged, compared with what the gateway has afterwards."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field

import openai
from openai.types.beta.threads import Message, Run

from tests.reliability.scenario import Evidence, Fault

#: Seconds until every run has to be terminal.
SETTLE_SECONDS = 60.0
_IN_FLIGHT = ("queued", "in_progress", "cancelling")


@dataclass
class ThreadRecord:
    """What one client knows of one thread. Texts are unique within a ledger, unless a client repeats one on purpose."""

    id: str
    acknowledged: Counter[str] = field(default_factory=Counter[str])
    #: Texts whose request got no response: each may exist or not, but not twice.
    unanswered: Counter[str] = field(default_factory=Counter[str])
    run_ids: set[str] = field(default_factory=set[str])
    unanswered_runs: int = 0


@dataclass
class Ledger:
    """All threads of a scenario."""

    evidence: Evidence
    threads: list[ThreadRecord] = field(default_factory=list[ThreadRecord])
    unanswered_threads: int = 0

    async def verify(self, client: openai.AsyncOpenAI, *, concurrency: int = 8) -> None:
        """Wait until every run is terminal, and report what is missing and what exists too often."""
        limit = asyncio.Semaphore(concurrency)

        async def verify_thread(record: ThreadRecord) -> None:
            async with limit:
                await self._verify_thread(client, record)

        await asyncio.gather(*(verify_thread(record) for record in self.threads))

    async def _verify_thread(self, client: openai.AsyncOpenAI, record: ThreadRecord) -> None:
        try:
            runs = [run async for run in client.beta.threads.runs.list(record.id, limit=100)]
            runs = [await self._settle_run(client, run) for run in runs]
            messages = [message async for message in client.beta.threads.messages.list(record.id, limit=100)]
        except openai.NotFoundError:
            self.evidence.report(Fault.LOST, f"thread {record.id}")
            return
        self.evidence.amounts.update(threads=1, messages=len(messages), runs=len(runs))
        self._verify_messages(record, messages)
        self._verify_runs(record, runs, messages)

    async def _settle_run(self, client: openai.AsyncOpenAI, run: Run) -> Run:
        """The run once it is terminal; submits the outputs that it requires."""
        deadline = asyncio.get_running_loop().time() + SETTLE_SECONDS
        while run.status in (*_IN_FLIGHT, "requires_action") and asyncio.get_running_loop().time() < deadline:
            if run.required_action is not None:
                await submit_outputs(client, run)
            await asyncio.sleep(0.05)
            run = await client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)
        return run

    def _verify_messages(self, record: ThreadRecord, messages: list[Message]) -> None:
        present = Counter(get_text(message) for message in messages if message.role == "user")
        for text, count in record.acknowledged.items():
            if present[text] < count:
                self.evidence.report(Fault.LOST, f"message {text!r} of {record.id}: {present[text]} of {count}")
        for text, count in present.items():
            if count > (most := record.acknowledged[text] + record.unanswered[text]):
                self.evidence.report(Fault.DOUBLED, f"message {text!r} of {record.id}: {count} instead of {most}")

    def _verify_runs(self, record: ThreadRecord, runs: list[Run], messages: list[Message]) -> None:
        for run_id in record.run_ids - {run.id for run in runs}:
            self.evidence.report(Fault.LOST, f"run {run_id}")
        if len(runs) > (most := len(record.run_ids) + record.unanswered_runs):
            self.evidence.report(Fault.DOUBLED, f"{len(runs)} runs instead of {most} on {record.id}")
        for run in runs:
            answers = [get_text(message) for message in messages if message.run_id == run.id]
            if run.status in (*_IN_FLIGHT, "requires_action"):
                self.evidence.report(Fault.UNFINISHED, f"run {run.id} is {run.status}")
            elif run.status != "completed":
                self.evidence.report(Fault.UNEXPECTED, f"run {run.id} is {run.status}: {run.last_error}")
            elif len(answers) != 1:
                fault = Fault.DOUBLED if answers else Fault.LOST
                self.evidence.report(fault, f"run {run.id} has {len(answers)} answers: {answers}")


async def submit_outputs(client: openai.AsyncOpenAI, run: Run) -> None:
    """Submit an output for every call that the run waits for."""
    assert run.required_action is not None
    calls = run.required_action.submit_tool_outputs.tool_calls
    await client.beta.threads.runs.submit_tool_outputs(
        run.id, thread_id=run.thread_id, tool_outputs=[{"tool_call_id": call.id, "output": "sunny"} for call in calls]
    )


def get_text(message: Message) -> str:
    """The text of a message."""
    return "".join(part.text.value for part in message.content if part.type == "text")

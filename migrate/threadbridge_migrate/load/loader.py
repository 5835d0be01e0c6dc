"""Puts the threads of an archive into a store, a batch of threads in each transaction.

A thread is in the store completely or not at all, so a load that was killed continues where it stopped, and a load that
is repeated adds nothing. A thread that was loaded earlier and has grown at its source since is replaced, unless it has
been continued in the store.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Literal, NamedTuple, TypeAlias

from threadbridge.api_types import JsonObject
from threadbridge.errors import BridgeError, Conflict
from threadbridge.ports import Entry, ObjectKind, Session, Store
from threadbridge_migrate.archive.reader import Archive, Part
from threadbridge_migrate.load.defaults import fill_assistant, fill_thread
from threadbridge_migrate.load.id_ledger import IdMapping, map_ids
from threadbridge_migrate.load.thread_reader import ArchiveThread, read_threads
from threadbridge_migrate.load.timeline import build_timeline, end_active_run, end_open_step, is_active

#: Objects in a transaction after which it is committed. A thread is never divided.
BATCH_OBJECTS = 4000

#: Losses that are kept in memory by name; more are only counted.
MAX_NAMED_LOSSES = 1000

#: `added`: new in the store. `extended`: it had fewer messages or runs. `unchanged`: it was there. `continued`: the
#: store has more of it than the archive, and keeps it. `failed`: see the losses.
ThreadOutcome: TypeAlias = Literal["added", "extended", "unchanged", "continued", "failed"]


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What to load, and how."""

    tenant: str
    #: The threads to load; None: all.
    only: frozenset[str] | None = None
    #: The model of an assistant by the one that the archive names.
    models: Mapping[str, str] = field(default_factory=dict[str, str])
    #: The ids of uploaded files and vector stores by those of the archive.
    ids: IdMapping = field(default_factory=dict[str, str])


@dataclass(slots=True)
class LoadReport:
    """The result of a load. The counts of objects are those of threads that were added or extended."""

    threads: Counter[str] = field(default_factory=Counter[str])
    assistants: int = 0
    messages: int = 0
    runs: int = 0
    steps: int = 0
    #: What was changed or is not in the store, one sentence each, beginning with the id.
    losses: list[str] = field(default_factory=list[str])
    more_losses: int = 0
    seconds: float = 0.0

    def add_loss(self, sentence: str) -> None:
        """Name a loss, or count it if too many are named already."""
        if len(self.losses) < MAX_NAMED_LOSSES:
            self.losses.append(sentence)
        else:
            self.more_losses += 1

    def as_json(self) -> JsonObject:
        """The report for programs."""
        return {**asdict(self), "threads": dict(self.threads)}


class PreparedThread(NamedTuple):
    """A thread as rows of the store."""

    thread: JsonObject
    runs: Sequence[JsonObject]
    steps: Sequence[JsonObject]
    entries: Sequence[Entry]
    message_ids: Sequence[str]
    warnings: Sequence[str]
    #: The thread, messages and steps that name files or vector stores by new ids.
    ids_with_new_references: frozenset[str]


async def load_archive(
    archive: Archive,
    store: Store,
    options: LoadOptions,
    *,
    record_progress: Callable[[LoadReport], None] = lambda _: None,
) -> LoadReport:
    """Load the archive. Raises ArchiveError and StoreError; what was committed before stays, and is found again.

    The next batch is read while the store writes one.
    """
    report, started = LoadReport(), time.monotonic()
    await store.write(partial(_add_assistants, archive, options, report), tenant=options.tenant, large=True)
    found = set[str]()
    batches = _read_batches(archive, options, report, found)
    batch = await asyncio.to_thread(next, batches, None)
    while batch is not None:
        writing = asyncio.ensure_future(_write_batch(store, batch, options, report))
        try:
            following = await asyncio.to_thread(next, batches, None)
        finally:
            await writing
        record_progress(report)
        batch = following
    for thread_id in sorted((options.only or frozenset[str]()) - found):
        report.threads["failed"] += 1
        report.add_loss(f"{thread_id}: the archive has no thread of this id")
    report.seconds = time.monotonic() - started
    return report


def _add_assistants(archive: Archive, options: LoadOptions, report: LoadReport, session: Session) -> None:
    report.assistants = 0
    for assistant in archive.read_part(Part.ASSISTANTS):
        model = assistant.get("model")
        if isinstance(model, str):
            assistant["model"] = options.models.get(model, model)
        mapped: JsonObject = fill_assistant(map_ids(assistant, options.ids))
        stored = session.get(ObjectKind.ASSISTANT, assistant["id"])
        if stored is None:
            session.add(ObjectKind.ASSISTANT, mapped)
        elif stored != mapped and stored == fill_assistant(assistant):
            session.put(ObjectKind.ASSISTANT, mapped)  # loaded before its files were uploaded
        else:
            continue
        report.assistants += 1


def _read_batches(
    archive: Archive, options: LoadOptions, report: LoadReport, found: set[str]
) -> Iterator[list[PreparedThread]]:
    batch: list[PreparedThread] = []
    objects = 0
    for each in read_threads(archive):
        if options.only is not None:
            if each.id not in options.only:
                continue
            found.add(each.id)
        if each.thread is None:
            report.threads["failed"] += 1
            counted = len(each.messages) + len(each.runs) + len(each.steps)
            report.add_loss(f"{each.id or 'objects without a thread id'}: no thread object, {counted} objects left out")
            continue
        batch.append(_prepare(each, each.thread, options))
        objects += len(each.messages) + len(each.runs) + len(each.steps)
        if objects >= BATCH_OBJECTS:
            yield batch
            batch, objects = [], 0
    if batch:
        yield batch


def _prepare(source: ArchiveThread, thread: JsonObject, options: LoadOptions) -> PreparedThread:
    """The rows of a thread. Objects without an id, and steps without a run, are left out with a warning."""
    warnings: list[str] = []
    changed = set[str]()
    lists: list[list[JsonObject]] = []

    def map_object(body: JsonObject) -> JsonObject:
        mapped = map_ids(body, options.ids)
        if mapped is not body and mapped != body:
            changed.add(body["id"])
        return mapped

    for name, objects in (("message", source.messages), ("run", source.runs), ("step", source.steps)):
        usable = [
            map_object(each if each.get("thread_id") else {**each, "thread_id": source.id})
            for each in objects
            if isinstance(each.get("id"), str) and each["id"] and (name != "step" or each.get("run_id"))
        ]
        if len(usable) < len(objects):
            warnings.append(f"{source.id}: {len(objects) - len(usable)} of its {name}s have no id and are left out")
        without_thread = [each for each in objects if not each.get("thread_id")]
        if without_thread:
            warnings.append(f"{source.id}: {len(without_thread)} of its {name}s named no thread and name it now")
        lists.append(list({each["id"]: each for each in usable}.values()))
    messages, runs, steps = lists
    active = {run["id"]: run for run in runs if is_active(run)}
    for run in active.values():
        ended = end_active_run(run)
        warnings.append(
            f"{run['id']}: was {run.get('status') or 'without a status'} in {source.id}, is now {ended['status']}"
        )
    return PreparedThread(
        fill_thread(map_object(thread)),
        [end_active_run(run) for run in runs],
        [end_open_step(step, active[step["run_id"]]) if step.get("run_id") in active else step for step in steps],
        build_timeline(messages, runs, steps),
        [message["id"] for message in messages],
        warnings,
        frozenset(changed),
    )


async def _write_batch(store: Store, batch: Sequence[PreparedThread], options: LoadOptions, report: LoadReport) -> None:
    """Write the batch in one transaction; if a row conflicts, every thread in its own."""
    try:
        outcomes = await store.write(partial(_write_threads, batch), tenant=options.tenant, large=True)
    except Conflict as error:
        if len(batch) == 1:
            report.threads["failed"] += 1
            report.add_loss(f"{batch[0].thread['id']}: {error.message}")
            return
        for each in batch:
            await _write_batch(store, [each], options, report)
        return
    except BridgeError as error:
        error.message = f"{error.message} The threads written before stay; run the same command again to continue."
        raise
    for each, outcome in zip(batch, outcomes, strict=True):
        report.threads[outcome] += 1
        if outcome in ("added", "extended"):
            report.messages += len(each.message_ids)
            report.runs += len(each.runs)
            report.steps += len(each.steps)
            for warning in each.warnings:
                report.add_loss(warning)
        elif outcome == "continued" and each.ids_with_new_references:
            report.add_loss(
                f"{each.thread['id']}: was continued in the store; {len(each.ids_with_new_references)} of its objects "
                "may still name files by their old ids"
            )


def _write_threads(batch: Sequence[PreparedThread], session: Session) -> list[ThreadOutcome]:
    return [_write_thread(session, each) for each in batch]


def _write_thread(session: Session, prepared: PreparedThread) -> ThreadOutcome:
    thread_id: str = prepared.thread["id"]
    outcome: ThreadOutcome = "added"
    if session.get(ObjectKind.THREAD, thread_id) is not None:
        outcome = _compare_with_stored(session, prepared)
        if outcome != "extended":
            return outcome
        session.remove(ObjectKind.THREAD, thread_id)
    session.add(ObjectKind.THREAD, prepared.thread)
    session.add_all(ObjectKind.RUN, prepared.runs)
    session.add_all(ObjectKind.STEP, prepared.steps)
    session.append_entries(thread_id, prepared.entries)
    return outcome


def _compare_with_stored(session: Session, prepared: PreparedThread) -> ThreadOutcome:
    """Whether the store has the thread as the archive has it, an earlier state of it, or a later one."""
    thread_id: str = prepared.thread["id"]
    stored = session.get_thread_size(thread_id).messages
    messages = session.get_page(ObjectKind.MESSAGE, limit=1, order="desc", thread_id=thread_id).data
    runs = session.get_page(ObjectKind.RUN, limit=1, order="desc", thread_id=thread_id).data
    run_ids = [run["id"] for run in prepared.runs]
    if stored > len(prepared.message_ids) or (messages and messages[0]["id"] not in prepared.message_ids):
        return "continued"
    if runs and runs[0]["id"] not in run_ids:
        return "continued"
    if stored < len(prepared.message_ids) or (runs[0]["id"] if runs else None) != (run_ids[-1] if run_ids else None):
        return "extended"
    if any(session.get(ObjectKind.STEP, step["id"]) is None for step in prepared.steps):
        return "extended"
    return "unchanged" if _names_new_files(session, prepared) else "extended"


def _names_new_files(session: Session, prepared: PreparedThread) -> bool:
    """Whether the stored thread names its files by the ids of the prepared one."""
    new = prepared.ids_with_new_references
    if not new:
        return True
    entries = [entry.message for entry in prepared.entries if entry.message is not None and entry.message["id"] in new]
    steps = [step for step in prepared.steps if step["id"] in new]
    return (
        (prepared.thread["id"] not in new or session.get(ObjectKind.THREAD, prepared.thread["id"]) == prepared.thread)
        and all(session.get(ObjectKind.MESSAGE, message["id"]) == message for message in entries)
        and all(session.get(ObjectKind.STEP, step["id"]) == step for step in steps)
    )

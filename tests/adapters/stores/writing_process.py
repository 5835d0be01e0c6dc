"""A process that writes threads with three messages each, and says so on stdout once each is acknowledged.

`writing_process.py URL NAME [COUNT]`: without a count it writes until somebody kills it.
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from itertools import count

from tests.stored_objects import message, thread
from threadbridge.ports import Entry, ObjectKind, Session
from threadbridge_adapters.stores import open_store

CONCURRENCY = 8


async def main(url: str, name: str, thread_count: int | None) -> None:
    store = await open_store(url)
    numbers = count() if thread_count is None else iter(range(thread_count))

    async def keep_writing() -> None:
        for n in numbers:
            await store.write(partial(write_thread, name=f"{name}_{n}"), tenant="t")
            print(f"{name}_{n}", flush=True)  # noqa: T201

    await asyncio.gather(*(keep_writing() for _ in range(CONCURRENCY)))
    await store.aclose()


def write_thread(session: Session, name: str) -> None:
    session.add(ObjectKind.THREAD, thread(name))
    session.append_entries(name, [Entry(message=message(f"msg_{name}_{k}", name)) for k in range(3)])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else None))

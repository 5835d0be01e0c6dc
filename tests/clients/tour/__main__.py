"""Tour every operation with the openai SDK at hand: `python -m tests.clients.tour [--async] [chapter…]`.

It needs nothing but that SDK, in any version since 1.109, and OPENAI_BASE_URL. One line of JSON for each operation.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
from collections.abc import Sequence
from types import ModuleType

from openai import AsyncOpenAI, OpenAI

from tests.clients.tour.output import begin_chapter

CHAPTERS = ("assistants", "threads", "runs", "tools", "streams", "raw", "errors", "azure", "behind", "files")


def import_chapter(variant: str, name: str) -> ModuleType:
    begin_chapter(name)
    return importlib.import_module(f"tests.clients.tour._{variant}.{name}")


def run_tour(names: Sequence[str]) -> None:
    with OpenAI(max_retries=0) as client:
        for name in names:
            import_chapter("sync", name).tour(client)


async def run_tour_async(names: Sequence[str]) -> None:
    async with AsyncOpenAI(max_retries=0) as client:
        for name in names:
            await import_chapter("async", name).tour(client)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Tour every operation.")
    parser.add_argument("chapters", nargs="*", help="the chapters; all of them where none is named")
    parser.add_argument("--async", action="store_true", dest="use_async", help="use the asynchronous client")
    arguments = parser.parse_args()
    chosen: Sequence[str] = arguments.chapters or CHAPTERS
    if arguments.use_async:
        asyncio.run(run_tour_async(chosen))
    else:
        run_tour(chosen)

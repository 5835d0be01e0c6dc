"""Concurrent tasks that raise the first exception itself, not an exception group."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def gather(*work: Coroutine[Any, Any, T]) -> list[T]:
    """The results in the order of the arguments. The first failure cancels the others and is raised after they end."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
    except ExceptionGroup as failures:
        raise _find_first(failures) from None
    return [task.result() for task in tasks]


def _find_first(failures: ExceptionGroup[Exception]) -> Exception:
    first = failures.exceptions[0]
    return _find_first(first) if isinstance(first, ExceptionGroup) else first

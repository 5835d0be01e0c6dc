"""A run waits for its thread's vector stores to finish indexing, for a bounded time (A56)."""

from __future__ import annotations

from collections.abc import Iterable

from threadbridge.errors import UpstreamError
from threadbridge.ports import Clock, Upstream

#: Seconds between two looks.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0


async def wait_for_indexing(upstream: Upstream, clock: Clock, store_ids: Iterable[str], *, seconds: float) -> None:
    """Return when nothing is being indexed any more, or the time is up.

    Raises UpstreamError for a store that has expired (A31). A service that does not tell is not waited for (S9).
    """
    deadline = clock.now() + seconds
    for store_id in store_ids:
        pause = _FIRST_PAUSE
        while await _is_indexing(upstream, store_id) and clock.now() < deadline:
            await clock.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)


async def _is_indexing(upstream: Upstream, store_id: str) -> bool:
    try:
        store = await upstream.request("GET", f"/vector_stores/{store_id}")
    except UpstreamError:
        return False  # the response will say what is wrong with it
    if store.get("status") == "expired":
        raise UpstreamError(
            f"The vector store {store_id} of this thread has expired. Attach another vector store to the thread.",
            status=400,
        )
    counts = store.get("file_counts") or {}
    return bool(counts.get("in_progress"))

"""A response that was not streamed, as the events of a stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from threadbridge.ports import Wire

#: The event that ends a response, by its status.
_FINAL_EVENT_TYPES: Mapping[str, str] = {
    "completed": "response.completed",
    "incomplete": "response.incomplete",
    "failed": "response.failed",
    "cancelled": "response.cancelled",
}

_UNFINISHED_STATUSES = frozenset({"queued", "in_progress"})


def iterate_events(response: Wire) -> Iterator[Wire]:
    """The fewest events with the content of the response, so that one translator serves streams and whole answers.

    A response that is not finished has no last event; the translator's `finish_stream` ends it.
    """
    yield {"type": "response.created", "response": response}
    for index, item in enumerate(response.get("output") or []):
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    last = _get_final_event_type(response)
    if last is not None:
        yield {"type": last, "response": response}


def _get_final_event_type(response: Wire) -> str | None:
    status: str = response.get("status") or ""
    if status in _UNFINISHED_STATUSES:
        return None
    if status in _FINAL_EVENT_TYPES:
        return _FINAL_EVENT_TYPES[status]
    # Some servers omit the status (S5) or use one of their own; then other fields decide.
    if response.get("error"):
        return "response.failed"
    return "response.incomplete" if response.get("incomplete_details") else "response.completed"

"""For whom, and under which id, a backend does what it is called for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RequestContext:
    """The first argument of every backend method.

    A backend sees and changes objects of `tenant` only. `key_id` names the API key of the caller and never holds the
    key itself, `request_id` is the id that the caller finds in the response. Each is None where it is unknown.

    `deadline` is the time of `Clock.now` after which the caller waits no longer. What waits for other requests ends at
    it: a request in the queue of a busy thread with the error of a busy thread (A42), the events of a run with
    UpstreamTimeout, while the run continues. With None only `limits` bounds these waits. A turn's wait for a slot ends
    at the deadline of its run; transactions and requests to the upstream have timeouts of their own.
    """

    tenant: str
    key_id: str | None = None
    request_id: str | None = None
    deadline: float | None = None

"""For whom, and under which id, a backend does what it is called for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RequestContext:
    """The first argument of every backend method.

    A backend sees and changes objects of `tenant` only. `key_id` names the API key of the caller and never holds the
    key itself, `request_id` is the id that the caller finds in the response, `deadline` the time of `Clock.now` after
    which the caller waits no longer; each is None where it is unknown.
    """

    tenant: str
    key_id: str | None = None
    request_id: str | None = None
    deadline: float | None = None

"""The service that answers while recording; nothing is contacted while replaying.

| backend      | recorded from                              | or, with these variables set, from a live service        |
|--------------|--------------------------------------------|----------------------------------------------------------|
| `responses`  | the simulator                              | `THREADBRIDGE_RECORD_RESPONSES_URL`, `…_RESPONSES_KEY`   |
| `assistants` | the gateway over a simulator of its own    | `THREADBRIDGE_RECORD_ASSISTANTS_URL`, `…_ASSISTANTS_KEY` |

The host in a cassette names one of the two; real hosts are not recorded.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

from threadbridge.settings import Settings
from threadbridge_adapters.gateway import run_gateway_in_thread, run_simulator_in_thread

#: The base URLs in cassettes.
SIMULATED, LIVE = "http://simulated.invalid/v1", "http://live.invalid/v1"

#: Seconds between two looks at a run.
_RECORDING_POLL_INTERVAL, _REPLAY_POLL_INTERVAL = 0.5, 0.001


@dataclass(frozen=True)
class RecordingTarget:
    """A service: its URL and key, its URL in cassettes, and the poll interval."""

    url: str
    cassette_url: str
    key: str = field(default="sk-of-nobody", repr=False)
    poll_interval: float = _RECORDING_POLL_INTERVAL


REPLAY_TARGET = RecordingTarget("http://replayed.invalid/v1", SIMULATED, poll_interval=_REPLAY_POLL_INTERVAL)

_LOCAL_SERVICES: Mapping[str, Callable[[], AbstractContextManager[str]]] = {
    "responses": run_simulator_in_thread,
    "assistants": lambda: run_gateway_in_thread(Settings(store=":memory:", simulate=True)),
}


def find_live_service(backend: str) -> RecordingTarget | None:
    """The live service that the environment names for this backend."""
    variable = f"THREADBRIDGE_RECORD_{backend.upper()}"
    url, key = os.environ.get(f"{variable}_URL"), os.environ.get(f"{variable}_KEY")
    return RecordingTarget(url.rstrip("/"), LIVE, key or REPLAY_TARGET.key) if url else None


def has_live_service() -> bool:
    """Whether a real model will be requested, which cannot be made to fail."""
    return any(find_live_service(backend) for backend in _LOCAL_SERVICES)


@contextmanager
def open_service_to_record(backend: str) -> Generator[RecordingTarget]:
    """The configured live service, else a simulator on loopback for the duration of the context."""
    if (live_service := find_live_service(backend)) is not None:
        yield live_service
        return
    with _LOCAL_SERVICES[backend]() as url:
        yield RecordingTarget(url, SIMULATED)

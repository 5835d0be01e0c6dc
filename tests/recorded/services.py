"""What stands at the other end: while recording a service, while replaying nobody.

| backend      | recorded from                              | or, with these variables set, from a live service        |
|--------------|--------------------------------------------|----------------------------------------------------------|
| `responses`  | the simulator                              | `THREADBRIDGE_RECORD_RESPONSES_URL`, `…_RESPONSES_KEY`   |
| `assistants` | the gateway over a simulator of its own    | `THREADBRIDGE_RECORD_ASSISTANTS_URL`, `…_ASSISTANTS_KEY` |

The host in a cassette says which of the two it was; real hosts are not written down.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

from threadbridge.settings import Settings
from threadbridge_adapters.gateway import running_gateway, running_simulator

#: Where a cassette says its exchanges were recorded.
SIMULATED, LIVE = "http://simulated.invalid/v1", "http://live.invalid/v1"

#: Seconds between two looks at a run.
_RECORDING, _REPLAYING = 0.5, 0.001


@dataclass(frozen=True)
class Service:
    """How to reach it, what its URL becomes in a cassette, and how long to wait between two looks at a run."""

    url: str
    written_as: str
    key: str = field(default="sk-of-nobody", repr=False)
    pause: float = _RECORDING


NOBODY = Service("http://replayed.invalid/v1", SIMULATED, pause=_REPLAYING)

_OURS: Mapping[str, Callable[[], AbstractContextManager[str]]] = {
    "responses": running_simulator,
    "assistants": lambda: running_gateway(Settings(store=":memory:", simulate=True)),
}


def live(backend: str) -> Service | None:
    """The live service that the environment names for this backend."""
    variable = f"THREADBRIDGE_RECORD_{backend.upper()}"
    url, key = os.environ.get(f"{variable}_URL"), os.environ.get(f"{variable}_KEY")
    return Service(url.rstrip("/"), LIVE, key or NOBODY.key) if url else None


def any_live() -> bool:
    """Whether a real model will be asked, which cannot be told to fail."""
    return any(live(backend) for backend in _OURS)


@contextmanager
def service_to_record(backend: str) -> Generator[Service]:
    """The live service if one is named, else ours, on loopback as long as the context lasts."""
    if (named := live(backend)) is not None:
        yield named
        return
    with _OURS[backend]() as url:
        yield Service(url, SIMULATED)

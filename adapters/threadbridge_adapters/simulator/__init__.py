"""A deterministic stand-in for the Responses service, for tests, demos and benchmarks. It is never a model.

`Simulator` is the service; `SimulatedUpstream(simulator)` puts it behind the Upstream port without HTTP, and
`app(simulator)` behind `/v1` as an ASGI application (extra `gateway`). It echoes the last user message, obeys the
instructions in it (`CALL name {json}`, `SAY text`, `FAIL code message` …: see `simulator._language`), or plays
`Scenario`s. Requests are refused as strictly as recordings show the service to refuse them.

Files, uploads, vector stores (searched by their words) and containers are kept; `file_search` and `code_interpreter`
are used when the message says so (`SEARCH words`, `PYTHON code`), and no code is ever run. Of files only text is read:
a PDF can be stored and not searched. Long contexts are compacted where `context_management` says so. Batches,
`/responses/compact` and log probabilities are not simulated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from threadbridge_adapters.simulator._errors import ServiceError
from threadbridge_adapters.simulator._models import ModelTable
from threadbridge_adapters.simulator._scenarios import (
    FunctionCall,
    PlannedCode,
    PlannedFileSearch,
    Reasoning,
    RefusalMessage,
    Scenario,
    ScriptedResponse,
    TextMessage,
    ToolSummaryMessage,
)
from threadbridge_adapters.simulator._server_quirks import ServerQuirk
from threadbridge_adapters.simulator._simulator import ReceivedRequest, Script, Simulator
from threadbridge_adapters.simulator._state import SimulatorLimits
from threadbridge_adapters.simulator._upstream import SimulatedStream, SimulatedUpstream

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from threadbridge.ports import Upstream
    from threadbridge.settings import Settings

__all__ = [
    "FunctionCall",
    "ModelTable",
    "PlannedCode",
    "PlannedFileSearch",
    "Reasoning",
    "ReceivedRequest",
    "RefusalMessage",
    "Scenario",
    "Script",
    "ScriptedResponse",
    "ServerQuirk",
    "ServiceError",
    "SimulatedStream",
    "SimulatedUpstream",
    "Simulator",
    "SimulatorLimits",
    "TextMessage",
    "ToolSummaryMessage",
    "app",
    "open_simulated_upstream",
]


def open_simulated_upstream(settings: Settings) -> Upstream:  # noqa: ARG001  what every entry point takes
    """A simulator of its own in this process, as the entry point opens it."""
    return SimulatedUpstream(Simulator())


def app(simulator: Simulator) -> Starlette:
    """The simulator as an ASGI application under `/v1`. Needs the `gateway` extra."""
    from threadbridge_adapters.simulator._http import app as http_app  # Starlette is an optional dependency

    return http_app(simulator)

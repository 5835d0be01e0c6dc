"""A deterministic simulator of the Responses service, for tests, demos and benchmarks. It is not a model.

`Simulator` is the service. `SimulatedUpstream(simulator)` is its `Upstream` port without HTTP, and
`app(simulator)` its ASGI application below `/v1` (extra `gateway`). It echoes the last user message, follows the
directives in it (`CALL name {json}`, `SAY text`, `FAIL code message` …: see `simulator._prompt_directives`), or plays
`Scenario`s. Requests are validated as strictly as recordings show for the service.

Files, uploads, vector stores (with full-text search) and containers are stored. `file_search` and `code_interpreter`
are called when the message has a directive for them (`SEARCH words`, `PYTHON code`); no code is ever run. Text and
source files, HTML, DOCX, PPTX and (extra `documents`) PDF can be searched. Images and files of the input must exist;
`Simulator.unavailable_urls` are dead links. Long contexts are compacted as `context_management` requests. Batches,
`/responses/compact` and log probabilities are not simulated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from threadbridge_adapters.server_quirks import ServerQuirk
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


def open_simulated_upstream(settings: Settings) -> Upstream:  # noqa: ARG001  the signature of the entry point
    """An upstream with its own simulator in this process; the entry point calls it."""
    return SimulatedUpstream(Simulator())


def app(simulator: Simulator) -> Starlette:
    """The simulator as an ASGI application under `/v1`. Needs the `gateway` extra."""
    from threadbridge_adapters.simulator._http import app as http_app  # Starlette is an optional dependency

    return http_app(simulator)

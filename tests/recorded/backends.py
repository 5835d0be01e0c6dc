"""The two backends, each on a service over HTTP. Add a row to BACKENDS for a further one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pydantic import SecretStr

from tests.recorded.recording_targets import RecordingTarget
from threadbridge.ports import Backend, IdGenerator
from threadbridge.settings import AssistantsSettings, EndpointSettings, Settings
from threadbridge_adapters.assistants import open_backend as open_assistants
from threadbridge_adapters.composition import assemble_backend
from threadbridge_adapters.stores import open_store
from threadbridge_adapters.upstreams.openai_sdk import open_sdk_upstream


async def _open_responses_backend(service: RecordingTarget) -> Backend:
    """Records the requests to the model; assistants and threads are in a store in memory."""
    upstream = open_sdk_upstream(EndpointSettings(**_make_connection_settings(service)))
    return assemble_backend(
        Settings(), store=await open_store(":memory:"), upstream=upstream, new_id=_make_counting_ids()
    )


def _make_counting_ids() -> IdGenerator:
    """Ids that are equal in every replay: requests to the model contain the id of the thread."""
    counts: Counter[str] = Counter()

    def new_id(prefix: str) -> str:
        counts[prefix] += 1
        return f"{prefix}_{counts[prefix]:024}"

    return new_id


async def _open_assistants_backend(service: RecordingTarget) -> Backend:
    return await open_assistants(
        Settings(backend="assistants", assistants=AssistantsSettings(**_make_connection_settings(service)))
    )


def _make_connection_settings(service: RecordingTarget) -> dict[str, Any]:
    return {
        "base_url": service.url,
        "api_key": SecretStr(service.key),
        "headers": {"Accept-Encoding": "identity"},  # bodies in a cassette are there to be read
        "max_retries": 0,
    }


BACKENDS: Mapping[str, Callable[[RecordingTarget], Awaitable[Backend]]] = {
    "responses": _open_responses_backend,
    "assistants": _open_assistants_backend,
}

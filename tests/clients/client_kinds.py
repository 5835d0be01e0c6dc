"""The two doors an unmodified client comes through: the gateway over HTTP, and the SDK's own transport."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from openai.types.beta.threads import Message

from threadbridge.ports import Backend
from threadbridge.settings import Settings
from threadbridge_adapters.composition import assemble_backend
from threadbridge_adapters.gateway import run_gateway_in_thread
from threadbridge_adapters.simulator import SimulatedUpstream, Simulator
from threadbridge_adapters.stores import open_store

WEATHER: Any = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


@dataclass(frozen=True)
class Gateway:
    """A gateway on loopback, and the simulator behind it."""

    url: str
    simulator: Simulator


@contextmanager
def simulated_gateway(**settings: Any) -> Generator[Gateway]:
    """A gateway of its own over a store in memory."""
    simulator = Simulator()

    async def open_backend(configured: Settings) -> Backend:
        return assemble_backend(configured, store=await open_store(":memory:"), upstream=SimulatedUpstream(simulator))

    with run_gateway_in_thread(Settings(simulate=True, **settings), open_backend=open_backend) as url:
        yield Gateway(url, simulator)


def user_message(text: str) -> Any:
    """A message of the user, as a creation body holds it."""
    return {"role": "user", "content": text}


def read_text(message: Message) -> str:
    """The text of a message."""
    return str(message.content[0].to_dict()["text"]["value"])  # type: ignore[index]


def make_outputs(run: Any, output: str = "sunny") -> Any:
    """An output for every call the run waits for."""
    calls = run.required_action.submit_tool_outputs.tool_calls
    return [{"tool_call_id": call.id, "output": output} for call in calls]

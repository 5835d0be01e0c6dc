"""The openai SDK as a door, found by entry point so that nobody pays for the SDK who does not use it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from threadbridge.runtime import plugins

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI

    ClientT = TypeVar("ClientT", bound=OpenAI | AsyncOpenAI)


def openai_client(*, client_options: Mapping[str, Any] | None = None, **configuration: Any) -> OpenAI:
    """A genuine `OpenAI` client whose `/assistants*` and `/threads*` requests the configured backend answers.

    Everything else goes to the network. `client_options` are given to the client's own constructor.
    """
    client: OpenAI = _door("openai_client")(client_options=client_options, **configuration)
    return client


def async_openai_client(*, client_options: Mapping[str, Any] | None = None, **configuration: Any) -> AsyncOpenAI:
    """`openai_client`, asynchronous."""
    client: AsyncOpenAI = _door("async_openai_client")(client_options=client_options, **configuration)
    return client


def wrap(client: ClientT, **configuration: Any) -> ClientT:
    """A copy of your client (`AzureOpenAI` too) whose Assistants requests the configured backend answers."""
    wrapped: ClientT = _door("wrap")(client, **configuration)
    return wrapped


def _door(name: str) -> Any:
    return plugins.load("doors", name, key="door")

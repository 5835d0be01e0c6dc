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
    client: OpenAI = _load_client_function("openai_client")(client_options=client_options, **configuration)
    return client


def async_openai_client(*, client_options: Mapping[str, Any] | None = None, **configuration: Any) -> AsyncOpenAI:
    """`openai_client`, asynchronous."""
    client: AsyncOpenAI = _load_client_function("async_openai_client")(client_options=client_options, **configuration)
    return client


def wrap(client: ClientT, **configuration: Any) -> ClientT:
    """A copy of your client (`AzureOpenAI` too) whose Assistants requests the configured backend answers."""
    wrapped: ClientT = _load_client_function("wrap")(client, **configuration)
    return wrapped


def _load_client_function(name: str) -> Any:
    return plugins.load_plugin("doors", name, key="door")

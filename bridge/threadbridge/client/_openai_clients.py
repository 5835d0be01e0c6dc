"""Clients of the openai SDK, loaded by entry point, so that programs without the SDK do not import it.

A module of its own, because a program with such a client does not import the neutral interface.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from threadbridge.runtime.plugins import load_plugin

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI

    ClientT = TypeVar("ClientT", bound=OpenAI | AsyncOpenAI)


def openai_client(*, client_options: Mapping[str, Any] | None = None, **configuration: Any) -> OpenAI:
    """A genuine `OpenAI` client whose `/assistants*` and `/threads*` requests the configured backend answers.

    Other requests go to the network. `client_options` are passed to the constructor of `OpenAI`.
    """
    client: OpenAI = _load_client_function("openai_client")(client_options=client_options, **configuration)
    return client


def async_openai_client(*, client_options: Mapping[str, Any] | None = None, **configuration: Any) -> AsyncOpenAI:
    """`openai_client`, asynchronous."""
    client: AsyncOpenAI = _load_client_function("async_openai_client")(client_options=client_options, **configuration)
    return client


def wrap(client: ClientT, **configuration: Any) -> ClientT:
    """A copy of a client (`AzureOpenAI` too) whose Assistants requests the configured backend answers."""
    wrapped: ClientT = _load_client_function("wrap")(client, **configuration)
    return wrapped


def _load_client_function(name: str) -> Any:
    return load_plugin("doors", name, key="door")

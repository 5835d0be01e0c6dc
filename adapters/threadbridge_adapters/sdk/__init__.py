"""In-process transport for the openai SDK: Assistants calls are answered in the process, streams token by token."""

from threadbridge_adapters.sdk.openai_clients import async_openai_client, openai_client, wrap

__all__ = ["async_openai_client", "openai_client", "wrap"]

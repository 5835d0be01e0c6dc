"""The assistants backend: any service that speaks the Assistants API v2, reached through the openai SDK.

Request and response bodies pass unchanged, including unknown fields. The service validates requests; its error
messages reach the caller unchanged.

Retries, at most `settings.assistants.max_retries` per call:

- GET, DELETE and updates are idempotent. The SDK retries them on connection errors, timeouts, 408, 409, 429 and 5xx.
- Calls that create or start something (`create_*`, `stream_*`, `cancel_run`, `submit_tool_outputs`) are retried only
  if the service cannot have processed them: no connection was established, or the status was 429 or 503. After a
  timeout or a 500 the outcome is unknown, so the error is raised and the caller has to check.

A DELETE that is retried after a lost response may raise NotFound.
"""

from __future__ import annotations

from threadbridge.ports import Backend
from threadbridge.settings import Settings

__all__ = ["open_backend"]

_BETA_HEADER = {"OpenAI-Beta": "assistants=v2"}


async def open_backend(settings: Settings) -> Backend:
    """A backend for the service in `settings.assistants`; close it with `aclose()`. Sends no request.

    Raises `errors.ConfigurationError` if the SDK client cannot be created, for instance without a key.
    """
    # Importing the SDK takes more than a second, so it is imported only when this backend is used.
    from threadbridge_adapters.assistants._backend import AssistantsBackend
    from threadbridge_adapters.assistants._http import LegacyServiceClient
    from threadbridge_adapters.openai_http.sdk_client import open_client

    client = open_client(
        settings.assistants,
        section="assistants",
        headers=_BETA_HEADER,
        max_response_bytes=settings.limits.response_bytes,
    )
    service_client = LegacyServiceClient(client, max_retries=settings.assistants.max_retries)
    capabilities = settings.assistants
    return AssistantsBackend(
        service_client,
        lists_threads=capabilities.list_threads,
        follows_runs=capabilities.follow_runs,
        reports_runs=capabilities.report_runs,
    )

"""The assistants backend: any service that speaks the Assistants API v2, reached through the openai SDK.

A thin adapter: bodies go out as given and come back as sent, fields nobody here has heard of included.
What is refused is refused by the service, in its own words.

What is repeated after a failure, `settings.assistants.max_retries` times at most:

- GET, DELETE and the updates, which say the same thing twice without harm: by the SDK, on connection errors, timeouts,
  408, 409, 429 and 5xx;
- everything that creates or starts something (`create_*`, `stream_*`, `cancel_run`, `submit_tool_outputs`): only where
  the service cannot have begun, that is when no connection came about, and on 429 and 503. After a timeout or a 500
  nobody knows whether the message is there, so the error is raised and the caller looks.

A DELETE repeated after a lost answer may find nothing left and raise NotFound.
"""

from __future__ import annotations

from threadbridge.ports import Backend
from threadbridge.settings import Settings

__all__ = ["open_backend"]

_BETA_HEADER = {"OpenAI-Beta": "assistants=v2"}


async def open_backend(settings: Settings) -> Backend:
    """A backend on the service of `settings.assistants`; close it with `aclose()`. Does not touch the network.

    Raises `errors.ConfigurationError` when the SDK cannot be set up, for instance without a key.
    """
    # Importing the SDK costs more than a second, so only those who use this backend pay for it.
    from threadbridge_adapters.assistants._backend import AssistantsBackend
    from threadbridge_adapters.assistants._http import LegacyServiceClient
    from threadbridge_adapters.openai_http.sdk_client import open_client

    client = open_client(settings.assistants, section="assistants", headers=_BETA_HEADER)
    service_client = LegacyServiceClient(client, max_retries=settings.assistants.max_retries)
    capabilities = settings.assistants
    return AssistantsBackend(
        service_client,
        lists_threads=capabilities.list_threads,
        follows_runs=capabilities.follow_runs,
        reports_runs=capabilities.report_runs,
    )

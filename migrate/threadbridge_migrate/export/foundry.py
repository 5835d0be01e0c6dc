"""Microsoft Foundry (classic agents) as a source: the endpoint of a project, its API version, and Entra tokens."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import urlsplit

from threadbridge.api_types import JsonObject
from threadbridge.settings import Settings
from threadbridge_migrate.errors import UsageError

#: The path of a project's endpoint.
_PROJECT_PATH: Final = re.compile(r"/api/projects/[^/]+/?")

#: The version of the API that is requested unless another one is named.
API_VERSION: Final = "v1"

#: What an Entra token must be valid for.
TOKEN_SCOPE: Final = "https://ai.azure.com/.default"  # noqa: S105 - a scope is no secret


def is_project_url(url: str | None) -> bool:
    """Whether a URL is that of a project: `https://HOST/api/projects/NAME`."""
    return url is not None and _PROJECT_PATH.fullmatch(urlsplit(url).path) is not None


def build_project_settings(url: str, *, api_version: str | None = None) -> JsonObject:
    """The section `assistants` of the settings for a project, which lists its threads.

    Raises UsageError for a URL that is not that of a project.
    """
    if not is_project_url(url):
        raise UsageError(
            f"{url!r} is not the endpoint of a project: https://RESOURCE.services.ai.azure.com/api/projects/NAME."
        )
    return {"base_url": url, "list_threads": True, "query": {"api-version": api_version or API_VERSION}}


def authorize(settings: Settings) -> Settings:
    """The settings with Entra tokens for a project without a key; other settings unchanged.

    Tokens are those of azure-identity's default credential (environment, workload or managed identity, `az login` …)
    and are renewed before they expire. A key of OpenAI's own variable is not sent to a project.
    Raises UsageError if azure-identity is not installed.
    """
    service = settings.assistants
    is_authorized = (
        service.api_key is not None
        or service.token_provider is not None
        or any(name.lower() in ("authorization", "api-key") for name in service.headers)
    )
    if settings.backend != "assistants" or not is_project_url(service.base_url) or is_authorized:
        return settings
    try:
        import azure.identity as identity  # takes 300 ms to import
    except ImportError as exc:
        raise UsageError(
            "A Foundry project needs an Entra token or a key: pip install 'threadbridge[foundry]' and sign in "
            "(az login), or set THREADBRIDGE_ASSISTANTS__API_KEY."
        ) from exc
    library: Any = identity
    provider = library.get_bearer_token_provider(library.DefaultAzureCredential(), TOKEN_SCOPE)
    return settings.model_copy(update={"assistants": service.model_copy(update={"token_provider": provider})})
